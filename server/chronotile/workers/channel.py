"""What a supervisor and a worker say to each other."""

READY = b"r"
"""By a worker, once it answers."""
ENDING = b"e"
"""By a worker, once it takes no more."""
CONNECTION = b"c"
"""By the supervisor, with a connection."""
