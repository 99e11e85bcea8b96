"""Mirakl: an adapter for the marketplaces of hundreds of operators, and a simulated platform."""

from adapters.mirakl.adapter import MiraklAdapter
from adapters.mirakl.simulator import MiraklSimulator

ADAPTER = MiraklAdapter
SIMULATOR = MiraklSimulator

__all__ = ["ADAPTER", "SIMULATOR", "MiraklAdapter", "MiraklSimulator"]
