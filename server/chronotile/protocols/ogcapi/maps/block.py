"""The building block of maps (OGC API - Maps - Part 1: Core, OGC 20-058)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.space.boxes import box_of_all
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.types import Json
from chronotile.protocols.common.links import link
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.maps.routes import operations

REL_MAP = "http://www.opengis.net/def/rel/ogc/1.0/map"


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return the link to the map of the dataset."""
    return [link(REL_MAP, f"{context.base}/map", MapFormat.PNG, "map of the dataset")]


def landing_members(context: DocumentContext) -> Mapping[str, Any]:
    """Return the extent of the dataset, and the CRSs of its map (OGC 20-058 §20.3)."""
    boxes = [collection.bbox for collection in context.catalogue.collections if collection.layers]
    systems = [crs.uri for crs in dict.fromkeys((CRS84, *context.catalogue.crs))]
    extent = {"spatial": {"bbox": [list(box_of_all(boxes))], "crs": CRS84.uri}} if boxes else None
    return {**({} if extent is None else {"extent": extent}), "crs": [uri for uri in systems if uri is not None]}


def collection_links(offered: OfferedCollection, context: DocumentContext) -> Sequence[Json]:
    """Return links to the map of a collection and to each of its styles; the default is last, as GDAL uses the last."""
    base = f"{context.base}/collections/{quote(offered.id)}"
    styled = [
        link(REL_MAP, f"{base}/styles/{quote(style.id)}/map", MapFormat.PNG, f"map, {style.title}")
        for style in (*offered.drawn_layer.styles[1:], *offered.drawn_layer.styles[:1])
    ]
    return [link(REL_MAP, f"{base}/map", MapFormat.PNG, "map"), *styled]


CLASSES = (
    *("core", "tilesets", "background", "collections-selection", "scaling", "display-resolution", "spatial-subsetting"),
    *("datetime", "crs", "collection-map", "dataset-map", "styled-map", "png", "jpeg", "tiff"),
    *("api-operations", "cors"),
)
SCHEMES = ("https", "http")
"""The standard's URIs start with the first, drafts and most clients use the second."""

block = BuildingBlock(
    operations=operations,
    conformance=tuple(
        f"{scheme}://www.opengis.net/spec/ogcapi-maps-1/1.0/conf/{name}" for scheme in SCHEMES for name in CLASSES
    ),
    landing_links=landing_links,
    landing_members=landing_members,
    collection_links=collection_links,
)
