"""HTTP in, flows out, nothing else."""
