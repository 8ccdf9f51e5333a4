"""Grounded answers with citations."""
