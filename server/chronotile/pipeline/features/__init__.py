"""Sets of places as features: which are chosen, with which values, and as files."""
