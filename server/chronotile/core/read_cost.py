"""Estimated processor time of reading, before a pixel is read."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

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
    total = ReadCost(block_s=0.0, value_s=value_s)
    for each in parts:
        total = replace(
            total,
            opening_s=total.opening_s + each.opening_s,
            block_s=total.block_s + each.block_s,
            value_s=total.value_s + each.value_s,
        )
    return total
