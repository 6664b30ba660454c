"""`/ogcapi/…/map`: maps of a collection or of the dataset, in the default or in a named style."""

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_payload
from chronotile.http.request_services import services_of
from chronotile.protocols.common.coverage_files import grid_headers
from chronotile.protocols.common.map_responses import draw_maps
from chronotile.protocols.common.openapi import BINARY, TEXT
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.operation import Described
from chronotile.protocols.common.query.axes import query_of
from chronotile.protocols.common.query.parameter import format_of
from chronotile.protocols.ogcapi.maps.background import BACKGROUND
from chronotile.protocols.ogcapi.maps.drawing import (
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
    """Return a map, with its area and time in headers."""
    catalogue = services_of(request).catalogue
    query = query_of(request.query_params.multi_items())
    map_query = parse_map(request.path_params, query, request.headers.get("accept", ""), catalogue)
    drawing = map_query.drawing
    layers = [layer.id for layer in drawing.layers]
    maps, payload = await draw_maps(request, layers, lambda: drawing.requests(map_query.grid()))
    response = answer_payload(replace(payload, media_type=drawing.media_type))
    response.headers.update({**grid_headers(maps[0].grid), **time_headers(payload.time), "Vary": "Accept"})
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
"""Part of the operation's name per beginning of its path."""
AN_EXAMPLE: Json = {**TEXT, "example": CRS84.uri}
EXAMPLE_AREA = [replace(p, schema=AN_EXAMPLE) if p.name.endswith("crs") else p for p in (*PLACING, SUBSET, SUBSET_CRS)]
EXAMPLE_DRAWING: Json = {"collections": lambda of: [of.offered[0].id], "datetime": _newest}
"""Examples of the common parameters of maps and map tiles."""


def drawing(origin: str) -> list[Described]:
    """Return the common parameters of maps and map tiles, except the format."""
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
        parameters=[*shown_segments(origin), *EXAMPLE_AREA, *drawing(origin), PICTURE_FORMAT],
        examples={
            **EXAMPLE_DRAWING,
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
