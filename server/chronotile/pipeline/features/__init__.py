"""Sets of places as features: selection, values and files."""
