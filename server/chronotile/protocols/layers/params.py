"""The query of a list of times."""

from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.request import MapRequest
from chronotile.model.time.instants import ABSENT, Instant, TimeSelection
from chronotile.pipeline.clear_time import clear_selection
from chronotile.pipeline.services import Services
from chronotile.pipeline.valid_share import LayerArea
from chronotile.protocols.common.preview import DEFAULT_WIDTH, preview_grid
from chronotile.protocols.common.query.cursor import CURSOR
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import box, datetime, names_of, text, whole

DATETIME = datetime("An instant, interval or list: the times that overlap it; default: all")
BBOX = box("bbox", "West, south, east, north: where shares are counted; default: everywhere")
CRS = text("crs", "CRS of `bbox`; default: CRS84")
LIMIT = whole("limit", "Maximum number of times per page", least=1, most=1000, default=1000)
WIDTH = whole("width", "Pixels; a high picture is narrower", least=32, most=1024, default=DEFAULT_WIDTH)
PREVIEW_TIME = datetime("An instant, interval or list; otherwise the newest time with at least half of the pixels")
OF_PREVIEW = (PREVIEW_TIME, WIDTH)
OF_TIMES = (DATETIME, BBOX, CRS, LIMIT, CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesQuery:
    """Which times are requested, and which page of them."""

    time: TimeSelection
    limit: int
    cursor: Instant | None
    """Where the page starts; `None` at the first time."""
    area: LayerArea | None
    """In which shares of valid pixels are counted; `None` in all of the layer."""


def times_query(query: Kvp, catalogue: Catalogue) -> TimesQuery:
    """Return the query of `/layers/{layer}/times`.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    query.check_names(names_of(OF_TIMES))
    crs_name = CRS.given(query)
    crs = CRS84 if crs_name is None else catalogue.offered_crs(crs_name)
    bbox = BBOX.given(query)
    area = None if bbox is None else LayerArea(bbox, crs)
    return TimesQuery(time=DATETIME.of(query), limit=LIMIT.of(query), cursor=CURSOR.given(query), area=area)


def preview_request(layer: Layer, query: Kvp, services: Services) -> MapRequest:
    """Return the map of all of a layer; reads a few of its pixels where its newest clear time is not known.

    Raises:
        SourceUnavailable: They cannot be read.
        InvalidParameter: A parameter is not accepted.
    """
    query.check_names(names_of(OF_PREVIEW))
    grid, time = preview_grid(layer, WIDTH.of(query)), PREVIEW_TIME.of(query)
    return MapRequest(layer=layer.id, grid=grid, time=clear_selection(layer, services) if time == ABSENT else time)
