"""Demo Market: the worked example of an adapter, and a simulator of its marketplace."""

from adapters.demo.adapter import DemoAdapter
from adapters.demo.simulator import DemoMarketSimulator

ADAPTER = DemoAdapter
SIMULATOR = DemoMarketSimulator

__all__ = ["ADAPTER", "SIMULATOR", "DemoAdapter", "DemoMarketSimulator"]
