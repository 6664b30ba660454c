"""Cube tiles (docs/design/ctc1.md)."""
