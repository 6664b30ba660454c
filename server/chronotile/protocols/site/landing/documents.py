"""The landing page as a value, from which the HTML page and the JSON document are made, and its cards of layers."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode

from chronotile import __version__
from chronotile.catalog.service_info import Contact
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.cube import CUBE_TYPE
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_day, format_instant
from chronotile.http.shipped_files import CLIENTS
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.maps.animation import usual_format
from chronotile.pipeline.services import Services
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.preview import preview_href
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.values import integer

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
        has_left_out=any(finding.is_left_out and finding.severity != "note" for finding in services.findings),
    )


def landing_document(page: Landing, services: Services, *, base: str) -> dict[str, Any]:
    """Return the landing page as a JSON document."""
    links = [link("self", f"{base}/", "application/json", "this document")]
    if page.has_viewer:
        links.append(link("viewer", f"{base}/viewer/", "text/html", "viewer"))
    links += [
        link(service.rel, service.href, service.media_type, service.title, is_template=service.is_template)
        for service in page.service_links
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
        # The newest times, which take a quarter of a minute.
        first = format_instant(layer.times.instants[-min(len(layer.times), NEWEST)])
        query, media_type = urlencode({"datetime": f"{first}/.."}, safe="/:"), usual_format()
        href = f"{base}/animations/{quote(layer.id)}.{media_type.extension}?{query}"
        yield ServiceLink("animation", "Time-lapse", f"slides, reports; of layer {layer.id}", href, media_type)
    for layer in [candidate for candidate in layers if not candidate.is_composite][:1]:
        for tile_matrix_set in sets:
            purpose = f"all dates of a tile as numbers, for viewers of your own; of layer {layer.id}"
            href = f"{base}/cubes/{quote(layer.id)}/{quote(tile_matrix_set.id)}/{{z}}/{{x}}/{{y}}.ctc"
            yield ServiceLink("cubes", "Cube tiles", purpose, href, CUBE_TYPE, is_template=True)
        if has_store(layer):
            purpose = f"xarray.open_zarr, for lazy analysis; of layer {layer.id}"
            yield ServiceLink("zarr", "Zarr", purpose, f"{base}/zarr/{quote(layer.id)}")
        purpose, href = f"spreadsheets, scripts; of layer {layer.id}", _series_href(layer.id, layer, base)
        yield ServiceLink("series", "Values of a place", purpose, href, "text/csv")


def _series_href(name: str, layer: Layer, base: str) -> str:
    """Return the URL of the series at the centre of a layer."""
    longitude, latitude = layer.main_variable.grid.middle()
    query = urlencode({"lon": f"{longitude:.6f}", "lat": f"{latitude:.6f}", "format": "csv"})
    return f"{base}/timeseries/{quote(name)}/point?{query}"


# Cards of layers, in pages, selected by words.

CARDS = 48
"""Layers on one page."""
MAX_WORDS = 100
"""Maximum number of characters of `q`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardQuery:
    """A requested page of cards."""

    words: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Code to paste."""

    title: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The card of one layer; URLs are relative to the page, except in code."""

    id: str
    title: str
    units: str | None
    times: str
    picture: str
    has_chart: bool
    """Whether it has values at several times."""
    snippets: tuple[Snippet, ...]
    """Empty for a composite, which has no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSection:
    """The cards of one collection on a page."""

    id: str
    title: str
    abstract: str
    attribution: str | None
    license: str | None
    cards: tuple[Card, ...]

    @property
    def license_url(self) -> str | None:
        """The licence if it is a URL, else `None`."""
        is_url = self.license is not None and self.license.startswith(("https://", "http://"))
        return self.license if is_url else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """One page of cards."""

    query: CardQuery
    total: int
    matched: int
    sections: tuple[CardSection, ...]

    @property
    def pages(self) -> int:
        """The number of pages, at least 1."""
        return max(1, -(-self.matched // CARDS))

    @property
    def before(self) -> str | None:
        """The query of the previous page; `None` on the first."""
        return self._query_of(self.query.page - 1) if self.query.page > 1 else None

    @property
    def after(self) -> str | None:
        """The query of the next page; `None` on the last."""
        return self._query_of(self.query.page + 1) if self.query.page < self.pages else None

    def _query_of(self, page: int) -> str:
        words = {"q": self.query.words} if self.query.words else {}
        return "?" + urlencode({**words, "page": page, "f": "html"})


def card_query(query: Kvp) -> CardQuery:
    """Return the page that `q` and `page` request.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    words = " ".join((query.optional("q") or "").split())
    if len(words) > MAX_WORDS:
        raise InvalidParameter(f"q has {len(words)} letters; at most {MAX_WORDS} are accepted", locator="q")
    page_text = query.optional("page")
    page = 1 if page_text is None else integer(page_text, locator="page", least=1)
    return CardQuery(words=words, page=page)


def cards(query: CardQuery, services: Services, *, base: str, language: str) -> Cards:
    """Return one page of the layers with all words in the ids or titles of the layer and its collection.

    Raises:
        InvalidParameter: The number of pages is smaller than the requested page.
    """
    catalogue = services.catalogue
    words = query.words.casefold().split()
    matches = [
        (name, layer)
        for name, layer in catalogue.offered_layers
        if not words or all(word in _searched_text(name, layer, services, language) for word in words)
    ]
    page_layers = matches[(query.page - 1) * CARDS : query.page * CARDS]
    if not page_layers and query.page > 1:
        pages = max(1, -(-len(matches) // CARDS))
        raise InvalidParameter(f"page is {query.page}; there {'is' if pages == 1 else 'are'} {pages}", locator="page")
    grouped = itertools.groupby(page_layers, lambda named_layer: named_layer[1].collection)
    sections = tuple(_section(catalogue.collection(name), of_it, base, language) for name, of_it in grouped)
    return Cards(query=query, total=len(catalogue.offered_layers), matched=len(matches), sections=sections)


def _searched_text(name: str, layer: Layer, services: Services, language: str) -> str:
    collection = services.catalogue.collection(layer.collection)
    titles = (text_in(layer.title, language), text_in(collection.title, language))
    return " ".join((name, *titles, collection.id)).casefold()


def _section(collection: Collection, layers: Iterable[tuple[str, Layer]], base: str, language: str) -> CardSection:
    return CardSection(
        id=collection.id,
        title=text_in(collection.title, language) or collection.id,
        abstract=text_in(collection.abstract, language),
        attribution=attribution_of(collection),
        license=collection.license,
        cards=tuple(_card(name, layer, base, language) for name, layer in layers),
    )


def attribution_of(collection: Collection) -> str | None:
    """Return the attribution of a collection, else the first attribution of its layers."""
    attributions = (layer.attribution for layer in collection.layers if layer.attribution)
    return collection.attribution or next(attributions, None)


def _card(name: str, layer: Layer, base: str, language: str) -> Card:
    units = None if layer.is_composite else layer.main_variable.encoding.units
    return Card(
        id=name,
        title=text_in(layer.title, language) or name,
        units=None if units == "1" else units,
        times=times_text(layer.times),
        picture=preview_href(name),
        has_chart=not layer.is_composite and len(layer.times) > 1,
        snippets=tuple(_snippets(name, layer, base)),
    )


def _snippets(name: str, layer: Layer, base: str) -> Iterator[Snippet]:
    if not layer.is_composite:
        url = json.dumps(_series_href(name, layer, base))
        options = ', index_col="time", parse_dates=["time"]' if len(layer.times) else ""
        code = f"import pandas as pd\n\nurl = {url}\nseries = pd.read_csv(url{options})\nseries"
        yield Snippet(title="Values of the place in the middle", code=code)
    if has_store(layer):
        url = json.dumps(f"{base}/zarr/{quote(name)}")
        code = f"import xarray as xr\n\narray = xr.open_zarr({url})\narray"
        yield Snippet(title="All values, read when they are used (xarray, zarr, aiohttp)", code=code)


def times_text(domain: TimeDomain) -> str:
    """Return the first and the last day and the number of times, in words."""
    if len(domain) == 0:
        return "no dates"
    first, last = (format_day(domain.instants[index]) for index in (0, -1))
    if len(domain) == 1:
        return first
    return f"{first} to {last}, {len(domain):,} dates"
