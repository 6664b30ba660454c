"""`/tiles` and `/ramps`: tiles, TileJSON, legends, and the list of ramps."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.formats import TILE_FORMATS, VALUE_FORMATS, MapFormat
from chronotile.core.model.payload import Payload
from chronotile.core.model.request import LegendRequest, MapRequest
from chronotile.http.answers import answer_content, answer_payload
from chronotile.http.base_urls import base_url
from chronotile.http.byte_ranges import accept_ranges
from chronotile.http.cache_headers import CACHE_STABLE
from chronotile.http.document_answers import answer_document
from chronotile.http.if_none_match import client_etags
from chronotile.http.problems import tile_problem
from chronotile.http.replay import allow_replay
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import DOCUMENTS, PICTURES
from chronotile.pipeline.maps.expression import apply_expression
from chronotile.pipeline.maps.legend import LEGEND_TYPES, draw_legend
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.maps.style_range import resolve_map_style
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.legend import ramp_document
from chronotile.protocols.common.openapi import FILE, extension_in_path, ref
from chronotile.protocols.common.operation import TILE, Operation, routes_of, segment
from chronotile.protocols.common.query import picture
from chronotile.protocols.common.query.immutable_answers import REV, RevisionCheck
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import datetime, names_of
from chronotile.protocols.common.query.tile_address import tile_grid_of
from chronotile.protocols.common.tilejson import layer_tilejson

FORMATS: Mapping[str, MapFormat] = {f.extension: f for f in (*TILE_FORMATS, *VALUE_FORMATS)}
DATETIME = datetime("An instant, interval or list; default: the layer's default")
OF_TEMPLATE = (
    picture.STYLE,
    picture.RANGE,
    picture.RAMP,
    picture.REVERSED,
    picture.LOGARITHMIC,
    picture.REDUCER,
    picture.EXPRESSION,
    picture.DIFFERENCE,
    picture.ANOMALY,
    picture.REFERENCE,
)
"""Parameters of TileJSON that its tile URLs repeat, in the order of the URL."""
OF_TILEJSON = (DATETIME, *OF_TEMPLATE)
OF_TILE = (*OF_TILEJSON, REV)
"""Parameters of a tile. TileJSON and legends ignore some of them, as clients send one query to all endpoints."""


def tile_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue, *, scale: int = 1) -> MapRequest:
    """Return the map that `/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}` requests.

    Args:
        path: Path parameters.
        query: Query parameters.
        catalogue: Layers and tile matrix sets.
        scale: Pixels per pixel of the tile matrix along a side, for high-resolution screens.

    Raises:
        ChronotileError: A name is unknown, the tile is out of range, or a parameter is not accepted.
    """
    query.check_names(names_of(OF_TILE))
    layer = catalogue.layer(path["layer"])
    grid = tile_grid_of(path, catalogue)
    picture_format = picture.format_of_extension(path["extension"], FORMATS)
    if scale > 1:
        grid = replace(grid, width=grid.width * scale, height=grid.height * scale)
    request = picture.map_request(layer, grid, query, time=DATETIME.value(query))
    return replace(request, format=picture_format)


def style_request(path: Mapping[str, str], query: Kvp) -> LegendRequest:
    """Return the colours that a query requests for the layer of the path.

    Raises:
        InvalidParameter: A parameter is not accepted, or a name is misspelt.
    """
    query.check_names(names_of(OF_TILE))
    return picture.legend_request(path["layer"], query)


async def get_tile(request: Request, *, scale: int = 1) -> Response:
    """Return one tile as a picture, or as values, with `scale` times the pixels of a side."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    tile = tile_request(request.path_params, query, services.catalogue, scale=scale)
    revision = REV.optional(query)
    etags = client_etags(request)

    def draw() -> tuple[Payload, bool]:
        check = RevisionCheck(revision, tile.layer, services, expression=tile.expression)
        payload = overlay_maps([tile], services, client_etags=etags)
        return payload, check.is_immutable((payload.time, payload.states))

    payload, is_immutable = await run(request, PICTURES, draw, layers=[tile.layer])
    if tile.expression is None and is_immutable == (revision is not None):
        allow_replay(request, payload, layer=tile.layer)
    response = answer_payload(payload, is_immutable=is_immutable)
    return accept_ranges(response) if tile.format in VALUE_FORMATS else response


async def get_tilejson(request: Request) -> Response:
    """Return the TileJSON of a layer; its tile template contains the resolved instant and the revision."""
    body = await run(request, DOCUMENTS, partial(_tilejson, request, services_of(request)))
    return answer_content(body, "application/json", request)


async def get_legend(request: Request) -> Response:
    """Return a layer's legend as picture or document."""
    services = services_of(request)
    extension = picture.format_of_extension(request.path_params["extension"], {name: name for name in LEGEND_TYPES})
    style = style_request(request.path_params, Kvp(request.query_params.multi_items()))
    return answer_payload(
        await run(
            request, DOCUMENTS, partial(draw_legend, style, extension, services, client_etags=client_etags(request))
        )
    )


async def get_ramps(request: Request) -> Response:
    """Return the ramps that `ramp` takes, with their colours."""
    Kvp(request.query_params.multi_items()).check_names(())
    services = services_of(request)

    def make() -> bytes:
        return orjson.dumps({"ramps": [ramp_document(style) for style in services.catalogue.ramps]})

    return await answer_document(
        request, services, make, key="ramps", media_type="application/json", cache_control=CACHE_STABLE
    )


def _tilejson(request: Request, services: Services) -> bytes:
    query = Kvp(request.query_params.multi_items())
    layer = services.catalogue.layer(request.path_params["layer"])
    tile_matrix_set = services.catalogue.tile_matrix_set(request.path_params["tms"])
    template = {name: value for name in names_of(OF_TEMPLATE) if (value := query.optional(name))}
    drawn_layer, reading = apply_expression(layer, picture.EXPRESSION.optional(query), services)
    resolve_map_style(style_request(request.path_params, query), drawn_layer, reading)
    pinned = picture.pin_times(layer, query, DATETIME.value(query), services)
    if "datetime" not in pinned and len(drawn_layer.times):
        template["datetime"] = query.require(DATETIME.name)
    template |= pinned
    path = f"{base_url(request)}/tiles/{quote(drawn_layer.id)}/{quote(tile_matrix_set.id)}/{{z}}/{{x}}/{{y}}.png"
    language = services.catalogue.service.languages[0]
    tiles = f"{path}?{urlencode(template)}"
    return orjson.dumps(layer_tilejson(drawn_layer, tile_matrix_set, tiles=tiles, language=language))


LAYER = segment("layer", "Id or alias", example=lambda of: of.layer)
describe = partial(Operation, tag="Tiles", faults=tile_problem)
tile = partial(
    describe,
    parameters=[LAYER, *TILE, extension_in_path(FORMATS), *OF_TILE],
    answers={str(f): FILE for f in FORMATS.values()},
)
operations = (
    tile("/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}", get_tile, "getTile", "A tile as a picture, or as values"),
    tile(
        "/tiles/{layer}/{tms}/{z}/{x}/{y}@2x.{extension}",
        partial(get_tile, scale=2),
        "getLargeTile",
        "The same tile with twice the pixels of a side, for screens of high resolution",
    ),
    describe(
        "/tiles/{layer}/{tms}/tilejson.json",
        get_tilejson,
        "getTileJson",
        "TileJSON 3.0.0 of a layer",
        parameters=[LAYER, TILE[0], *OF_TILEJSON],
        answers={"application/json": ref("TileJson")},
    ),
    describe(
        "/tiles/{layer}/legend.{extension}",
        get_legend,
        "getLegend",
        "The legend of a layer",
        parameters=[LAYER, extension_in_path(LEGEND_TYPES), *picture.COLOURS, picture.REDUCER, picture.DATETIME],
        answers={**dict.fromkeys(LEGEND_TYPES.values(), FILE), LEGEND_TYPES["json"]: ref("Legend")},
    ),
    describe(
        "/ramps",
        get_ramps,
        "getRamps",
        "The ramps that `ramp` takes, with their colours",
        answers={"application/json": ref("Ramps")},
        refusals=("Unavailable",),
    ),
)
routes = routes_of(operations)
