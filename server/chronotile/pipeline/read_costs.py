"""What reading takes, to choose between ways to read."""

CHUNK_S = 60e-6
"""To find and decode a chunk of a local store, in seconds on one core."""

VALUE_S = 2e-9
"""For each number in it."""
