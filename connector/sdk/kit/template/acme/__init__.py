"""Acme Market: its adapter, and a simulator of it."""

from connector.sdk.kit.template.acme.adapter import AcmeAdapter
from connector.sdk.kit.template.acme.simulator import AcmeSimulator

ADAPTER = AcmeAdapter
SIMULATOR = AcmeSimulator

__all__ = ["ADAPTER", "SIMULATOR", "AcmeAdapter", "AcmeSimulator"]
