"""What a supervisor and a worker say to each other."""

READY = b"r"
"""By a worker, once it answers."""
CONNECTION = b"c"
"""By the supervisor, with a connection."""
TAKEN = b"t"
"""By a worker, of each connection in turn."""
