"""Protocols of pictures."""
