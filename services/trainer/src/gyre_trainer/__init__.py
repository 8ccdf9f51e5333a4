"""Release controller."""
