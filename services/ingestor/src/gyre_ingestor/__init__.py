"""Accepts, parses and chunks documents."""
