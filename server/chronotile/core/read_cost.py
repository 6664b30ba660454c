"""Estimates of the processor time for reading, before a pixel is read."""

from collections.abc import Iterable
from dataclasses import dataclass

BLOCK_S = 60e-6
"""Seconds to find and decode a block of a local store, on one core."""
VALUE_S = 2e-9
"""Seconds per number in a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCost:
    """Processor time to read a variable at some times, including its inputs."""

    opening_s: float = 0.0
    """Seconds to open all files of the times once."""
    block_s: float = BLOCK_S
    """Seconds per block and time."""
    value_s: float = VALUE_S
    """Seconds per number in a block."""

    def seconds(self, *, blocks: float, values: float) -> float:
        """Return the processor time of reading.

        Args:
            blocks: Number of decoded blocks.
            values: Number of values in these blocks.
        """
        return self.opening_s + blocks * self.block_s + values * self.value_s


def sum_of_read_costs(parts: Iterable[ReadCost], *, value_s: float) -> ReadCost:
    """Return the cost of a variable that is computed from others.

    Args:
        parts: Costs of the other variables, for the same blocks.
        value_s: Per computed number.
    """
    costs = list(parts)
    return ReadCost(
        opening_s=sum(cost.opening_s for cost in costs),
        block_s=sum(cost.block_s for cost in costs),
        value_s=value_s + sum(cost.value_s for cost in costs),
    )
