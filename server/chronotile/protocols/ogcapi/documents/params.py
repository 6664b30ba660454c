"""The query of `/ogcapi/collections` (OGC 20-024 simple query)."""

from dataclasses import dataclass

import numpy as np

from chronotile.catalog.items.cells import search_boxes
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Json
from chronotile.protocols.common.extent import box_of_offered
from chronotile.protocols.common.openapi import BOX
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, datetime, text, whole
from chronotile.protocols.ogcapi.crs import box_of
from chronotile.protocols.ogcapi.document_requests import check_names
from chronotile.protocols.ogcapi.paging import Paging, offset_parameter

MAX_LIMIT = 10_000
"""Which is also the default: clients expect all collections in one answer."""
BBOX = text(
    "bbox", "West, south, east, north in CRS84, or six numbers with heights: collections that reach into it", schema=BOX
)
DATETIME = datetime(
    "An instant or an interval, either end of which may be open (`..`): collections that have some time of it between "
    "their first and their last"
)
LIMIT = whole("limit", "The most collections that one answer has", least=1, most=MAX_LIMIT, default=MAX_LIMIT)
OFFSET = offset_parameter("How many collections come before the first one of the answer; links of `next` have it")
SELECTION: tuple[Parameter[object], ...] = (BBOX, DATETIME, LIMIT, OFFSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionsQuery:
    """Which collections are listed."""

    box: BBox | None
    """In CRS84; west is more than east across the antimeridian."""
    time: TimeSelection
    paging: Paging

    def takes(self, offered: OfferedCollection) -> bool:
        """Whether the extent of a collection shares something with the query; one without time always does."""
        return self._takes_box(box_of_offered(offered)) and self._takes_times(offered)

    def takes_extent(self, extent: Json) -> bool:
        """Whether an extent, as documents have it, shares something with the query."""
        boxes = extent.get("spatial", {}).get("bbox", [])
        intervals = extent.get("temporal", {}).get("interval", [])
        return (not boxes or self._takes_box(BBox(*boxes[0]))) and (
            not intervals or self._takes_interval(*intervals[0])
        )

    def _takes_interval(self, first: str, last: str) -> bool:
        start, end = (np.datetime64(text.removesuffix("Z"), "ns") for text in (first, last))
        return not self.time.parts or any(part.span.start <= end and part.span.end > start for part in self.time.parts)

    def _takes_box(self, box: BBox) -> bool:
        requested = self.box
        if requested is None:
            return True
        return any(one.intersects(other) for one in search_boxes(requested) for other in _halves(box))

    def _takes_times(self, offered: OfferedCollection) -> bool:
        times = offered.times
        if not self.time.parts or len(times) == 0:
            return True
        first, end = times.starts[0], times.ends[-1]
        return any(part.span.start < end and part.span.end > first for part in self.time.parts)


def collections_query(query: Kvp) -> CollectionsQuery:
    """Return the query of `/ogcapi/collections`.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    query.refuse(("bbox-crs",), instead="bbox in CRS84")
    check_names(query, *SELECTION)
    bbox, limit, written = BBOX.optional(query), LIMIT.value(query), query.select((BBOX.name, DATETIME.name))
    return CollectionsQuery(
        box=None if bbox is None else box_of(bbox, CRS84),
        time=DATETIME.value(query),
        paging=Paging(limit=limit, offset=OFFSET.value(query), written=written, usual_limit=MAX_LIMIT),
    )


def _halves(box: BBox) -> tuple[BBox, ...]:
    """The box, or its two parts on either side of the antimeridian."""
    if box.xmin <= box.xmax:
        return (box,)
    return (box._replace(xmax=180.0), box._replace(xmin=-180.0))
