"""Measures the hub against what its work must cost; ``python -m benchmarks`` prints the table."""
