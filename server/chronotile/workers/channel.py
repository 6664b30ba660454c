"""What a supervisor and a worker say to each other."""

READY = b"r"
"""By a worker, once it answers."""
ENDING = b"e"
"""By a worker, once it takes no more."""
CONNECTION = b"c"
"""By the supervisor, with a connection."""
BEAT = b"b"
"""By a worker, every `BEAT_S` while its event loop runs."""

BEAT_S = 1.0
