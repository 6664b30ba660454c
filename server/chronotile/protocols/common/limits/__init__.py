"""How much work runs at once, and how much may wait."""
