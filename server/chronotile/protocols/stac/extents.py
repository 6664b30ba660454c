"""How far a collection reaches: as its items tell, or as the catalogue of others says in which they are."""

import numpy as np

from chronotile.catalog.offered import Offered
from chronotile.model.grid import BBox
from chronotile.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan, last_of
from chronotile.model.time.instants import format_instant as written
from chronotile.protocols.common.extent import box_of_offered, round_box


def box_of(offered: Offered) -> BBox:
    """Return west, south, east, north in CRS84; west is more than east across the antimeridian."""
    stated = offered.collection.stated
    return box_of_offered(offered) if stated is None else round_box(stated.bbox)


def interval_of(offered: Offered) -> list[str | None]:
    """Return the first and the last instant; `None` where it is open, or there are no times."""
    stated = offered.collection.stated
    if stated is not None:
        return [None if each is None else written(each) for each in (stated.first, stated.last)]
    times = offered.times
    if len(times) == 0:
        return [None, None]
    return [written(times.starts[0]), written(last_of(times.starts[-1], times.ends[-1]))]


def is_within(offered: Offered, span: TimeSpan) -> bool:
    """Return whether a collection may have something of a span; one without times has."""
    stated = offered.collection.stated
    if stated is not None:
        first, last = stated.first or DISTANT_PAST, stated.last or DISTANT_FUTURE
        return bool(first < span.end and last >= span.start)
    times = offered.times
    return len(times) == 0 or bool(times.starts[0] < span.end and np.max(times.ends) > span.start)
