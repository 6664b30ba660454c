"""Estimated processor time of reading, before a pixel is read."""

from collections.abc import Iterable
from dataclasses import dataclass

BLOCK_S = 60e-6
"""To find and decode a block of a local store, on one core."""
VALUE_S = 2e-9
"""For each number in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCost:
    """What reading a variable at some times takes, with all that it is made of."""

    opening_s: float = 0.0
    """To open all files of these times, each once."""
    block_s: float = BLOCK_S
    """For each block of each time in it."""
    value_s: float = VALUE_S
    """For each number of a block."""

    def seconds(self, *, blocks: float, values: float) -> float:
        """Return the processor time of reading.

        Args:
            blocks: Those that are decoded.
            values: All numbers in them.
        """
        return self.opening_s + blocks * self.block_s + values * self.value_s


def sum_of_read_costs(parts: Iterable[ReadCost], *, value_s: float) -> ReadCost:
    """Return the cost of a variable that is computed from others.

    Args:
        parts: Costs of the others, for the same blocks.
        value_s: For each number that is computed.
    """
    costs = list(parts)
    return ReadCost(
        opening_s=sum(each.opening_s for each in costs),
        block_s=sum(each.block_s for each in costs),
        value_s=value_s + sum(each.value_s for each in costs),
    )
