"""How long a suite measures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long a suite measures."""

    rounds: int
    seconds: float
    """Seconds per contender, case and round over all connections; half of them over one connection."""
    open_loop_s: float
    """Seconds of the run at a fixed rate."""
