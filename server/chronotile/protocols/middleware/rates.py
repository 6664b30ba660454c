"""How fast bodies and answers must move."""

WHOLE_S = 300
"""Large bodies and answers, which take memory until the end, must move at a rate at which they take no longer."""
MAX_REQUIRED_BYTES_PER_S = 60_000
"""No higher rate is required, however large they are: half of 1 Mbit/s (62,500 B with TCP headers) is enough."""


def required_rate(size: int, least: int) -> int:
    """Return the bytes per second at which a body or an answer of `size` bytes must move at least."""
    return max(least, min(size // WHOLE_S, MAX_REQUIRED_BYTES_PER_S))
