"""`/ogcapi/…/map`: maps of a collection or of the dataset, in the default or in a named style."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.crs import CRS84
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.grid import box_of_all
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_payload
from chronotile.http.request_services import services_of
from chronotile.protocols.common.coverage_files import grid_headers
from chronotile.protocols.common.links import link
from chronotile.protocols.common.map_responses import draw_maps
from chronotile.protocols.common.openapi import BINARY, TEXT, Examples
from chronotile.protocols.common.operation import Described
from chronotile.protocols.common.query.axes import query_of
from chronotile.protocols.common.query.parameter import format_of
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.maps.drawing import (
    BACKGROUND,
    COLLECTIONS,
    COLOURING,
    DATETIME,
    MEDIA_TYPES,
    SUBSET,
    SUBSET_CRS,
    picture_fault,
    time_headers,
)
from chronotile.protocols.ogcapi.maps.params import PLACING, parse_map
from chronotile.protocols.ogcapi.operation_parts import describe, has_collections, shown_segments


async def get_map(request: Request) -> Response:
    """Return a map; its headers have its place and time."""
    catalogue = services_of(request).catalogue
    query = query_of(request.query_params.multi_items())
    map_query = parse_map(request.path_params, query, request.headers.get("accept", ""), catalogue)
    drawing = map_query.drawing
    layers = [layer.id for layer in drawing.layers]
    maps, found = await draw_maps(request, layers, lambda: drawing.requests(map_query.grid()))
    response = answer_payload(replace(found, media_type=drawing.media_type))
    response.headers.update({**grid_headers(maps[0].grid), **time_headers(found.time), "Vary": "Accept"})
    return response


def _newest(examples: Examples) -> str | None:
    instants = examples.offered[0].drawn_layer.times.instants
    return format_instant(instants[-1]) if len(instants) else None


OF_PICTURES: Mapping[str, Json] = dict.fromkeys(MEDIA_TYPES.values(), BINARY)
PICTURE_FORMAT = format_of(list(MEDIA_TYPES))
ORIGINS: Mapping[str, str] = {
    "": "dataset",
    "/styles/{styleId}": "dataset.style",
    "/collections/{collectionId}": "collection",
    "/collections/{collectionId}/styles/{styleId}": "collection.style",
}
"""What operations are called after, by the beginning of their paths."""
AN_EXAMPLE: Json = {**TEXT, "example": CRS84.uri}
PLACED = [
    replace(each, schema=AN_EXAMPLE) if each.name.endswith("crs") else each for each in (*PLACING, SUBSET, SUBSET_CRS)
]
DRAWN: Json = {"collections": lambda of: [of.offered[0].id], "datetime": _newest}
"""Examples of the parameters that maps and map tiles have alike."""


def drawing(origin: str) -> list[Described]:
    """Return the parameters that maps and map tiles have alike, but that of the format."""
    listed = [] if "collectionId" in origin else [COLLECTIONS]
    return [*listed, DATETIME, *BACKGROUND, *COLOURING]


operations = tuple(
    describe(
        f"{origin}/map",
        get_map,
        f"maps.{name}.getMap",
        "A map",
        tag="Maps",
        faults=picture_fault,
        parameters=[*shown_segments(origin), *PLACED, *drawing(origin), PICTURE_FORMAT],
        examples={
            **DRAWN,
            "bbox": lambda of: [round(edge, 6) for edge in of.offered[0].collection.bbox],
            "crs": CRS84.uri,
            "width": 256,
            "height": 256,
        },
        answers=OF_PICTURES,
        is_offered=has_collections,
    )
    for origin, name in ORIGINS.items()
)


# What maps bring to the tree (OGC API - Maps - Part 1: Core, OGC 20-058).

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


def collection_links(offered: OfferedCollection, context: DocumentContext) -> Sequence[Json]:
    """Return the map of a collection, and in each of its styles, the default last: GDAL takes the last."""
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
