"""OGC API - Maps - Part 1: Core (OGC 20-058)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from chronotile.catalog.offered import Offered
from chronotile.core.model.crs import CRS84
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.grid import box_of_all
from chronotile.core.model.style import Style
from chronotile.protocols.common.links import link
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext, Json
from chronotile.protocols.ogcapi.maps.routes import operations

REL_MAP = "http://www.opengis.net/def/rel/ogc/1.0/map"


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return the map of the dataset."""
    return [link(REL_MAP, f"{context.base}/map", MapFormat.PNG, "map of the dataset")]


def landing_members(context: DocumentContext) -> Mapping[str, Any]:
    """Return how far the dataset reaches, and the CRS that its map is offered in (OGC 20-058 §20.3)."""
    boxes = [collection.bbox for collection in context.catalogue.collections if collection.layers]
    systems = [each.uri for each in dict.fromkeys((CRS84, *context.catalogue.crs))]
    extent = {"spatial": {"bbox": [list(box_of_all(boxes))], "crs": CRS84.uri}} if boxes else None
    return {**({} if extent is None else {"extent": extent}), "crs": [uri for uri in systems if uri is not None]}


def collection_links(offered: Offered, context: DocumentContext) -> Sequence[Json]:
    """Return the map of a collection, and in each of its styles, the default last: GDAL takes the last."""
    return list(_maps(offered, context))


def styled_map(offered: Offered, style: Style, context: DocumentContext) -> Json:
    """Return the map of a collection in one of its styles."""
    path = f"{context.base}/collections/{quote(offered.id)}/styles/{quote(style.id)}/map"
    return link(REL_MAP, path, MapFormat.PNG, f"map, {style.title}")


def _maps(offered: Offered, context: DocumentContext) -> Iterator[Json]:
    yield link(REL_MAP, f"{context.base}/collections/{quote(offered.id)}/map", MapFormat.PNG, "map")
    for style in (*offered.drawn.styles[1:], *offered.drawn.styles[:1]):
        yield styled_map(offered, style, context)


CLASSES = (
    *("core", "tilesets", "background", "collections-selection", "scaling", "display-resolution", "spatial-subsetting"),
    *("datetime", "crs", "collection-map", "dataset-map", "styled-map", "png", "jpeg", "tiff"),
    *("api-operations", "cors"),
)
SCHEMES = ("https", "http")
"""The standard has the first in its URIs; its drafts, and most clients, have the second."""

block = BuildingBlock(
    operations=operations,
    conformance=tuple(
        f"{scheme}://www.opengis.net/spec/ogcapi-maps-1/1.0/conf/{name}" for scheme in SCHEMES for name in CLASSES
    ),
    landing_links=landing_links,
    landing_members=landing_members,
    collection_links=collection_links,
)
