"""Regular steps between the times of a layer: months, days, seconds or dekads."""

from dataclasses import dataclass

import numpy as np

from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY
from chronotile.core.model.types import Duration, InstantArray, Int64Array

DEKAD_STEP = "dekad"
DEKAD_DAYS = (1, 11, 21)
"""Days of the month on which dekads start."""
MIN_STEPPED = 3
"""Minimum number of times to compare steps."""
GAPS_BRIDGED = 1.5
MAX_NS = 2**63 - 1
"""Maximum duration."""

_UNITS = (
    (DAY, "P", "D"),
    (np.timedelta64(1, "h"), "PT", "H"),
    (np.timedelta64(1, "m"), "PT", "M"),
    (np.timedelta64(1, "s"), "PT", "S"),
)


@dataclass(frozen=True, slots=True)
class SteppedInstants:
    """Instants and the steps between them."""

    instants: InstantArray
    steps: Int64Array
    """(time - 1,): months if `is_monthly`, else nanoseconds."""
    is_monthly: bool

    @property
    def is_regular(self) -> bool:
        """Whether all steps, at least one, are equal."""
        return bool((self.steps == self.steps[0]).all())

    @property
    def fewest(self) -> int:
        """Lower bound of the values in the text of the times, which has one value per run of equal steps.

        A run of n times, at least 4, has n - 2 equal neighbouring steps.
        """
        return len(self.instants) - 3 * int(np.count_nonzero(self.steps[1:] == self.steps[:-1]))


def find_steps(instants: InstantArray) -> SteppedInstants:
    """Return instants, at least one, with their steps: in months if all are at the same time of their months."""
    places = nanoseconds_of_month(instants)
    if bool((places == places[0]).all()) and places[0] < 28 * int(DAY.astype(np.int64)):
        return SteppedInstants(instants, differences(instants.astype("datetime64[M]")), is_monthly=True)
    return SteppedInstants(instants, differences(instants), is_monthly=False)


def step_of(domain: TimeDomain) -> str | None:
    """Return the ISO 8601 period between times, or `dekad`; `None` if steps differ or for fewer than 3 times."""
    if len(domain) < MIN_STEPPED:
        return None
    stepped = find_steps(domain.instants)
    if stepped.is_regular:
        return period_text(int(stepped.steps[0]), is_monthly=stepped.is_monthly)
    return DEKAD_STEP if _are_dekads(domain.instants) else None


def gap_tolerance(domain: TimeDomain) -> Duration | None:
    """Return how long an irregular time may stand for requested times in the gap after it.

    `GAPS_BRIDGED` times the 95th percentile of the gaps, so longer gaps are not filled to their end. `None` if the
    steps are equal or consecutive dekads, and for fewer than 3 times.
    """
    instants = domain.instants
    if len(domain) < MIN_STEPPED or find_steps(instants).is_regular or _are_dekads(instants):
        return None
    tolerance = GAPS_BRIDGED * np.percentile(differences(instants), 95)
    return np.timedelta64(int(min(tolerance, MAX_NS)), "ns")


def nanoseconds_of_month(instants: InstantArray) -> Int64Array:
    """Return (time,) nanoseconds since the start of the month."""
    return instants.astype(np.int64) - instants.astype("datetime64[M]").astype("datetime64[ns]").astype(np.int64)


def differences(along: InstantArray | Int64Array) -> Int64Array:
    """Return (time - 1,) differences between neighbours."""
    numbers: Int64Array = along.astype(np.int64)
    return numbers[1:] - numbers[:-1]


def period_text(step: int, *, is_monthly: bool) -> str | None:
    """Return ISO 8601 text for a number of months or nanoseconds; `None` if it needs several units."""
    if is_monthly:
        return f"P{step}M"
    length = np.timedelta64(step, "ns")
    for unit, before, after in _UNITS:
        if length % unit == np.timedelta64(0, "ns"):
            return f"{before}{length // unit}{after}"
    return None


def _are_dekads(instants: InstantArray) -> bool:
    """Return whether the instants are the first midnights of consecutive dekads."""
    begins = np.array([(day - 1) * int(DAY.astype(np.int64)) for day in DEKAD_DAYS])
    places = nanoseconds_of_month(instants)
    thirds = np.searchsorted(begins, places)
    if not bool(np.isin(places, begins).all()):
        return False
    numbers = instants.astype("datetime64[M]").astype(np.int64) * 3 + thirds
    return bool((differences(numbers) == 1).all())
