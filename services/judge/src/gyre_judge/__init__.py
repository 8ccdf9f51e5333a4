"""Scores answers without a reference."""
