"""Formulas and masks: variables that are computed from other variables of the source when they are read."""
