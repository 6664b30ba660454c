"""The protocol and the class of a request, by its path, for usage reports and quotas."""

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
"""Beginnings of paths, protocol and class; the first match counts. Patterns of routes match like their paths."""
_TABLE = tuple((re.compile(pattern, re.DOTALL), protocol, class_) for pattern, protocol, class_ in _ROWS)
_PRODUCTS = re.compile(r"/products/[^/]+(/[^/]+)?$|/odata/v1/Products\([^/]*\)/\$value")
_REQUESTS = re.compile(rb"(?:^|&)(?:request=([^&]*)|[^=&]*%)", re.IGNORECASE)
"""All REQUEST parameters of a query. A parameter with an encoded name may be one of them, and matches without value."""
_OPERATION_CLASSES: dict[bytes, RequestClass] = {
    **dict.fromkeys((b"getcapabilities", b"getlegendgraphic", b"getstyles", b"describelayer"), "documents"),
    **dict.fromkeys((b"describedomains", b"getdomainvalues"), "documents"),
    **dict.fromkeys((b"describecoverage", b"describeprocess", b"getstatus", b"dismiss"), "documents"),
    b"getfeatureinfo": "series",
    b"getresult": "downloads",
}
_DEFAULT_CLASSES: Mapping[str, RequestClass] = {
    "wms": "pictures",
    "wmts": "pictures",
    "wcs": "downloads",
    "wps": "jobs",
}
"""Class of all other operations by protocol, so that no spelling of an operation escapes a quota."""
_ITEMS = re.compile(r"/ogcapi/collections/[^/]+/items(/|$)")
_ITEM_WRITES = re.compile(r"/stac/collections/[^/]+/items(/|$)")
"""Items are written by publishers, which have no quota."""
_PAGE_FORMATS = {"json", "geojson", "html"}
_PAGE_TYPES = {"application/geo+json", "application/json", "text/html"}
"""Formats and media types of pages of features; all others are whole files."""


@dataclass(frozen=True, slots=True, eq=False)
class RequestKind:
    """Protocol and class of a request. Equal kinds are one object, because they are compared by identity in keys."""

    protocol: str
    class_: RequestClass
    is_product: bool = False
    """Whether the answer is a whole product."""


def kind_of(path: str, scope: Scope, service: ServiceInfo) -> RequestKind:
    """Return the kind of a request.

    Args:
        path: Path of the request, or pattern of its route (faster).
        scope: ASGI scope. The query contains the operation of OWS; several operations, or a body, count as the most
            expensive one.
        service: Contains the paths of WMS and WMTS.
    """
    method, query = scope["method"], scope["query_string"]
    protocol = _ows_protocol(path, service)
    if protocol is not None:
        default = _DEFAULT_CLASSES[protocol]
        operations = _REQUESTS.findall(query)
        classes = {_OPERATION_CLASSES.get(name.lower(), default) for name in operations} or {"documents"}
        return _kind(protocol, classes.pop() if method != "POST" and len(classes) == 1 else default)
    if _ITEMS.match(path):
        return _kind_of_items(path, scope)
    if method in {"POST", "PUT", "PATCH", "DELETE"} and _ITEM_WRITES.match(path):
        return _kind("stac", "documents")
    return _kind_of_path(path)


def _kind_of_items(path: str, scope: Scope) -> RequestKind:
    """Return the kind of a request for features; parameters are read like in its endpoint (`Kvp`)."""
    parameters = QueryParams(scope["query_string"]).multi_items()
    if any(name.lower() == "value" for name, _value in parameters):
        return _kind("ogcapi", "series")
    formats = [text.strip().lower() for name, text in parameters if name.lower() == "f" and text.strip()]
    accepted = header_value(scope["headers"], b"accept").decode("latin-1")
    is_file = formats[0] not in _PAGE_FORMATS | _PAGE_TYPES if formats else _may_choose_file(accepted)
    return _kind("ogcapi", "downloads") if is_file else _kind_of_path(path)


def _may_choose_file(accepted: str) -> bool:
    """Return whether `Accept` contains a type of files, or a page type with less quality than a wildcard."""
    qualities = parse_quality_values(accepted)
    best = max((quality for name, quality in qualities if "*" in name), default=0.0)
    return any(
        quality < best if name in _PAGE_TYPES else "geopackage" in name or "flatgeobuf" in name
        for name, quality in qualities
    )


def _ows_protocol(path: str, service: ServiceInfo) -> str | None:
    if path in service.wms_paths:
        return "wms"
    if path in service.wmts_paths:
        return "wmts"
    return path[1:] if path in {"/wcs", "/wps"} else None


@lru_cache(maxsize=32)
def _kind(protocol: str, class_: RequestClass) -> RequestKind:
    return RequestKind(protocol, class_)


@lru_cache(maxsize=1024)
def _kind_of_path(path: str) -> RequestKind:
    for pattern, protocol, class_ in _TABLE:
        if pattern.match(path):
            return RequestKind(protocol, class_, _PRODUCTS.match(path) is not None)
    return RequestKind("site", "documents")
