"""Cube tiles: the numbers of one map tile at all requested times, encoded as CTC1 (docs/design/ctc1.md)."""
