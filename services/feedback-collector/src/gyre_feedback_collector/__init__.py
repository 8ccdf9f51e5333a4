"""Accepts feedback on answers."""
