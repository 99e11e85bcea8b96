"""Pure values and decisions: no clock, network or database."""
