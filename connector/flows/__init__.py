"""Use-cases: what happens, in which order, saved when."""
