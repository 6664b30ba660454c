"""Verbs of coverages."""
