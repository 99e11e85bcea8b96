"""``connector demo``: a merchant's day between two simulators, and proof that nothing was lost."""

from __future__ import annotations

from connector.sandbox.demo.options import DemoOptions
from connector.sandbox.demo.run import run_demo

__all__ = ["DemoOptions", "run_demo"]
