"""Protocols of items and products."""
