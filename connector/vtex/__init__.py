"""Everything that knows VTEX's wire."""
