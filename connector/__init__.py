"""Connector hub between VTEX stores and marketplaces outside VTEX."""

__version__ = "0.2.0"
