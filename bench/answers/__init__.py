"""How well the extractive reader answers, beside plain ways to pick sentences."""
