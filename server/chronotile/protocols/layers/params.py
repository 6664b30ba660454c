"""The query of a list of times."""

from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter
from chronotile.model.crs import CRS84
from chronotile.model.time.instants import Instant, TimeSelection
from chronotile.pipeline.valid_share import LayerArea
from chronotile.protocols.common.query.cursor import cursor_of
from chronotile.protocols.common.query.kvp import Kvp, bbox, datetime_of, integer

PARAMETERS = ("lang",)
"""Of documents for people; the list of times has others."""
PARAMETERS_OF_TIMES = ("datetime", "bbox", "crs", "limit", "cursor")
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesQuery:
    """Which times are asked for, and which page of them."""

    time: TimeSelection
    limit: int
    cursor: Instant | None
    """Where the page starts; `None` at the first time."""
    area: LayerArea | None
    """In which shares of valid pixels are counted; `None` in all of the layer."""


def times_query(query: Kvp, catalogue: Catalogue) -> TimesQuery:
    """Return what `/layers/{layer}/times` is asked.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    query.check_spelling(PARAMETERS_OF_TIMES)
    box, crs_name = query.optional("bbox"), query.optional("crs")
    crs = CRS84 if crs_name is None else catalogue.offered_crs(crs_name)
    area = None if box is None else LayerArea(bbox(box, locator="bbox"), crs)
    return TimesQuery(time=datetime_of(query), limit=_limit(query), cursor=cursor_of(query), area=area)


def _limit(query: Kvp) -> int:
    limit = integer(query.optional("limit") or str(MAX_LIMIT), locator="limit", least=1)
    if limit > MAX_LIMIT:
        raise InvalidParameter(f"limit must be at most {MAX_LIMIT}, got {limit}", locator="limit")
    return limit
