"""The endpoint of WMS: one path; a parameter selects the operation."""

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
from chronotile.http.if_none_match import client_etags
from chronotile.http.request_bodies import read_pairs
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import DOCUMENTS, PICTURES, SERIES
from chronotile.pipeline.identify import InfoFormat, deliver_identified
from chronotile.protocols.common.capabilities import layer_entries as entries
from chronotile.protocols.common.capabilities.update_sequence import check_update_sequence, update_sequence
from chronotile.protocols.common.feature_info import (
    INFO_FORMATS,
    info_format,
    parse_pixel_index,
    pixel_point,
)
from chronotile.protocols.common.map_responses import draw_maps
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp, last_of_each
from chronotile.protocols.common.query.parameter import name_list, text, whole
from chronotile.protocols.common.sld import MEDIA_TYPE as SLD_TYPE
from chronotile.protocols.common.sld import SldVersion, sld_document
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.maps.wms import params
from chronotile.protocols.maps.wms.colouring import fetch_document
from chronotile.protocols.maps.wms.documents import MEDIA_TYPES, capabilities
from chronotile.protocols.maps.wms.faults import answer_or_draw_error, axes_warning, fault, time_warnings
from chronotile.protocols.maps.wms.legend import answer_legend, legend_query

Parsed = TypeVar("Parsed")

OF_GET_MAP = ("SERVICE", "REQUEST", *(parameter.name for parameter in params.OF_MAP))
WITH_OWN_STYLES: tuple[params.WmsOperation, ...] = ("GetMap", "GetFeatureInfo", "GetLegendGraphic")
"""Operations that accept SLD and SLD_BODY."""


async def answer(request: Request, *, path: str, places: AllowedPlaces) -> Response:
    """Answer the operation that REQUEST names."""
    request.state.pairs = await read_pairs(request)
    query = last_of_each(request.state.pairs)
    requested = params.operation(query)
    if requested in WITH_OWN_STYLES:
        query = await fetch_document(request, query, places)
    match requested:
        case "GetMap":
            return await answer_or_draw_error(get_map, request, query)
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
    """Return the capabilities in the negotiated version; FORMAT is ignored (WMS 1.3.0 §7.2.3.1)."""
    version = params.negotiated_version(query)
    services = services_of(request)
    check_update_sequence(query, update_sequence(services))
    context = entries.capabilities_context(request, query)
    key = ("WMS", version, path, context.base, context.language, context.layers, context.time_text)
    make = partial(capabilities, context, version, path=path)
    return await answer_document(request, services, make, key=key, media_type=MEDIA_TYPES[version])


async def get_map(request: Request, query: Kvp) -> Response:
    """Return a map, with a warning for each layer that is not drawn at exactly the requested time."""
    services = services_of(request)
    maps = await _parse(request, query, params.wms_map)
    _maps, payload = await draw_maps(request, [layer.layer for layer in maps.layers], lambda: maps.layers)
    response = answer_payload(replace(payload, media_type=maps.media_type))
    axes = axes_warning(maps.layers, params.VERSION.value(query), services.catalogue)
    beside = [*query.slip_warnings(OF_GET_MAP), *([] if axes is None else [axes])]
    return _add_warnings(response, maps.layers, payload.times, services.catalogue, beside=beside)


async def get_feature_info(request: Request, query: Kvp) -> Response:
    """Return values of layers at a pixel of a map, with the warnings of that map."""
    services = services_of(request)
    info = await _parse(request, query, info_query)
    work = partial(deliver_identified, info.requests, info.format, services, client_etags=client_etags(request))
    payload = await run(request, SERIES, work, layers=[info_request.layer for info_request in info.requests])
    return _add_warnings(answer_payload(payload), info.requests, payload.times, services.catalogue)


def _add_warnings(
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
    legend = await _parse(request, query, legend_query)
    return answer_payload(
        await run(request, DOCUMENTS, partial(answer_legend, legend, services, client_etags=client_etags(request)))
    )


async def _parse(request: Request, query: Kvp, parse: Callable[[Kvp, Catalogue], Parsed]) -> Parsed:
    """Parse a query, in a thread if that takes milliseconds."""
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
    """Return the routes of the service under all its paths.

    Args:
        paths: Paths of the service.
        sld_prefixes: Prefixes of URLs that the parameter SLD may name; empty to fetch none.

    Raises:
        ConfigurationError: A prefix is not a URL.
    """
    places = web_places(sld_prefixes, setting="CHRONOTILE_SLD_PREFIXES")
    return [
        Route(path, endpoint(partial(answer, path=path, places=places), fault), methods=["GET", "POST"])
        for path in paths
    ]


# GetStyles and DescribeLayer of the SLD profiles (OGC 02-070 §6.7 and 6.8, OGC 05-078r4 §7).

DESCRIPTIONS = {
    "1.3.0": "maps/wms/templates/describe_layer_1_1_0.xml",
    "1.1.1": "maps/wms/templates/describe_layer_1_1_1.xml",
}


def get_styles(query: Kvp, catalogue: Catalogue) -> bytes:
    """Return the styles of LAYERS as SLD, in the version of SLDVER, else in the SLD version that VERSION implies.

    Raises:
        ChronotileError: A layer or version is missing or unknown.
    """
    version = _sld_version(query)
    return sld_document(list(_layers(query, catalogue)), version)


def describe_layer(query: Kvp, catalogue: Catalogue, *, base: str) -> bytes:
    """Return the coverages of `/wcs` that LAYERS correspond to; composites have colours only, so no coverage.

    Raises:
        ChronotileError: A layer or version is missing or unknown.
    """
    template = DESCRIPTIONS[params.VERSION.value(query)]
    coverages = {
        name: None if layer.is_composite else xml_name(offered_collection(catalogue, name).id)
        for name, layer in _layers(query, catalogue)
    }
    return render_xml(template, coverages=coverages, url=f"{base}/wcs?")


def _layers(query: Kvp, catalogue: Catalogue) -> Iterator[tuple[str, Layer]]:
    # Layers by name, without repetitions; a group is replaced by its layers.
    names = dict.fromkeys(
        member for name in dict.fromkeys(params.LAYERS.value(query)) for member in params.names_of(name, "", catalogue)
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
    """A parsed GetFeatureInfo."""

    requests: tuple[IdentifyRequest, ...]
    """One per query layer, in the order of the names."""
    format: InfoFormat


def info_query(query: Kvp, catalogue: Catalogue) -> InfoQuery:
    """Parse GetFeatureInfo, including the parameters of its map.

    FORMAT of the map is ignored. FEATURE_COUNT limits the features per layer, which has at most one.

    Raises:
        ChronotileError: A parameter of the map or of GetFeatureInfo is missing or not accepted.
    """
    version = params.VERSION.value(query)
    maps = params.wms_map(query.replace("FORMAT", MapFormat.PNG), catalogue).layers
    point = _point(query, maps[0], version)
    media_type = INFO_FORMAT.optional(query) if version == "1.1.1" else INFO_FORMAT.value(query)
    FEATURE_COUNT.value(query)
    maps_by_layer = {catalogue.layer(map_request.layer).id: map_request for map_request in maps}
    return InfoQuery(
        requests=tuple(
            IdentifyRequest.from_map_request(maps_by_layer[layer.id], point, layer=name)
            for name, layer in _query_layers(query, catalogue, maps_by_layer)
        ),
        format=info_format(media_type or "text/plain", locator=INFO_FORMAT.name),
    )


def _query_layers(query: Kvp, catalogue: Catalogue, map_layers: Collection[str]) -> Iterator[tuple[str, Layer]]:
    requested = QUERY_LAYERS.value(query)
    params.check_count(requested, "QUERY_LAYERS")
    for name in [member for group_or_layer in requested for member in _queryable(group_or_layer, catalogue)]:
        layer = catalogue.layer(name)
        if layer.id not in map_layers:
            raise UnknownLayer(
                f"QUERY_LAYERS names {name[:MAX_SHOWN]!r}, which is not one of LAYERS", locator="QUERY_LAYERS"
            )
        if not layer.queryable:
            raise LayerNotQueryable(f"layer {layer.id} cannot be queried", locator="QUERY_LAYERS")
        yield name, layer


def _queryable(name: str, catalogue: Catalogue) -> list[str]:
    """Return the name, or the names of the queryable layers of a group.

    Raises:
        LayerNotQueryable: No layer of the group is queryable.
    """
    members = params.layers_in(name, catalogue)
    if members and not any(layer.queryable for layer in members):
        raise LayerNotQueryable(f"no layer of {name} can be queried", locator="QUERY_LAYERS")
    return [layer.id for layer in members if layer.queryable] or [name]


def _point(query: Kvp, map_request: MapRequest, version: params.WmsVersion) -> Point:
    names = ("I", "J") if version == "1.3.0" else ("X", "Y")
    column, row = (
        _pixel(query.require(name), size, locator=name)
        for name, size in zip(names, (map_request.grid.width, map_request.grid.height), strict=True)
    )
    return pixel_point(map_request.grid, column, row)


def _pixel(text: str, size: int, *, locator: str) -> int:
    # An index outside the map has a separate error code.
    with translate_error(InvalidParameter, InvalidPoint, locator=locator):
        return parse_pixel_index(text, size, locator=locator)
