"""Benchmarks of a running system, over its public interfaces only (start it with `gyre up`)."""
