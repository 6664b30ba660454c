"""`/layers`: the list of layers, single layers, their times and previews."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.resolve_times import matching_times
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.payload import Payload
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import Instant
from chronotile.http.answers import answer_content, answer_payload
from chronotile.http.base_urls import base_url
from chronotile.http.document_answers import answer_document
from chronotile.http.if_none_match import client_etags
from chronotile.http.problems import dated_problem
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import DOCUMENTS, PICTURES
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.most_valid_times import clear_selection
from chronotile.pipeline.revision import last_layer_revision, layer_revision, refresh_revisions
from chronotile.pipeline.services import Services
from chronotile.pipeline.valid_share import LayerArea
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.localised_text import negotiate_language
from chronotile.protocols.common.openapi import FILE, ref
from chronotile.protocols.common.operation import Operation, language, routes_of, segment
from chronotile.protocols.common.preview import DEFAULT_WIDTH, preview_grid
from chronotile.protocols.common.query.cursor import CURSOR
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, box, datetime, names_of, text, whole
from chronotile.protocols.site.layers import documents
from chronotile.protocols.site.layers.layer_definition import LAYER_DEFINITION_TYPE, layer_definition

DATETIME = datetime("An instant, interval or list: the times that overlap it; default: all")
BBOX = box("bbox", "West, south, east, north of the area in which shares are counted; default: the whole layer")
CRS = text("crs", "CRS of `bbox`; default: CRS84")
LIMIT = whole("limit", "Maximum number of times per page", least=1, most=1000, default=1000)
WIDTH = whole("width", "Pixels; a high picture is narrower", least=32, most=1024, default=DEFAULT_WIDTH)
PREVIEW_TIME = datetime("An instant, interval or list; otherwise the newest time with at least half of the pixels")
JSON = "application/json"
OF_PREVIEW = (PREVIEW_TIME, WIDTH)
OF_TIMES = (DATETIME, BBOX, CRS, LIMIT, CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesQuery:
    """A requested page of times."""

    time: TimeSelection
    limit: int
    cursor: Instant | None
    """First time of the page; `None` for the first page."""
    area: LayerArea | None
    """Area of the counted fractions of valid pixels; `None` for the whole layer."""


def times_query(query: Kvp, catalogue: Catalogue) -> TimesQuery:
    """Return the query of `/layers/{layer}/times`.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    query.check_names(names_of(OF_TIMES))
    crs_name = CRS.optional(query)
    crs = CRS84 if crs_name is None else catalogue.offered_crs(crs_name)
    bbox = BBOX.optional(query)
    area = None if bbox is None else LayerArea(bbox, crs)
    return TimesQuery(time=DATETIME.value(query), limit=LIMIT.value(query), cursor=CURSOR.optional(query), area=area)


def preview_request(layer: Layer, query: Kvp, services: Services) -> MapRequest:
    """Return a map request of the whole layer; may read pixels to find its newest clear time, unless `datetime` is set.

    Raises:
        SourceUnavailable: The pixels cannot be read.
        InvalidParameter: A parameter is not accepted.
    """
    query.check_names(names_of(OF_PREVIEW))
    grid, time = preview_grid(layer, WIDTH.value(query)), PREVIEW_TIME.value(query)
    return MapRequest(layer=layer.id, grid=grid, time=clear_selection(layer, services) if time == ABSENT else time)


async def get_layers(request: Request) -> Response:
    """Return all layers; the document is made again if the revision of any layer changed."""
    context = _context(request)
    revisions = await run(request, DOCUMENTS, partial(_revisions, context.services))
    key = ("layers", context.base, context.language, revisions)

    def make() -> bytes:
        return orjson.dumps(documents.layer_list(context))

    response = await answer_document(request, context.services, make, key=key, media_type=JSON)
    response.headers.update({"Content-Language": context.language, "Vary": "Accept-Encoding, Accept-Language"})
    return response


async def get_layer(request: Request) -> Response:
    """Return one layer, under the requested alias if that is advertised, else under its id."""
    requested = request.path_params["layer"]
    layer = services_of(request).catalogue.layer(requested)
    name = requested if any(alias.name == requested and alias.advertise for alias in layer.aliases) else layer.id
    context = _context(request)
    body = await run(request, DOCUMENTS, partial(_layer_body, name, layer, context))
    response = answer_content(body, JSON, request)
    response.headers.update({"Content-Language": context.language, "Vary": "Accept-Language"})
    return response


async def get_layer_definition(request: Request) -> Response:
    """Return a layer definition file, which QGIS opens as a layer."""
    name = request.path_params["layer"]
    layer = services_of(request).catalogue.layer(name)
    body = await run(request, DOCUMENTS, partial(layer_definition, name, layer, _context(request)))
    response = answer_content(body, LAYER_DEFINITION_TYPE, request)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.qlr"'
    response.headers.update({"Content-Language": _context(request).language, "Vary": "Accept-Language"})
    return response


async def get_preview(request: Request) -> Response:
    """Return a small picture of the whole layer, at its newest clear time unless another is requested."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    layer, etags = services.catalogue.layer(request.path_params["layer"]), client_etags(request)

    def draw() -> Payload:
        return overlay_maps([preview_request(layer, query, services)], services, client_etags=etags)

    return answer_payload(await run(request, PICTURES, draw, layers=[layer.id]))


async def get_times(request: Request) -> Response:
    """Return a page of the times of a layer."""
    services = services_of(request)
    layer = services.catalogue.layer(request.path_params["layer"])
    selection = times_query(Kvp(request.query_params.multi_items()), services.catalogue)
    body, is_whole = await run(request, DOCUMENTS, partial(_times, request, layer, selection, now=services.clock()))
    response = answer_content(body, JSON, request)
    if not is_whole:
        response.headers["Cache-Control"] = "no-cache"  # the valid shares of other times are still being counted
    return response


def _times(request: Request, layer: Layer, selection: TimesQuery, *, now: Instant) -> tuple[bytes, bool]:
    """Return one page of times, and whether all of its shares are counted."""
    instants = layer.times.instants[list(matching_times(layer, selection.time, now=now).indexes)]
    page, next_url = documents.next_page(
        instants,
        cursor=selection.cursor,
        limit=selection.limit,
        path=f"{base_url(request)}/layers/{request.path_params['layer']}/times",
        query=request.query_params.multi_items(),
    )
    indexes = np.searchsorted(layer.times.instants, page).tolist()
    shares = state_of(request).valid_shares.shares(layer, indexes, services_of(request), area=selection.area)
    document = documents.times_page(layer.times.at(indexes), shares, total=len(instants), next_url=next_url)
    return orjson.dumps(document), shares.pending == 0


def _revisions(services: Services) -> tuple[str, ...]:
    refresh_revisions(services)
    return tuple(last_layer_revision(layer, services) for layer in services.catalogue.answering_layers)


def _layer_body(name: str, layer: Layer, context: CapabilitiesContext) -> bytes:
    layer_revision(layer, context.services)
    return orjson.dumps(documents.layer_whole(name, layer, context))


def _context(request: Request) -> CapabilitiesContext:
    query = Kvp(request.query_params.multi_items())
    query.check_names((LANG.name,))
    language = negotiate_language(request, query)
    return CapabilitiesContext(services=services_of(request), base=base_url(request), language=language)


LAYER = segment("layer", "Id or alias", example=lambda of: of.layer)
describe = partial(Operation, tag="Layers", faults=dated_problem)
document = partial(describe, parameters=[LAYER, language])
operations = (
    describe(
        "/layers",
        get_layers,
        "getLayers",
        "All layers",
        parameters=[language],
        answers={JSON: ref("Layers")},
        refusals=("BadRequest", "Unavailable"),
    ),
    document("/layers/{layer}", get_layer, "getLayer", "Description of a layer", answers={JSON: ref("WholeLayer")}),
    document(
        "/layers/{layer}.qlr",
        get_layer_definition,
        "getLayerDefinition",
        "A layer definition for QGIS, with its times",
        answers={LAYER_DEFINITION_TYPE: FILE},
    ),
    describe(
        "/layers/{layer}/preview.png",
        get_preview,
        "getPreview",
        "A small picture of the whole layer in its native CRS",
        parameters=[LAYER, *OF_PREVIEW],
        answers={str(MapFormat.PNG): FILE},
    ),
    describe(
        "/layers/{layer}/times",
        get_times,
        "getTimes",
        "The times of a layer, in pages",
        parameters=[LAYER, *OF_TIMES],
        examples={"datetime": lambda of: of.times},
        answers={JSON: ref("Times")},
    ),
)
routes = routes_of(operations)
