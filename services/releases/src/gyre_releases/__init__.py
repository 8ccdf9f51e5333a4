"""Knows every version, and decides which of each role is live."""
