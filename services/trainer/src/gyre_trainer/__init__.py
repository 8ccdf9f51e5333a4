"""Segments of facts, data sets, runs and recipes."""
