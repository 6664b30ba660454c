"""What is here, as a value that the page for people and the document for programs are made of."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode

from chronotile import __version__
from chronotile.catalog.catalogue import Contact
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, transformer
from chronotile.model.cube import CUBE_TYPE
from chronotile.model.time.instants import format_instant
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.maps.animation import EXTENSIONS, usual_format
from chronotile.pipeline.services import Services
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.public_url import link
from chronotile.protocols.common.shipped_files import CLIENTS
from chronotile.protocols.landing.cards import attribution_of

NEWEST = 60
"""Times of the time-lapse that the page links to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A URL to paste, and into what."""

    rel: str
    title: str
    purpose: str
    href: str
    media_type: str = "application/json"
    is_template: bool = False
    """Whether parts of it in braces are to be filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """All that the page shows."""

    title: str
    abstract: str
    language: str
    keywords: tuple[str, ...]
    contact: Contact
    places: tuple[Place, ...]
    place_sets: tuple[str, ...]
    """Ids of the sets of named geometries."""
    has_viewer: bool
    has_feeds: bool
    """Whether collections have feeds of new items."""
    has_left_out: bool
    """Whether something of the data is not served, which `/health/ready` names."""
    version: str = __version__


def landing(services: Services, *, base: str, language: str, wheel: str | None, has_viewer: bool) -> Landing:
    """Return what is here, in one language; `base` is the public URL without a slash at the end.

    Args:
        services: What is served.
        base: As said.
        language: Of titles.
        wheel: Address of the package for Python, if it is there.
        has_viewer: Whether the viewer can run.
    """
    service = services.catalogue.service
    return Landing(
        title=text_in(service.title, language),
        abstract=text_in(service.abstract, language),
        language=language,
        keywords=service.keywords,
        contact=service.contact,
        places=tuple(_places(services, base, wheel)),
        place_sets=tuple(services.catalogue.places),
        has_viewer=has_viewer,
        has_feeds=services.reader_caches.has_items,
        has_left_out=any(each.is_left_out and each.severity != "note" for each in services.findings),
    )


def landing_document(page: Landing, services: Services, *, base: str) -> dict[str, Any]:
    """Return what is here as a document for programs."""
    links = [link("self", f"{base}/", "application/json", "this document")]
    if page.has_viewer:
        links.append(link("viewer", f"{base}/viewer/", "text/html", "viewer"))
    links += [
        link(each.rel, each.href, each.media_type, each.title, is_template=each.is_template) for each in page.places
    ]
    return {
        "title": page.title,
        "description": page.abstract or None,
        "version": page.version,
        "keywords": list(page.keywords),
        "contact": asdict(page.contact),
        "collections": list(_collection_documents(services, page.language)),
        "places": list(page.place_sets),
        "links": links,
    }


def _collection_documents(services: Services, language: str) -> Iterable[dict[str, Any]]:
    named: dict[str, list[str]] = {}
    for name, layer in services.catalogue.offered_layers:
        named.setdefault(layer.collection, []).append(name)
    for collection in services.catalogue.collections:
        yield {
            "id": collection.id,
            "title": text_in(collection.title, language) or collection.id,
            "attribution": attribution_of(collection),
            "license": collection.license,
            "layers": named.get(collection.id, []),
        }


def _places(services: Services, base: str, wheel: str | None) -> Iterable[Place]:
    yield from _standards(services, base)
    yield from _descriptions(base)
    if wheel is not None:
        purpose = "pip install; pandas, xarray, Jupyter"
        yield Place(rel="python-client", title="Python", purpose=purpose, href=wheel, media_type="application/zip")
    purpose = "packages to install from here, for Python and JavaScript"
    yield Place(rel="clients", title="Clients", purpose=purpose, href=f"{base}{CLIENTS}", media_type="text/html")
    if services.catalogue.places:
        purpose = f"named geometries: {', '.join(services.catalogue.places)}"
        yield Place(rel="places", title="Places", purpose=purpose, href=f"{base}/places")
    layers = list(services.catalogue.layers)
    if layers:
        yield from _tiles(layers[0], services, base)
    yield from (_animation(layer, base) for layer in [each for each in layers if len(each.times)][:1])
    for layer in [each for each in layers if not each.is_composite][:1]:
        yield from _cubes(layer, services, base)
        if has_store(layer):
            purpose = f"xarray.open_zarr, for lazy analysis; of layer {layer.id}"
            yield Place(rel="zarr", title="Zarr", purpose=purpose, href=f"{base}/zarr/{quote(layer.id)}")
        yield _series(layer, base)
    yield Place(
        rel="timeseries",
        title="Time series",
        purpose="clients of Terrascope's time-series service",
        href=f"{base}/timeseries/v1.0/ts/",
    )


def _standards(services: Services, base: str) -> Iterable[Place]:
    """WMS, WMTS and OGC API."""
    service = services.catalogue.service
    services_xml = (("WMS", service.wms_paths, "text/xml"), ("WMTS", service.wmts_paths, "application/xml"))
    for kind, paths, media_type in services_xml:
        query = urlencode({"SERVICE": kind, "REQUEST": "GetCapabilities"})
        for path in paths[:1]:
            yield Place(
                rel=kind.lower(),
                title=kind,
                purpose="QGIS, ArcGIS, OpenLayers, GDAL",
                href=f"{base}{path}?{query}",
                media_type=media_type,
            )
    yield Place(
        rel="ogcapi",
        title="OGC API",
        purpose="coverages, environmental data, maps, tiles, styles and processes; GDAL, OWSLib, OpenLayers",
        href=f"{base}/ogcapi",
    )
    if services.reader_caches.has_items:
        yield from _catalogues(base)
    yield Place(
        rel="jobs",
        title="Jobs",
        purpose="background work: inputs, progress, results",
        href=f"{base}/ogcapi/jobs",
    )


def _catalogues(base: str) -> Iterable[Place]:
    """Where dates and scenes are found and downloaded."""
    for rel, title, purpose, path in (
        ("stac", "STAC", "searches of dates and scenes: pystac-client, odc-stac, STAC Browser, QGIS", "/stac"),
        ("odata", "OData", "the same for clients of the Copernicus Data Space: CDSETool, EODAG", "/odata/v1"),
        ("products", "Products", "downloads of files, whole or in parts: curl, GDAL", "/products"),
    ):
        yield Place(rel=rel, title=title, purpose=purpose, href=f"{base}{path}")


def _descriptions(base: str) -> Iterable[Place]:
    """The documentation, and the list of layers."""
    yield Place(
        rel="service-doc",
        title="API reference",
        purpose="all operations with their parameters, to be tried",
        href=f"{base}/docs",
        media_type="text/html",
    )
    yield Place(
        rel="service-desc",
        title="OpenAPI",
        purpose="the same for programs",
        href=f"{base}/openapi.json",
        media_type="application/vnd.oai.openapi+json;version=3.1",
    )
    yield Place(rel="layers", title="Layers", purpose="all layers with their dates, as JSON", href=f"{base}/layers")


def _tiles(layer: Layer, services: Services, base: str) -> Iterable[Place]:
    for each in services.catalogue.tile_matrix_sets[:1]:
        path = f"{base}/tiles/{quote(layer.id)}/{quote(each.id)}"
        purpose = f"Leaflet, MapLibre; of layer {layer.id}"
        href = f"{path}/{{z}}/{{x}}/{{y}}.png"
        yield Place(
            rel="tiles", title="XYZ tiles", purpose=purpose, href=href, media_type="image/png", is_template=True
        )
        yield Place(rel="tilejson", title="TileJSON", purpose=purpose, href=f"{path}/tilejson.json")


def _animation(layer: Layer, base: str) -> Place:
    """The newest times of a layer, as many as are shown in a quarter of a minute."""
    first = format_instant(layer.times.instants[-min(len(layer.times), NEWEST)])
    query, media_type = urlencode({"datetime": f"{first}/.."}, safe="/:"), usual_format()
    return Place(
        rel="animation",
        title="Time-lapse",
        purpose=f"slides, reports; of layer {layer.id}",
        href=f"{base}/animations/{quote(layer.id)}.{EXTENSIONS[media_type]}?{query}",
        media_type=media_type,
    )


def _cubes(layer: Layer, services: Services, base: str) -> Iterable[Place]:
    for each in services.catalogue.tile_matrix_sets[:1]:
        yield Place(
            rel="cubes",
            title="Cube tiles",
            purpose=f"all dates of a tile as numbers, for viewers of your own; of layer {layer.id}",
            href=f"{base}/cubes/{quote(layer.id)}/{quote(each.id)}/{{z}}/{{x}}/{{y}}.ctc",
            media_type=CUBE_TYPE,
            is_template=True,
        )


def _series(layer: Layer, base: str) -> Place:
    """The series of the place in the middle of a layer."""
    grid = layer.main_variable.grid
    x, y = transformer(grid.crs, CRS84).transform(*grid.centre_of(grid.height // 2, grid.width // 2))
    query = urlencode({"lon": f"{x:.6f}", "lat": f"{y:.6f}", "format": "csv"})
    return Place(
        rel="series",
        title="Values of a place",
        purpose=f"spreadsheets, scripts; of layer {layer.id}",
        href=f"{base}/timeseries/{quote(layer.id)}/point?{query}",
        media_type="text/csv",
    )
