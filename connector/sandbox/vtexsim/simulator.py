"""The VTEX simulator: all rooms of one account under one roof."""

from __future__ import annotations

from connector.sandbox.vtexsim.catalog import CatalogRoom
from connector.sandbox.vtexsim.classic import ClassicRoom
from connector.sandbox.vtexsim.control import ControlRoom
from connector.sandbox.vtexsim.integration import IntegrationRoom
from connector.sandbox.vtexsim.mapper import MapperRoom
from connector.sandbox.vtexsim.oms import OmsRoom
from connector.sandbox.vtexsim.prices import PriceRoom
from connector.sandbox.vtexsim.products import ProductRoom
from connector.sandbox.vtexsim.simulation import SimulationRoom


class VtexSimulator(
    CatalogRoom,
    ProductRoom,
    PriceRoom,
    SimulationRoom,
    IntegrationRoom,
    ClassicRoom,
    OmsRoom,
    MapperRoom,
    ControlRoom,
):
    """A VTEX account that answers, calls back, forgets and lies as the real platform does."""
