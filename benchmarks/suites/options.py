"""How long a suite measures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long a suite measures."""

    rounds: int
    seconds: float
    """Of each contender in each case and round, over all connections; half of it over one."""
    open_loop_s: float
    """Of the run at a fixed rate."""
