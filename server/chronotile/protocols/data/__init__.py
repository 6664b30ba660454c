"""Protocols of arrays and files."""
