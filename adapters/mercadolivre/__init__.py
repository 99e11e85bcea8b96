"""Mercado Livre: the adapter, and a simulator of the marketplace."""

from adapters.mercadolivre.adapter import MercadoLivreAdapter
from adapters.mercadolivre.simulator import MercadoLivreSimulator

ADAPTER = MercadoLivreAdapter
SIMULATOR = MercadoLivreSimulator

__all__ = ["ADAPTER", "SIMULATOR", "MercadoLivreAdapter", "MercadoLivreSimulator"]
