"""Real servers that tests start, break and end by themselves."""
