"""Parsed documents → passages that fit an encoder's window."""
