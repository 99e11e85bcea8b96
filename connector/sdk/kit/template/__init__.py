"""Where ``connector adapter new`` begins: a small adapter that works, copied and renamed."""
