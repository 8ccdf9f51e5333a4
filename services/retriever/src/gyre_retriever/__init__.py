"""Hybrid search over the index."""
