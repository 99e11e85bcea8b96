"""Marketplace adapters that ship with the hub: one folder each."""
