"""Variables computed from others of the same source as they are read: formulas and masks."""
