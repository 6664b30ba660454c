"""Measured servers: ours and the peers, with stated settings, over the same files."""
