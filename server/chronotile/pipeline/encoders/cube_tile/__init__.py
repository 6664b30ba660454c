"""Cube tiles (docs/ctc1.md)."""
