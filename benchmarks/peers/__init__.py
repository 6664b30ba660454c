"""Servers that are measured: ours and the peers, each at stated settings, over the same files."""
