"""Simulated VTEX, the demo scenario and its report."""
