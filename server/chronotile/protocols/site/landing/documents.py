"""The landing page as a value, from which the HTML page and the JSON document are made."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from chronotile import __version__
from chronotile.catalog.service_info import Contact
from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.cube import CUBE_TYPE
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.time.instants import format_instant
from chronotile.http.shipped_files import CLIENTS
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.cube_tiles import has_cubes
from chronotile.pipeline.maps.animation import usual_format
from chronotile.pipeline.services import Services
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in

OPENAPI_TYPE = "application/vnd.oai.openapi+json;version=3.1"
NEWEST = 60
"""Number of newest times in the time-lapse that the page links to."""


@dataclass(frozen=True, slots=True)
class ServiceLink:
    """A URL of a service, with its purpose."""

    rel: str
    title: str
    purpose: str
    href: str
    media_type: str = "application/json"
    is_template: bool = False
    """Whether clients replace parts in braces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The content of the page without cards."""

    title: str
    abstract: str
    language: str
    keywords: tuple[str, ...]
    contact: Contact
    service_links: tuple[ServiceLink, ...]
    place_sets: tuple[str, ...]
    """Ids of place sets."""
    has_viewer: bool
    has_feeds: bool
    """Whether collections have feeds of new items."""
    has_left_out: bool
    """Whether some data are not served; `/health/ready` lists them."""
    version: str = __version__


def landing(services: Services, *, base: str, language: str, wheel: str | None, has_viewer: bool) -> Landing:
    """Return the content of the landing page.

    Args:
        services: The services of the server.
        base: Public URL of the server without a slash at the end.
        language: Language of titles.
        wheel: URL of the Python package; `None` if it is not built.
        has_viewer: Whether the viewer can run.
    """
    service = services.catalogue.service
    return Landing(
        title=text_in(service.title, language),
        abstract=text_in(service.abstract, language),
        language=language,
        keywords=service.keywords,
        contact=service.contact,
        service_links=tuple(_service_links(services, base, wheel)),
        place_sets=tuple(services.catalogue.places),
        has_viewer=has_viewer,
        has_feeds=services.reader_caches.has_items,
        has_left_out=has_left_out(services),
    )


def has_left_out(services: Services) -> bool:
    """Return whether some data are not served; this may change while all layers stay the same."""
    return any(finding.is_left_out and finding.severity != "note" for finding in services.findings)


def landing_document(page: Landing, services: Services, *, base: str) -> dict[str, Any]:
    """Return the landing page as a JSON document."""
    links = [link("self", f"{base}/", "application/json", "this document")]
    if page.has_viewer:
        links.append(link("viewer", f"{base}/viewer/", "text/html", "viewer"))
    links += [
        link(service.rel, service.href, service.media_type, service.title, is_template=service.is_template)
        for service in page.service_links
    ]
    contact = page.contact.model_dump()
    return {
        "title": page.title,
        "description": page.abstract or None,
        "version": page.version,
        "keywords": list(page.keywords),
        "contact": contact if page.contact.address.lines else {**contact, "address": None},
        "collections": list(_collection_documents(services, page.language)),
        "places": list(page.place_sets),
        "links": links,
    }


def _collection_documents(services: Services, language: str) -> Iterable[dict[str, Any]]:
    names_by_collection: dict[str, list[str]] = {}
    for name, layer in services.catalogue.offered_layers:
        names_by_collection.setdefault(layer.collection, []).append(name)
    for collection in services.catalogue.collections:
        yield {
            "id": collection.id,
            "title": text_in(collection.title, language) or collection.id,
            "attribution": attribution_of(collection),
            "license": collection.license,
            "layers": names_by_collection.get(collection.id, []),
        }


def _service_links(services: Services, base: str, wheel: str | None) -> Iterable[ServiceLink]:
    yield from _standards(services, base)
    yield ServiceLink(
        "service-doc", "API reference", "all operations with their parameters, to be tried", f"{base}/docs", "text/html"
    )
    yield ServiceLink("service-desc", "OpenAPI", "the same for programs", f"{base}/openapi.json", OPENAPI_TYPE)
    yield ServiceLink("layers", "Layers", "all layers with their dates, as JSON", f"{base}/layers")
    if wheel is not None:
        yield ServiceLink("python-client", "Python", "pip install; pandas, xarray, Jupyter", wheel, "application/zip")
    purpose = "packages to install from here, for Python and JavaScript"
    yield ServiceLink("clients", "Clients", purpose, f"{base}{CLIENTS}", "text/html")
    if services.catalogue.places:
        purpose = f"named geometries: {', '.join(services.catalogue.places)}"
        yield ServiceLink("places", "Places", purpose, f"{base}/places")
    yield from _layer_links(services, base)
    purpose = "clients of Terrascope's time-series service"
    yield ServiceLink("timeseries", "Time series", purpose, f"{base}/timeseries/v1.0/ts/")


def _standards(services: Services, base: str) -> Iterable[ServiceLink]:
    """Yield WMS, WMTS, WCS, WPS, OGC API, catalogues of dates and scenes with downloads, and jobs."""
    service = services.catalogue.service
    services_xml = (("WMS", service.wms_paths, "text/xml"), ("WMTS", service.wmts_paths, "application/xml"))
    for kind, paths, media_type in services_xml:
        query = urlencode({"SERVICE": kind, "REQUEST": "GetCapabilities"})
        for path in paths[:1]:
            yield ServiceLink(kind.lower(), kind, "QGIS, ArcGIS, OpenLayers, GDAL", f"{base}{path}?{query}", media_type)
    for kind, purpose in (("WCS", "files of numbers: QGIS, GDAL, OWSLib"), ("WPS", "processes: OWSLib, birdy")):
        query = urlencode({"SERVICE": kind, "REQUEST": "GetCapabilities"})
        yield ServiceLink(kind.lower(), kind, purpose, f"{base}/{kind.lower()}?{query}", "application/xml")
    purpose = "coverages, environmental data, features, maps, tiles, styles and processes; GDAL, OWSLib, OpenLayers"
    yield ServiceLink("ogcapi", "OGC API", purpose, f"{base}/ogcapi")
    if services.reader_caches.has_items:
        purpose = "searches of dates and scenes: pystac-client, odc-stac, STAC Browser, QGIS"
        yield ServiceLink("stac", "STAC", purpose, f"{base}/stac")
        purpose = "the same for clients of the Copernicus Data Space: CDSETool, EODAG"
        yield ServiceLink("odata", "OData", purpose, f"{base}/odata/v1")
        purpose = "the same for terracatalogueclient"
        yield ServiceLink(
            "opensearch", "OpenSearch", purpose, f"{base}/opensearch", "application/opensearchdescription+xml"
        )
        yield ServiceLink(
            "products", "Products", "downloads of files, whole or in parts: curl, GDAL", f"{base}/products"
        )
    yield ServiceLink("jobs", "Jobs", "background work: inputs, progress, results", f"{base}/ogcapi/jobs")


def _layer_links(services: Services, base: str) -> Iterable[ServiceLink]:
    """Yield URLs for drawing and reading layers: the first, the first with times, and the first with values."""
    layers, sets = list(services.catalogue.layers), services.catalogue.tile_matrix_sets[:1]
    for layer, tile_matrix_set in itertools.product(layers[:1], sets):
        path = f"{base}/tiles/{quote(layer.id)}/{quote(tile_matrix_set.id)}"
        purpose = f"Leaflet, MapLibre; of layer {layer.id}"
        yield ServiceLink(
            "tiles", "XYZ tiles", purpose, f"{path}/{{z}}/{{x}}/{{y}}.png", MapFormat.PNG, is_template=True
        )
        yield ServiceLink("tilejson", "TileJSON", purpose, f"{path}/tilejson.json")
    for layer in [candidate for candidate in layers if len(candidate.times)][:1]:
        # A short film of the newest times.
        first = format_instant(layer.times.instants[-min(len(layer.times), NEWEST)])
        query, media_type = urlencode({"datetime": f"{first}/.."}, safe="/:"), usual_format()
        href = f"{base}/animations/{quote(layer.id)}.{media_type.extension}?{query}"
        yield ServiceLink("animation", "Time-lapse", f"slides, reports; of layer {layer.id}", href, media_type)
    for layer in [candidate for candidate in layers if not candidate.is_composite][:1]:
        for tile_matrix_set in sets if has_cubes(layer) else ():
            purpose = f"all dates of a tile as numbers, for viewers of your own; of layer {layer.id}"
            href = f"{base}/cubes/{quote(layer.id)}/{quote(tile_matrix_set.id)}/{{z}}/{{x}}/{{y}}.ctc"
            yield ServiceLink("cubes", "Cube tiles", purpose, href, CUBE_TYPE, is_template=True)
        if has_store(layer):
            purpose = f"xarray.open_zarr, for lazy analysis; of layer {layer.id}"
            yield ServiceLink("zarr", "Zarr", purpose, f"{base}/zarr/{quote(layer.id)}")
        purpose, href = f"spreadsheets, scripts; of layer {layer.id}", series_href(layer.id, layer, base)
        yield ServiceLink("series", "Values of a place", purpose, href, "text/csv")


def series_href(name: str, layer: Layer, base: str) -> str:
    """Return the URL of the series at the centre of a layer."""
    longitude, latitude = layer.main_variable.grid.middle()
    query = urlencode({"lon": f"{longitude:.6f}", "lat": f"{latitude:.6f}", "format": "csv"})
    return f"{base}/timeseries/{quote(name)}/point?{query}"


def attribution_of(collection: Collection) -> str | None:
    """Return the attribution of a collection, else the first attribution of its layers."""
    attributions = (layer.attribution for layer in collection.layers if layer.attribution)
    return collection.attribution or next(attributions, None)
