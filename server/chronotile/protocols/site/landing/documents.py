"""What is here, as a value that the page for people, with cards of layers, and the document are made of."""

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
"""Times of the time-lapse that the page links to."""


@dataclass(frozen=True, slots=True)
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
    yield Place(
        "service-doc", "API reference", "all operations with their parameters, to be tried", f"{base}/docs", "text/html"
    )
    yield Place("service-desc", "OpenAPI", "the same for programs", f"{base}/openapi.json", OPENAPI_TYPE)
    yield Place("layers", "Layers", "all layers with their dates, as JSON", f"{base}/layers")
    if wheel is not None:
        yield Place("python-client", "Python", "pip install; pandas, xarray, Jupyter", wheel, "application/zip")
    purpose = "packages to install from here, for Python and JavaScript"
    yield Place("clients", "Clients", purpose, f"{base}{CLIENTS}", "text/html")
    if services.catalogue.places:
        purpose = f"named geometries: {', '.join(services.catalogue.places)}"
        yield Place("places", "Places", purpose, f"{base}/places")
    yield from _layer_places(services, base)
    purpose = "clients of Terrascope's time-series service"
    yield Place("timeseries", "Time series", purpose, f"{base}/timeseries/v1.0/ts/")


def _standards(services: Services, base: str) -> Iterable[Place]:
    """WMS, WMTS, WCS, WPS, OGC API, catalogues where dates and scenes are found and downloaded, and jobs."""
    service = services.catalogue.service
    services_xml = (("WMS", service.wms_paths, "text/xml"), ("WMTS", service.wmts_paths, "application/xml"))
    for kind, paths, media_type in services_xml:
        query = urlencode({"SERVICE": kind, "REQUEST": "GetCapabilities"})
        for path in paths[:1]:
            yield Place(kind.lower(), kind, "QGIS, ArcGIS, OpenLayers, GDAL", f"{base}{path}?{query}", media_type)
    for kind, purpose in (("WCS", "files of numbers: QGIS, GDAL, OWSLib"), ("WPS", "processes: OWSLib, birdy")):
        query = urlencode({"SERVICE": kind, "REQUEST": "GetCapabilities"})
        yield Place(kind.lower(), kind, purpose, f"{base}/{kind.lower()}?{query}", "application/xml")
    purpose = "coverages, environmental data, features, maps, tiles, styles and processes; GDAL, OWSLib, OpenLayers"
    yield Place("ogcapi", "OGC API", purpose, f"{base}/ogcapi")
    if services.reader_caches.has_items:
        purpose = "searches of dates and scenes: pystac-client, odc-stac, STAC Browser, QGIS"
        yield Place("stac", "STAC", purpose, f"{base}/stac")
        purpose = "the same for clients of the Copernicus Data Space: CDSETool, EODAG"
        yield Place("odata", "OData", purpose, f"{base}/odata/v1")
        purpose = "the same for terracatalogueclient"
        yield Place("opensearch", "OpenSearch", purpose, f"{base}/opensearch", "application/opensearchdescription+xml")
        yield Place("products", "Products", "downloads of files, whole or in parts: curl, GDAL", f"{base}/products")
    yield Place("jobs", "Jobs", "background work: inputs, progress, results", f"{base}/ogcapi/jobs")


def _layer_places(services: Services, base: str) -> Iterable[Place]:
    """What layers are drawn and read by: the first, the first with times, and the first with values."""
    layers, sets = list(services.catalogue.layers), services.catalogue.tile_matrix_sets[:1]
    for layer, each in itertools.product(layers[:1], sets):
        path = f"{base}/tiles/{quote(layer.id)}/{quote(each.id)}"
        purpose = f"Leaflet, MapLibre; of layer {layer.id}"
        yield Place("tiles", "XYZ tiles", purpose, f"{path}/{{z}}/{{x}}/{{y}}.png", MapFormat.PNG, is_template=True)
        yield Place("tilejson", "TileJSON", purpose, f"{path}/tilejson.json")
    for layer in [each for each in layers if len(each.times)][:1]:
        # The newest times, as many as are shown in a quarter of a minute.
        first = format_instant(layer.times.instants[-min(len(layer.times), NEWEST)])
        query, media_type = urlencode({"datetime": f"{first}/.."}, safe="/:"), usual_format()
        href = f"{base}/animations/{quote(layer.id)}.{media_type.extension}?{query}"
        yield Place("animation", "Time-lapse", f"slides, reports; of layer {layer.id}", href, media_type)
    for layer in [each for each in layers if not each.is_composite][:1]:
        for each in sets:
            purpose = f"all dates of a tile as numbers, for viewers of your own; of layer {layer.id}"
            href = f"{base}/cubes/{quote(layer.id)}/{quote(each.id)}/{{z}}/{{x}}/{{y}}.ctc"
            yield Place("cubes", "Cube tiles", purpose, href, CUBE_TYPE, is_template=True)
        if has_store(layer):
            purpose = f"xarray.open_zarr, for lazy analysis; of layer {layer.id}"
            yield Place("zarr", "Zarr", purpose, f"{base}/zarr/{quote(layer.id)}")
        purpose, href = f"spreadsheets, scripts; of layer {layer.id}", _series_href(layer.id, layer, base)
        yield Place("series", "Values of a place", purpose, href, "text/csv")


def _series_href(name: str, layer: Layer, base: str) -> str:
    """Return the URL of the series at the middle of a layer."""
    longitude, latitude = layer.main_variable.grid.middle()
    query = urlencode({"lon": f"{longitude:.6f}", "lat": f"{latitude:.6f}", "format": "csv"})
    return f"{base}/timeseries/{quote(name)}/point?{query}"


# The layers as the page for people shows them: some a page, found by words.

CARDS = 48
"""Layers on one page."""
MAX_WORDS = 100
"""Letters that are searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardQuery:
    """Which layers are shown."""

    words: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Code to paste."""

    title: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One layer; addresses are relative to the page, except those in the code."""

    id: str
    title: str
    units: str | None
    times: str
    picture: str
    has_chart: bool
    """Whether it has values at several times."""
    snippets: tuple[Snippet, ...]
    """None of a composite, which has no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The layers of one collection that are on the page."""

    id: str
    title: str
    abstract: str
    attribution: str | None
    license: str | None
    cards: tuple[Card, ...]

    @property
    def license_url(self) -> str | None:
        """The licence, if it is an address on the web."""
        is_url = self.license is not None and self.license.startswith(("https://", "http://"))
        return self.license if is_url else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """One page of the layers that are searched for."""

    query: CardQuery
    total: int
    matched: int
    sections: tuple[Section, ...]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.matched // CARDS))

    @property
    def before(self) -> str | None:
        """The query of the page before, if there is one."""
        return self._query_of(self.query.page - 1) if self.query.page > 1 else None

    @property
    def after(self) -> str | None:
        """The query of the page after, if there is one."""
        return self._query_of(self.query.page + 1) if self.query.page < self.pages else None

    def _query_of(self, page: int) -> str:
        words = {"q": self.query.words} if self.query.words else {}
        return "?" + urlencode({**words, "page": page, "f": "html"})


def card_query(query: Kvp) -> CardQuery:
    """Return which layers `q` and `page` request.

    Raises:
        InvalidParameter: One is not accepted.
    """
    words = " ".join((query.optional("q") or "").split())
    if len(words) > MAX_WORDS:
        raise InvalidParameter(f"q has {len(words)} letters; at most {MAX_WORDS} are accepted", locator="q")
    given = query.optional("page")
    page = 1 if given is None else integer(given, locator="page", least=1)
    return CardQuery(words=words, page=page)


def cards(query: CardQuery, services: Services, *, base: str, language: str) -> Cards:
    """Return one page of the layers that have all words in their id or title, or those of their collection.

    Raises:
        InvalidParameter: There are fewer pages.
    """
    catalogue = services.catalogue
    words = query.words.casefold().split()
    found = [
        (name, layer)
        for name, layer in catalogue.offered_layers
        if not words or all(word in _searched_text(name, layer, services, language) for word in words)
    ]
    shown = found[(query.page - 1) * CARDS : query.page * CARDS]
    if not shown and query.page > 1:
        pages = max(1, -(-len(found) // CARDS))
        raise InvalidParameter(f"page is {query.page}; there {'is' if pages == 1 else 'are'} {pages}", locator="page")
    grouped = itertools.groupby(shown, lambda each: each[1].collection)
    sections = tuple(_section(catalogue.collection(name), of_it, base, language) for name, of_it in grouped)
    return Cards(query=query, total=len(catalogue.offered_layers), matched=len(found), sections=sections)


def _searched_text(name: str, layer: Layer, services: Services, language: str) -> str:
    collection = services.catalogue.collection(layer.collection)
    titles = (text_in(layer.title, language), text_in(collection.title, language))
    return " ".join((name, *titles, collection.id)).casefold()


def _section(collection: Collection, layers: Iterable[tuple[str, Layer]], base: str, language: str) -> Section:
    return Section(
        id=collection.id,
        title=text_in(collection.title, language) or collection.id,
        abstract=text_in(collection.abstract, language),
        attribution=attribution_of(collection),
        license=collection.license,
        cards=tuple(_card(name, layer, base, language) for name, layer in layers),
    )


def attribution_of(collection: Collection) -> str | None:
    """Return the attribution of a collection, else that of the first of its layers that has one."""
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
    """Return the first and the last day and how many times there are, in words."""
    if len(domain) == 0:
        return "no dates"
    first, last = (format_day(domain.instants[index]) for index in (0, -1))
    if len(domain) == 1:
        return first
    return f"{first} to {last}, {len(domain):,} dates"
