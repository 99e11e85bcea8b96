"""The simulated Mercado Livre: its state, its API, and what buyers do."""
