"""Accepts feedback and the review queue."""
