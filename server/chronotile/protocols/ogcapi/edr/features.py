"""Lists of GeoJSON features: their parameters and pages (OGC 17-069r4 §7.15, OGC 19-086r6 §8.2.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.catalog.resolve_times import matching_times
from chronotile.core.model.collection import Clock, Layer
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import InstantArray, Json
from chronotile.pipeline.encoders.document_parts import dump_json
from chronotile.protocols.common.links import link
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.crs import box_in_degrees
from chronotile.protocols.ogcapi.edr import formats, queries
from chronotile.protocols.ogcapi.edr.params import check_query, crs_of_query, requested_layers
from chronotile.protocols.ogcapi.paging import Paging


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSelection:
    """Parameters of a list of features."""

    layers: tuple[Layer, ...]
    """Layers of `parameter-name`."""
    box: BBox | None
    """In CRS84, unwound: `xmin` is never more than `xmax`."""
    time: TimeSelection
    paging: Paging


def select_features(offered: OfferedCollection, query: Kvp, catalogue: Catalogue) -> FeatureSelection:
    """Return the parameters of a list of features; `crs` is validated, but GeoJSON is in CRS84.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    query.refuse(("bbox-crs",), instead="bbox in CRS84")
    query.refuse((csv_options.DATE.name,), instead=queries.DATETIME.name)
    check_query(query, queries.LIST_PARAMETERS)
    layers = requested_layers(offered, query)
    crs_of_query(query, layers[0], catalogue)
    box = box_in_degrees(query, queries.BBOX_OF_LISTS)
    return FeatureSelection(
        layers=layers,
        box=None if box is None else box.unwound(),
        time=queries.DATETIME.value(query),
        paging=Paging(
            limit=queries.LIMIT.value(query),
            offset=queries.OFFSET.value(query),
            written=query.select(names_of((queries.BBOX_OF_LISTS, *queries.SHARED_PARAMETERS))),
        ),
    )


def features_document(
    features: Sequence[Json], *, selection: FeatureSelection, matched: int, address: str, links: Sequence[Json] = ()
) -> bytes:
    """Return a page of features.

    `matched` counts the features of all pages, `address` is the URL of the list, and `links` follow those to pages.
    """
    paging = selection.paging
    offsets = {"self": paging.offset, "next": paging.following(matched)}
    pages = [_page(rel, address, paging, offset) for rel, offset in offsets.items() if offset is not None]
    document = {
        "type": "FeatureCollection",
        "numberMatched": matched,
        "numberReturned": len(features),
        "links": [*pages, *links],
        "features": features,
    }
    return dump_json(document)


def _page(rel: str, address: str, paging: Paging, offset: int) -> Json:
    return link(
        rel, f"{address}?{paging.query(offset)}", formats.MEDIA_TYPES[formats.GEOJSON], f"Features from {offset} on"
    )


NO_INSTANTS = np.array([], dtype="datetime64[ns]")


def matching_instants(layers: Sequence[Layer], time: TimeSelection, clock: Clock) -> InstantArray:
    """Return the instants of all layers that overlap with a selection (time,), ascending.

    Raises:
        MissingTime: The default time is requested, and a layer has no times.
    """
    instants = [layer.times.instants[list(matching_times(layer, time, now=clock()).indexes)] for layer in layers]
    return reduce(np.union1d, instants, NO_INSTANTS)
