"""The protocol and the class of a request, by its path: for reports of usage, and for quotas."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from starlette.datastructures import QueryParams
from starlette.types import Scope

from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.access import RequestClass
from chronotile.http.asgi_headers import header_value
from chronotile.http.negotiation import parse_quality_values

_ROWS: tuple[tuple[str, str, RequestClass], ...] = (
    (r"/tiles(/[^/]+){5}", "xyz", "pictures"),
    (r"/(tiles|ramps)", "xyz", "documents"),
    (r"/cubes/", "cubes", "pictures"),
    (r"/animations/", "animations", "pictures"),
    (r"/wmts/1\.0\.0(/[^/]+){6}", "wmts", "pictures"),
    (r"/zarr(/[^/]+)*/zarr\.json|/zarr/?[^/]*$", "zarr", "documents"),
    (r"/zarr/", "zarr", "downloads"),
    (r"/timeseries/v1\.[01]/ts/?$", "timeseries", "documents"),
    (r"/timeseries/", "timeseries", "series"),
    (r"/odata/v1/Products\([^/]*\)/(.*\$value|\{nodes)", "odata", "downloads"),
    (r"/odata/v1/Products(/|$)", "odata", "searches"),
    (r"/odata", "odata", "documents"),
    (r"/products/?$", "products", "searches"),
    (r"/products/[^/]+/nodes/?$", "products", "documents"),
    (r"/products/", "products", "downloads"),
    (r"/layers/[^/]+/preview\.png", "layers", "pictures"),
    (r"/layers", "layers", "documents"),
    (r"/stac/(collections/[^/]+/)?(search|aggregate|changes|items|feed\.atom)/?$", "stac", "searches"),
    (r"/stac", "stac", "documents"),
    (r"/opensearch/products", "opensearch", "searches"),
    (r"/opensearch", "opensearch", "documents"),
    (r"/places/[^/]+/tiles/", "places", "pictures"),
    (r"/places/([^/]+/values|shapes$)", "places", "series"),
    (r"/places", "places", "documents"),
    (r"/ogcapi/(.+/)?(map|(map/)?tiles(/[^/]+){4})$", "ogcapi", "pictures"),
    (r"/ogcapi/collections/[^/]+/(coverage|cube|area|radius)$", "ogcapi", "downloads"),
    (r"/ogcapi/collections/[^/]+/(position|locations/.+)$", "ogcapi", "series"),
    (r"/ogcapi/collections/[^/]+/items/?$", "ogcapi", "searches"),
    (r"/ogcapi/processes/[^/]+/(execution|estimate)/?$", "ogcapi", "jobs"),
    (r"/ogcapi/jobs/[^/]+/results", "ogcapi", "downloads"),
    (r"/ogcapi", "ogcapi", "documents"),
    (r"/cog/", "cog", "pictures"),
    (r"/viewer", "viewer", "documents"),
)
"""Beginnings of paths; the first that fits holds. Patterns of routes, with names in braces, fit as their paths do."""
_TABLE = tuple((re.compile(pattern, re.DOTALL), protocol, class_) for pattern, protocol, class_ in _ROWS)
_PRODUCTS = re.compile(r"/products/[^/]+(/[^/]+)?$|/odata/v1/Products\([^/]*\)/\$value")
_REQUESTS = re.compile(rb"(?:^|&)(?:request=([^&]*)|[^=&]*%)", re.IGNORECASE)
"""Each REQUEST of a query, without a value where the name of a parameter is encoded: it may be this one."""
_OF_OPERATION: dict[bytes, RequestClass] = {
    **dict.fromkeys((b"getcapabilities", b"getlegendgraphic", b"getstyles", b"describelayer"), "documents"),
    **dict.fromkeys((b"describedomains", b"getdomainvalues"), "documents"),
    **dict.fromkeys((b"describecoverage", b"describeprocess", b"getstatus", b"dismiss"), "documents"),
    b"getfeatureinfo": "series",
    b"getresult": "downloads",
}
_OTHER_OPERATIONS: Mapping[str, RequestClass] = {
    "wms": "pictures",
    "wmts": "pictures",
    "wcs": "downloads",
    "wps": "jobs",
}
"""By protocol, of all else, so that no way to write an operation escapes a quota."""
_ITEMS = re.compile(r"/ogcapi/collections/[^/]+/items(/|$)")
_WRITTEN_ITEMS = re.compile(r"/stac/collections/[^/]+/items(/|$)")
"""Written by publishers, who have no quota."""
_PAGE_FORMATS = {"json", "geojson", "html"}
_PAGE_TYPES = {"application/geo+json", "application/json", "text/html"}
"""Formats and media types of features in pages; all others are whole files."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What kind of request it is; one object for each, as it is part of keys."""

    protocol: str
    class_: RequestClass
    is_product: bool = False
    """Whether its answer is a whole product."""


def kind_of(path: str, scope: Scope, service: ServiceInfo) -> Kind:
    """Return the kind of a request.

    Args:
        path: Of the request or, which is found faster, of its route.
        scope: Of the request. Its query names the operation of OWS; of several, and of a body, it is the costliest.
        service: Has the paths of WMS and WMTS.
    """
    method, query = scope["method"], scope["query_string"]
    protocol = _ows_protocol(path, service)
    if protocol is not None:
        other = _OTHER_OPERATIONS[protocol]
        named = {_OF_OPERATION.get(each.lower(), other) for each in _REQUESTS.findall(query)} or {"documents"}
        return _kind(protocol, named.pop() if method != "POST" and len(named) == 1 else other)
    if _ITEMS.match(path):
        return _kind_of_items(path, scope)
    if method in {"POST", "PUT", "PATCH", "DELETE"} and _WRITTEN_ITEMS.match(path):
        return _kind("stac", "documents")
    return _kind_of_path(path)


def _kind_of_items(path: str, scope: Scope) -> Kind:
    """The kind of a request for features, whose parameters are read as its handler reads them (`Kvp`)."""
    parameters = QueryParams(scope["query_string"]).multi_items()
    if any(name.lower() == "value" for name, _value in parameters):
        return _kind("ogcapi", "series")
    named = [text.strip().lower() for name, text in parameters if name.lower() == "f" and text.strip()]
    accepted = header_value(scope["headers"], b"accept").decode("latin-1")
    is_file = named[0] not in _PAGE_FORMATS | _PAGE_TYPES if named else _may_choose_file(accepted)
    return _kind("ogcapi", "downloads") if is_file else _kind_of_path(path)


def _may_choose_file(accepted: str) -> bool:
    """Return whether a header names a type of files, or a page type that it wants less than any other type."""
    weights = parse_quality_values(accepted)
    best = max((weight for name, weight in weights if "*" in name), default=0.0)
    return any(
        weight < best if name in _PAGE_TYPES else "geopackage" in name or "flatgeobuf" in name
        for name, weight in weights
    )


def _ows_protocol(path: str, service: ServiceInfo) -> str | None:
    if path in service.wms_paths:
        return "wms"
    if path in service.wmts_paths:
        return "wmts"
    return path[1:] if path in {"/wcs", "/wps"} else None


@lru_cache(maxsize=32)
def _kind(protocol: str, class_: RequestClass) -> Kind:
    return Kind(protocol, class_)


@lru_cache(maxsize=1024)
def _kind_of_path(path: str) -> Kind:
    for pattern, protocol, class_ in _TABLE:
        if pattern.match(path):
            return Kind(protocol, class_, _PRODUCTS.match(path) is not None)
    return Kind("site", "documents")
