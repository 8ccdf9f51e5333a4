"""How files of every kind are read."""
