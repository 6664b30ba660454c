"""The endpoints of WMS: one path, the operation is a parameter."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import offered_collection
from chronotile.core.errors import (
    MAX_SHOWN,
    InvalidParameter,
    InvalidPoint,
    LayerNotQueryable,
    UnknownLayer,
    translate_error,
)
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.request import IdentifyRequest, MapRequest, Point
from chronotile.core.web.places import AllowedPlaces, web_places
from chronotile.core.xml_names import xml_name
from chronotile.http.answers import answer_content, answer_payload
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import CACHE_STABLE
from chronotile.http.document_answers import answer_document
from chronotile.http.endpoint import endpoint
from chronotile.http.etags import client_etags
from chronotile.http.request_bodies import read_pairs
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import DOCUMENTS, PICTURES, SERIES
from chronotile.pipeline.identify import InfoFormat, deliver_identified
from chronotile.protocols.common.capabilities import layer_entries as entries
from chronotile.protocols.common.capabilities.feature_info import (
    INFO_FORMATS,
    info_format,
    parse_pixel_index,
    pixel_point,
)
from chronotile.protocols.common.capabilities.update_sequence import check_update_sequence, update_sequence
from chronotile.protocols.common.map_responses import draw_maps
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp, last_of_each
from chronotile.protocols.common.query.parameter import name_list, text, whole
from chronotile.protocols.common.sld import MEDIA_TYPE as SLD_TYPE
from chronotile.protocols.common.sld import SldVersion, sld_document
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.maps.wms import params
from chronotile.protocols.maps.wms.colouring import with_document
from chronotile.protocols.maps.wms.documents import MEDIA_TYPES, capabilities
from chronotile.protocols.maps.wms.faults import axes_warning, fault, or_in_picture, time_warnings
from chronotile.protocols.maps.wms.legend import answer_legend, legend_query

Parsed = TypeVar("Parsed")

OF_GET_MAP = ("SERVICE", "REQUEST", *(each.name for each in params.OF_MAP))
WITH_OWN_STYLES: tuple[params.Operation, ...] = ("GetMap", "GetFeatureInfo", "GetLegendGraphic")
"""Operations that take SLD and SLD_BODY."""


async def answer(request: Request, *, path: str, places: AllowedPlaces) -> Response:
    """Return what REQUEST requests."""
    request.state.pairs = await read_pairs(request)
    query = last_of_each(request.state.pairs)
    requested = params.operation(query)
    if requested in WITH_OWN_STYLES:
        query = await with_document(request, query, places)
    match requested:
        case "GetMap":
            return await or_in_picture(get_map, request, query)
        case "GetFeatureInfo":
            return await get_feature_info(request, query)
        case "GetLegendGraphic":
            return await get_legend_graphic(request, query)
        case "GetStyles":
            return await _document(request, query, get_styles, media_type=SLD_TYPE)
        case "DescribeLayer":
            write = partial(describe_layer, base=base_url(request))
            return await _document(request, query, write, media_type="text/xml")
        case "GetCapabilities":
            return await get_capabilities(request, query, path=path)


async def get_capabilities(request: Request, query: Kvp, *, path: str) -> Response:
    """Return the capabilities in the version that suits the client; FORMAT has no say (WMS 1.3.0 §7.2.3.1)."""
    version = params.negotiated_version(query)
    services = services_of(request)
    check_update_sequence(query, update_sequence(services))
    context = entries.capabilities_context(request, query)
    key = ("WMS", version, path, context.base, context.language, context.layers, context.time_text)
    make = partial(capabilities, context, version, path=path)
    return await answer_document(request, services, make, key=key, media_type=MEDIA_TYPES[version])


async def get_map(request: Request, query: Kvp) -> Response:
    """Return a map, with a warning for each layer whose time the client did not name."""
    services = services_of(request)
    maps = await _parsed(request, query, params.wms_map)
    _maps, found = await draw_maps(request, [each.layer for each in maps.layers], lambda: maps.layers)
    response = answer_payload(replace(found, media_type=maps.media_type))
    axes = axes_warning(maps.layers, params.VERSION.value(query), services.catalogue)
    beside = [*query.slip_warnings(OF_GET_MAP), *([] if axes is None else [axes])]
    return _with_warnings(response, maps.layers, found.times, services.catalogue, beside=beside)


async def get_feature_info(request: Request, query: Kvp) -> Response:
    """Return what layers show at a pixel of a map, with the warnings of that map."""
    services = services_of(request)
    info = await _parsed(request, query, info_query)
    work = partial(deliver_identified, info.requests, info.format, services, client_etags=client_etags(request))
    found = await run(request, SERIES, work, layers=[each.layer for each in info.requests])
    return _with_warnings(answer_payload(found), info.requests, found.times, services.catalogue)


def _with_warnings(
    response: Response,
    requests: Sequence[MapRequest] | Sequence[IdentifyRequest],
    times: Sequence[TimeUsed],
    catalogue: Catalogue,
    *,
    beside: Iterable[str] = (),
) -> Response:
    for warning in (*time_warnings(requests, times, catalogue), *beside):
        response.headers.append("Warning", warning)
    return response


async def get_legend_graphic(request: Request, query: Kvp) -> Response:
    """Return a layer's legend as picture or document."""
    services = services_of(request)
    legend = await _parsed(request, query, legend_query)
    return answer_payload(
        await run(request, DOCUMENTS, partial(answer_legend, legend, services, client_etags=client_etags(request)))
    )


async def _parsed(request: Request, query: Kvp, parse: Callable[[Kvp, Catalogue], Parsed]) -> Parsed:
    """What a query requests; in a thread where reading it takes milliseconds."""
    catalogue = services_of(request).catalogue
    if params.is_quickly_read(query, catalogue):
        return parse(query, catalogue)
    return await run(request, PICTURES, partial(parse, query, catalogue))


async def _document(
    request: Request, query: Kvp, write: Callable[[Kvp, Catalogue], bytes], *, media_type: str
) -> Response:
    body = await run(request, DOCUMENTS, partial(write, query, services_of(request).catalogue))
    return answer_content(body, media_type, request, cache_control=CACHE_STABLE)


def routes(paths: Sequence[str], *, sld_prefixes: Sequence[str] = ()) -> list[Route]:
    """Return the routes of the service under each of its paths.

    Args:
        paths: Of the service.
        sld_prefixes: URLs below which documents may lie that SLD names; without any none is fetched.

    Raises:
        ConfigurationError: One of `sld_prefixes` is none.
    """
    places = web_places(sld_prefixes, setting="CHRONOTILE_SLD_PREFIXES")
    return [
        Route(path, endpoint(partial(answer, path=path, places=places), fault), methods=["GET", "POST"])
        for path in paths
    ]


# GetStyles and DescribeLayer: what the SLD profiles ask of layers (OGC 02-070 §6.7 and 6.8, OGC 05-078r4 §7).

DESCRIPTIONS = {
    "1.3.0": "maps/wms/templates/describe_layer_1_1_0.xml",
    "1.1.1": "maps/wms/templates/describe_layer_1_1_1.xml",
}


def get_styles(query: Kvp, catalogue: Catalogue) -> bytes:
    """Return the styles of LAYERS as SLD of SLDVER, else of the version that belongs to VERSION.

    Raises:
        ChronotileError: A layer or version is missing or not known.
    """
    version = _sld_version(query)
    return sld_document(list(_layers(query, catalogue)), version)


def describe_layer(query: Kvp, catalogue: Catalogue, *, base: str) -> bytes:
    """Return which coverages of `/wcs` LAYERS are; those with colours alone are none.

    Raises:
        ChronotileError: A layer or version is missing or not known.
    """
    template = DESCRIPTIONS[params.VERSION.value(query)]
    coverages = {
        name: None if layer.is_composite else xml_name(offered_collection(catalogue, name).id)
        for name, layer in _layers(query, catalogue)
    }
    return render_xml(template, coverages=coverages, url=f"{base}/wcs?")


def _layers(query: Kvp, catalogue: Catalogue) -> Iterator[tuple[str, Layer]]:
    # Layers by their names, each once; a group is its layers.
    names = dict.fromkeys(
        each for name in dict.fromkeys(params.LAYERS.value(query)) for each in params.names_of(name, "", catalogue)
    )
    return ((name, catalogue.layer(name)) for name in names)


def _sld_version(query: Kvp) -> SldVersion:
    match query.optional("SLDVER") or query.optional("SLD_VERSION"):
        case None:
            return "1.0.0" if params.VERSION.value(query) == "1.1.1" else "1.1.0"
        case "1.0.0":
            return "1.0.0"
        case "1.1.0":
            return "1.1.0"
        case other:
            raise InvalidParameter(f"SLDVER must be 1.0.0 or 1.1.0, got {other[:MAX_SHOWN]!r}", locator="SLDVER")


QUERY_LAYERS = name_list("QUERY_LAYERS", "Of the map's layers, those that are queried")
INFO_FORMAT = text("INFO_FORMAT", "The media type of the answer", schema=enum_of(list(INFO_FORMATS)))
FEATURE_COUNT = whole("FEATURE_COUNT", "The most features of a layer", least=1, default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoQuery:
    """What GetFeatureInfo requests."""

    requests: tuple[IdentifyRequest, ...]
    """One a query layer, in the order they are named."""
    format: InfoFormat


def info_query(query: Kvp, catalogue: Catalogue) -> InfoQuery:
    """Return what GetFeatureInfo requests; times, styles and places are read as those of the map.

    The map's FORMAT has no say. FEATURE_COUNT is the most features of a layer, of which there is never more than one.

    Raises:
        ChronotileError: A parameter of the map or of the question is missing or not accepted.
    """
    version = params.VERSION.value(query)
    maps = params.wms_map(query.replace("FORMAT", MapFormat.PNG), catalogue).layers
    point = _point(query, maps[0], version)
    media_type = INFO_FORMAT.optional(query) if version == "1.1.1" else INFO_FORMAT.value(query)
    FEATURE_COUNT.value(query)
    shown = {catalogue.layer(each.layer).id: each for each in maps}
    return InfoQuery(
        requests=tuple(
            IdentifyRequest.from_map_request(shown[layer.id], point, layer=name)
            for name, layer in _query_layers(query, catalogue, shown)
        ),
        format=info_format(media_type or "text/plain", locator=INFO_FORMAT.name),
    )


def _query_layers(query: Kvp, catalogue: Catalogue, shown: Collection[str]) -> Iterator[tuple[str, Layer]]:
    requested = QUERY_LAYERS.value(query)
    params.check_count(requested, "QUERY_LAYERS")
    for name in [member for named in requested for member in _queryable(named, catalogue)]:
        layer = catalogue.layer(name)
        if layer.id not in shown:
            raise UnknownLayer(
                f"QUERY_LAYERS names {name[:MAX_SHOWN]!r}, which is not one of LAYERS", locator="QUERY_LAYERS"
            )
        if not layer.queryable:
            raise LayerNotQueryable(f"layer {layer.id} cannot be queried", locator="QUERY_LAYERS")
        yield name, layer


def _queryable(name: str, catalogue: Catalogue) -> list[str]:
    """The name, or those of the layers of a group that can be queried.

    Raises:
        LayerNotQueryable: None of them can.
    """
    members = params.layers_in(name, catalogue)
    if members and not any(layer.queryable for layer in members):
        raise LayerNotQueryable(f"no layer of {name} can be queried", locator="QUERY_LAYERS")
    return [layer.id for layer in members if layer.queryable] or [name]


def _point(query: Kvp, shown: MapRequest, version: params.Version) -> Point:
    names = ("I", "J") if version == "1.3.0" else ("X", "Y")
    column, row = (
        _pixel(query.require(name), size, locator=name)
        for name, size in zip(names, (shown.grid.width, shown.grid.height), strict=True)
    )
    return pixel_point(shown.grid, column, row)


def _pixel(text: str, size: int, *, locator: str) -> int:
    # As `parse_pixel_index`, with the fault that WMS has for it.
    with translate_error(InvalidParameter, InvalidPoint, locator=locator):
        return parse_pixel_index(text, size, locator=locator)
