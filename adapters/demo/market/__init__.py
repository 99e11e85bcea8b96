"""The simulated Demo Market: its state and both halves of its API."""
