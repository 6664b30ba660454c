"""Pages of GeoJSON features: what selects them, and their formats (OGC 17-069r4 §7.15, OGC 19-086r6 §8.2.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.encoders.instants import dump_json
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox
from chronotile.model.time.instants import TimeSelection
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.block import Json, Link
from chronotile.protocols.ogcapi.crs import box_of, check_degrees
from chronotile.protocols.ogcapi.edr.formats import GEOJSON, MEDIA_TYPES
from chronotile.protocols.ogcapi.edr.params import check_query, crs_of_query, requested_layers
from chronotile.protocols.ogcapi.edr.queries import (
    BBOX_OF_LISTS,
    DATETIME,
    LIMIT,
    MAX_LIMIT,
    MAX_OFFSET,
    OF_LISTS,
    OFFSET,
    SHARED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesQuery:
    """Which features are requested."""

    layers: tuple[Layer, ...]
    """Of `parameter-name`."""
    box: BBox | None
    """In CRS84, unwound: `xmin` is never more than `xmax`."""
    time: TimeSelection
    limit: int
    offset: int
    written: tuple[tuple[str, str], ...]
    """What selects, as it was written, for links to other pages."""


def features_query(offered: Offered, query: Kvp, catalogue: Catalogue) -> FeaturesQuery:
    """Return which features of a collection are requested; `crs` is looked at, but GeoJSON is in CRS84.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    query.refuse(("bbox-crs",), instead="bbox in CRS84")
    query.refuse((csv_options.DATE.name,), instead=DATETIME.name)
    check_query(query, OF_LISTS)
    layers = requested_layers(offered, query)
    crs_of_query(query, layers[0], catalogue)
    limit = LIMIT.of(query)
    names = names_of((BBOX_OF_LISTS, *SHARED))
    return FeaturesQuery(
        layers=layers,
        box=_box(BBOX_OF_LISTS.given(query)),
        time=DATETIME.of(query),
        limit=min(limit, MAX_LIMIT),
        offset=min(OFFSET.of(query), MAX_OFFSET),
        written=tuple((name, said) for name in names if (said := query.optional(name)) is not None),
    )


def features_document(
    features: Sequence[Json], *, selection: FeaturesQuery, matched: int, address: str, links: Sequence[Link] = ()
) -> bytes:
    """Return a page of features.

    Args:
        features: Those of the page.
        selection: The features requested.
        matched: How many there are on all pages.
        address: Public URL of the list.
        links: Beside those to the pages.
    """
    following = selection.offset + selection.limit
    pages = [_page("self", address, selection, offset=selection.offset)]
    if following < matched:
        pages.append(_page("next", address, selection, offset=following))
    document = {
        "type": "FeatureCollection",
        "numberMatched": matched,
        "numberReturned": len(features),
        "links": [link.document() for link in (*pages, *links)],
        "features": features,
    }
    return dump_json(document)


def _page(rel: str, address: str, selection: FeaturesQuery, *, offset: int) -> Link:
    paging = [("limit", str(selection.limit)), *([("offset", str(offset))] if offset else [])]
    href = f"{address}?{urlencode([*selection.written, *paging], safe='/:,')}"
    return Link(rel=rel, href=href, type=MEDIA_TYPES[GEOJSON], title=f"Features from {offset} on")


def _box(text: str | None) -> BBox | None:
    if text is None:
        return None
    box = box_of(text, CRS84)
    check_degrees(box, CRS84, locator="bbox")
    return box.unwound()
