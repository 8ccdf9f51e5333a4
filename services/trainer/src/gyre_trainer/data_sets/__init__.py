"""Frozen data sets: what a run trains on and is judged by."""
