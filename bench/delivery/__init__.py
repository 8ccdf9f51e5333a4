"""How fast records are delivered, against the floors and peers of the delivery layer."""
