"""Proofs that nothing is lost: ``python -m tests.chaos`` (``make chaos``) runs the long form."""
