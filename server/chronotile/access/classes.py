"""The protocol and the class of a request, by its path: for reports of usage, and for quotas."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from chronotile.catalog.catalogue import ServiceInfo
from chronotile.core.model.access import RequestClass

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
    (r"/odata", "odata", "documents"),
    (r"/products/[^/]+/nodes/?$|/products/?$", "products", "documents"),
    (r"/products/", "products", "downloads"),
    (r"/layers/[^/]+/preview\.png", "layers", "pictures"),
    (r"/layers", "layers", "documents"),
    (r"/stac", "stac", "documents"),
    (r"/opensearch", "opensearch", "documents"),
    (r"/places/[^/]+/tiles/", "places", "pictures"),
    (r"/places/[^/]+/values", "places", "series"),
    (r"/places", "places", "documents"),
    (r"/ogcapi/(.+/)?(map|(map/)?tiles(/[^/]+){4})$", "ogcapi", "pictures"),
    (r"/ogcapi/collections/[^/]+/(coverage|cube|area|radius)$", "ogcapi", "downloads"),
    (r"/ogcapi/collections/[^/]+/(position|locations/.+)$", "ogcapi", "series"),
    (r"/ogcapi/processes/[^/]+/execution$", "ogcapi", "jobs"),
    (r"/ogcapi/jobs/[^/]+/results", "ogcapi", "downloads"),
    (r"/ogcapi", "ogcapi", "documents"),
    (r"/cog/", "cog", "pictures"),
    (r"/viewer", "viewer", "documents"),
)
"""Beginnings of paths; the first that fits holds. Patterns of routes, with names in braces, fit as their paths do."""
_TABLE = tuple((re.compile(pattern), protocol, class_) for pattern, protocol, class_ in _ROWS)
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
_VALUES = re.compile(rb"(?:^|&)(?:value=|[^=&]*%)")
"""Of features of OGC API, `value`, or the name of a parameter that is encoded: it may be this one."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What kind of request it is; one object for each, as it is part of keys."""

    protocol: str
    class_: RequestClass
    is_product: bool = False
    """Whether its answer is a whole product."""


def kind_of(path: str, method: str, query: bytes, service: ServiceInfo) -> Kind:
    """Return the kind of a request.

    Args:
        path: Of the request or, which is found faster, of its route.
        method: Of HTTP.
        query: In which OWS name the operation. Of what may name several, and of a body, it is the costliest.
        service: Has the paths of WMS and WMTS.
    """
    protocol = _ows_protocol(path, service)
    if protocol is not None:
        other = _OTHER_OPERATIONS[protocol]
        named = {_OF_OPERATION.get(each.lower(), other) for each in _REQUESTS.findall(query)} or {"documents"}
        return _kind(protocol, named.pop() if method != "POST" and len(named) == 1 else other)
    if query and _ITEMS.match(path) and _VALUES.search(query):
        return _kind("ogcapi", "series")
    return _kind_of_path(path)


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
