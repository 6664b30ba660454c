"""Collections as STAC has them (STAC 1.1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from chronotile.archive.index.file_items import PROJECTION
from chronotile.catalog.items.footprints import search_boxes
from chronotile.catalog.offered import Offered
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import licence_of, with_licence
from chronotile.core.model.formats import COG_TYPE, MapFormat
from chronotile.core.model.grid import BBox, boxes_of
from chronotile.core.model.time.instants import TimeSpan
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.styling.write_style import EXTENSION as RENDER
from chronotile.protocols.catalogue.stac import extensions
from chronotile.protocols.catalogue.stac.context import (
    GEOJSON_TYPE,
    JSON_TYPE,
    REL_QUERYABLES,
    SCHEMA_TYPE,
    STAC_VERSION,
    StacContext,
    stac_collections,
)
from chronotile.protocols.catalogue.stac.extensions import (
    band_of,
    box_of,
    ground_resolution,
    interval_of,
    is_within,
    own_fields,
)
from chronotile.protocols.catalogue.stac.landing import aggregation_links
from chronotile.protocols.catalogue.stac.params import BBOX, CURSOR, DATETIME
from chronotile.protocols.common.links import ATOM, feed_path, link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import Json, without_empty
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, names_of, text, whole

LANGUAGE = "https://stac-extensions.github.io/language/v1.0.0/schema.json"
NO_ITEMS = "It has no times and therefore no items: its values are in the Zarr store and the coverage."
"""STAC has no item without a time."""
NETCDF_TYPE = "application/x-netcdf"
"""Of coverages, which are written with tiles and overviews; QGIS adds no GeoTIFF of another type to its map."""


def collection_document(offered: Offered, context: StacContext) -> Json:
    """Return a collection."""
    language, title = context.language, text_in(offered.title, context.language) or offered.id
    cube, drawn = extensions.cube_of(offered, language), extensions.renders_of(offered.layers, language)
    links, licence = list(_links(offered, context)), licence_of(offered.license)
    summaries, service = _summaries(offered), context.services.catalogue.service
    has_times = not offered.layers or any(len(layer.times) for layer in offered.layers)
    description = (text_in(offered.abstract, language) or title) + ("" if has_times else f"\n\n{NO_ITEMS}")
    host = service.contact.name or text_in(service.title, language)
    parts = {
        extensions.DATA_CUBE_EXTENSION: bool(cube),
        PROJECTION: "proj:code" in summaries,
        extensions.RASTER: bool(own_fields(offered)),
        RENDER: bool(drawn),
        extensions.MAP_LINKS_EXTENSION: any(each["rel"] in {"xyz", "wmts", "wms"} for each in links),
        LANGUAGE: True,
    }
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [extension for extension, is_used in parts.items() if is_used],
        "id": offered.id,
        "title": title,
        "description": with_licence(description, licence),
        "keywords": list(offered.keywords),
        "language": language,
        **without_empty({"languages": [each for each in service.languages if each != language]}),
        "license": licence.stac,
        "providers": [{"name": host, "roles": ["host"], "url": context.base}] if host else [],
        **without_empty({"attribution": offered.attribution}),
        "extent": {"spatial": {"bbox": [list(box_of(offered))]}, "temporal": {"interval": [interval_of(offered)]}},
        "summaries": summaries,
        "item_assets": _item_assets(offered, language),
        **cube,
        **without_empty({"renders": drawn}),
        "links": links,
        "assets": _assets(offered, context),
    }


def _summaries(offered: Offered) -> Json:
    grids = {layer.main_variable.grid: None for layer in offered.layers if not layer.main_variable.is_mosaic}
    codes = {grid.crs.name: None for grid in grids if grid.crs.uri is not None}
    sizes = sorted({ground_resolution(grid) for grid in grids})
    return without_empty({"proj:code": list(codes), "gsd": sizes})


def _item_assets(offered: Offered, language: str) -> Json:
    return {
        name: {
            "title": text_in(layer.title, language) or layer.id,
            "type": COG_TYPE,
            "roles": ["data"],
            "bands": [band_of(layer)],
        }
        for name, layer in own_fields(offered).items()
    }


def _assets(offered: Offered, context: StacContext) -> Json:
    if not offered.layers:
        return {}
    assets: Json = {
        "thumbnail": {
            "href": f"{context.base}/layers/{quote(offered.drawn.id, safe='')}/preview.png",
            "type": MapFormat.PNG,
            "roles": ["thumbnail"],
            "title": "Picture of the newest clear time",
        }
    }
    for layer in offered.layers:
        if has_store(layer):
            assets[f"zarr-{layer.id}"] = extensions.store_asset(layer, context)
    return assets


def _links(offered: Offered, context: StacContext) -> Iterator[Json]:
    url = context.collection_url(offered.id)
    yield link("self", url, JSON_TYPE, "This collection")
    yield context.root_link
    yield link("parent", context.root, JSON_TYPE, "All collections")
    yield link("items", f"{url}/items", GEOJSON_TYPE, "Items")
    yield link(REL_QUERYABLES, f"{url}/queryables", SCHEMA_TYPE, "Properties that filters compare")
    yield from aggregation_links(url)
    feed = f"{context.base}{feed_path(offered.collection.id)}"
    yield link("alternate", feed, ATOM, "The newest items as an Atom feed")
    yield link("alternate", f"{context.base}/ogcapi/collections/{quote(offered.id)}", JSON_TYPE, "In OGC API")
    page = licence_of(offered.license).page
    if page is not None:
        yield link("license", page, "text/html", "Licence")
    for record in offered.collection.metadata:
        yield link("describedby", record.url, record.format, "Metadata record")
    for layer in offered.layers:
        yield from extensions.layer_links(layer, context).of_collection()


# Searches of collections, in pages (collection search extension).

DEFAULT_COLLECTIONS = 100
MOST_COLLECTIONS = 1000
MOST_TERMS = 20


Q = text("q", "Words, of which with commas between them any has to be in title, description, keywords or id")
LIMIT = whole(
    "limit",
    f"Collections of a page; more than {MOST_COLLECTIONS} are {MOST_COLLECTIONS}",
    least=1,
    default=DEFAULT_COLLECTIONS,
)
OF_COLLECTIONS: tuple[Parameter[object], ...] = (BBOX, DATETIME, Q, LIMIT, CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSearch:
    """Which collections are requested."""

    box: BBox | None
    span: TimeSpan | None
    terms: tuple[str, ...]
    """In lower case; empty: any."""
    limit: int
    cursor: str | None
    """The id of the last collection of the page before."""

    def takes(self, offered: Offered) -> bool:
        """Return whether a collection is one of them."""
        is_then = self.span is None or is_within(offered, self.span)
        return is_then and self._is_there(offered) and self._says(offered)

    def _is_there(self, offered: Offered) -> bool:
        if self.box is None:
            return True
        own = list(boxes_of(box_of(offered)))
        return any(_meet(one, other) for one in search_boxes(self.box) for other in own)

    def _says(self, offered: Offered) -> bool:
        texts = (offered.id, *offered.title.values(), *offered.abstract.values(), *offered.keywords)
        return not self.terms or any(term in each.lower() for each in texts for term in self.terms)


def collection_search_of(query: Kvp) -> CollectionSearch:
    """Return the search that a query requests.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_spelling((*names_of(OF_COLLECTIONS), "lang"))
    terms = tuple(each.strip().lower() for each in (Q.given(query) or "").split(",") if each.strip())
    if len(terms) > MOST_TERMS:
        raise InvalidParameter(f"q has {len(terms)} words; at most {MOST_TERMS} are accepted", locator="q")
    return CollectionSearch(
        box=BBOX.given(query),
        span=DATETIME.given(query),
        terms=terms,
        limit=min(LIMIT.of(query), MOST_COLLECTIONS),
        cursor=CURSOR.given(query),
    )


def collections_document(search: CollectionSearch, query: dict[str, str], context: StacContext) -> Json:
    """Return a page of collections; `query` is that of the request."""
    found = [each for each in stac_collections(context) if search.takes(each)]
    start = _start(found, search.cursor)
    page = found[start : start + search.limit]
    path = f"{context.root}/collections"
    own = link("self", f"{path}?{urlencode(query)}" if query else path, JSON_TYPE)
    links = [own, context.root_link, link("parent", context.root, JSON_TYPE)]
    if start + search.limit < len(found):
        following = f"{path}?{urlencode({**query, 'cursor': page[-1].id})}"
        links.append({**link("next", following, JSON_TYPE), "method": "GET"})
    return {
        "collections": [collection_document(each, context) for each in page],
        "links": links,
        "numberMatched": len(found),
        "numberReturned": len(page),
    }


def _start(found: list[Offered], cursor: str | None) -> int:
    if cursor is None:
        return 0
    ids = [each.id for each in found]
    if cursor not in ids:
        raise InvalidParameter("cursor is not that of a page of this search", locator="cursor")
    return ids.index(cursor) + 1


def _meet(one: BBox, other: BBox) -> bool:
    # Whether two boxes share a point.
    return one.xmin <= other.xmax and other.xmin <= one.xmax and one.ymin <= other.ymax and other.ymin <= one.ymax
