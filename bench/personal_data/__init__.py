"""How well personal data is recognized."""
