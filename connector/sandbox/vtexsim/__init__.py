"""A simulated VTEX account: catalog, simulation, orders, OMS, notifications and callbacks."""

from __future__ import annotations

from connector.sandbox.vtexsim.hosting import VtexHost
from connector.sandbox.vtexsim.order_state import Invoice, SimItem, SimOrder, WrongStatusError
from connector.sandbox.vtexsim.seed import seed_catalog
from connector.sandbox.vtexsim.settings import DivergenceRule, SlaSpec, VtexSimSettings
from connector.sandbox.vtexsim.simulator import VtexSimulator
from connector.sandbox.vtexsim.state import Catalog, Sku, SkuTruth

__all__ = [
    "Catalog",
    "DivergenceRule",
    "Invoice",
    "SimItem",
    "SimOrder",
    "Sku",
    "SkuTruth",
    "SlaSpec",
    "VtexHost",
    "VtexSimSettings",
    "VtexSimulator",
    "WrongStatusError",
    "seed_catalog",
]
