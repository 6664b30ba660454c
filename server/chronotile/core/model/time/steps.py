"""Regular steps between the times of a layer: months, days, seconds or dekads."""

from dataclasses import dataclass

import numpy as np

from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY
from chronotile.core.model.types import Duration, InstantArray, Int64Array

DEKAD_STEP = "dekad"
DEKAD_DAYS = (1, 11, 21)
"""Of the month, on which dekads begin."""
LEAST_STEPPED = 3
"""Times between which there are two steps, which are alike or not."""
GAPS_BRIDGED = 1.5
LONGEST_NS = 2**63 - 1
"""That a duration can be."""

_UNITS = (
    (DAY, "P", "D"),
    (np.timedelta64(1, "h"), "PT", "H"),
    (np.timedelta64(1, "m"), "PT", "M"),
    (np.timedelta64(1, "s"), "PT", "S"),
)


@dataclass(frozen=True, slots=True)
class SteppedInstants:
    """Instants with the steps between them."""

    instants: InstantArray
    steps: Int64Array
    """(time - 1,): months, or nanoseconds."""
    is_monthly: bool

    @property
    def is_regular(self) -> bool:
        """Whether all steps, of which there is one at least, are alike."""
        return bool((self.steps == self.steps[0]).all())

    @property
    def fewest(self) -> int:
        """Values that they take at least: a run of n times has n - 2 equal steps in a row, and 4 times or more."""
        return len(self.instants) - 3 * int(np.count_nonzero(self.steps[1:] == self.steps[:-1]))


def find_steps(instants: InstantArray) -> SteppedInstants:
    """Return instants, at least one, with steps in months where every one stands at one place in its month."""
    places = nanoseconds_of_month(instants)
    if bool((places == places[0]).all()) and places[0] < 28 * int(DAY.astype(np.int64)):
        return SteppedInstants(instants, differences(instants.astype("datetime64[M]")), is_monthly=True)
    return SteppedInstants(instants, differences(instants), is_monthly=False)


def step_of(domain: TimeDomain) -> str | None:
    """Return the ISO 8601 period from each time to the next, or `dekad`; `None` where they differ, or under 3 times."""
    if len(domain) < LEAST_STEPPED:
        return None
    found = find_steps(domain.instants)
    if found.is_regular:
        return period_text(int(found.steps[0]), is_monthly=found.is_monthly)
    return DEKAD_STEP if _are_dekads(domain.instants) else None


def gap_tolerance(domain: TimeDomain) -> Duration | None:
    """Return how long after a time one may take it for the time between it and the next, where times are irregular.

    That is `GAPS_BRIDGED` times the 95th percentile of the gaps: one that is longer is not filled to its end.
    `None` where times follow one another in one step, and under 3 times.
    """
    instants = domain.instants
    if len(domain) < LEAST_STEPPED or find_steps(instants).is_regular or _are_dekads(instants):
        return None
    tolerance = GAPS_BRIDGED * np.percentile(differences(instants), 95)
    return np.timedelta64(int(min(tolerance, LONGEST_NS)), "ns")


def nanoseconds_of_month(instants: InstantArray) -> Int64Array:
    """(time,): nanoseconds since the month began."""
    return instants.astype(np.int64) - instants.astype("datetime64[M]").astype("datetime64[ns]").astype(np.int64)


def differences(along: InstantArray | Int64Array) -> Int64Array:
    """(time - 1,): from each to the next."""
    numbers: Int64Array = along.astype(np.int64)
    return numbers[1:] - numbers[:-1]


def period_text(step: int, *, is_monthly: bool) -> str | None:
    """Return ISO 8601 for a number of months or nanoseconds, `None` where it has no short word for it."""
    if is_monthly:
        return f"P{step}M"
    length = np.timedelta64(step, "ns")
    for unit, before, after in _UNITS:
        if length % unit == np.timedelta64(0, "ns"):
            return f"{before}{length // unit}{after}"
    return None


def _are_dekads(instants: InstantArray) -> bool:
    """Whether each is the first midnight of a dekad, and none is missing between."""
    begins = np.array([(day - 1) * int(DAY.astype(np.int64)) for day in DEKAD_DAYS])
    places = nanoseconds_of_month(instants)
    thirds = np.searchsorted(begins, places)
    if not bool(np.isin(places, begins).all()):
        return False
    numbers = instants.astype("datetime64[M]").astype(np.int64) * 3 + thirds
    return bool((differences(numbers) == 1).all())
