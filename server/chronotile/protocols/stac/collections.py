"""Collections as STAC has them (STAC 1.1)."""

from collections.abc import Iterator
from urllib.parse import quote, urlencode

from chronotile.archive.index.file_items import PROJECTION
from chronotile.catalog.offered import Offered
from chronotile.model.licence import licence_of, with_licence
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.protocols.common.item_links import ATOM, feed_path
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.stac import data_cube, map_links, renders
from chronotile.protocols.stac.context import (
    GEOJSON_TYPE,
    JSON_TYPE,
    REL_QUERYABLES,
    SCHEMA_TYPE,
    STAC_VERSION,
    Json,
    StacContext,
    link,
)
from chronotile.protocols.stac.data_cube import band_of, ground_resolution, own_fields
from chronotile.protocols.stac.extents import box_of, interval_of
from chronotile.protocols.stac.landing import aggregation_links
from chronotile.styling.renders import EXTENSION as RENDER

LANGUAGE = "https://stac-extensions.github.io/language/v1.0.0/schema.json"
ZARR_TYPE = "application/vnd.zarr; version=3"
NO_ITEMS = "It has no times and therefore no items: its values are in the Zarr store and the coverage."
"""STAC has no item without a time."""
COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
NETCDF_TYPE = "application/x-netcdf"
"""Of coverages, which are written with tiles and overviews; QGIS adds no GeoTIFF of another type to its map."""


def collection_document(offered: Offered, context: StacContext) -> Json:
    """Return a collection."""
    language, title = context.language, text_in(offered.title, context.language) or offered.id
    cube, drawn = data_cube.cube_of(offered, language), renders.renders_of(offered.layers, language)
    links, licence = list(_links(offered, context)), licence_of(offered.license)
    summaries = _summaries(offered)
    parts = {
        data_cube.EXTENSION: bool(cube),
        PROJECTION: "proj:code" in summaries,
        data_cube.RASTER: bool(own_fields(offered)),
        RENDER: bool(drawn),
        map_links.EXTENSION: any(each["rel"] in {"xyz", "wmts", "wms"} for each in links),
        LANGUAGE: True,
    }
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [extension for extension, is_used in parts.items() if is_used],
        "id": offered.id,
        "title": title,
        "description": with_licence(_description(offered, text_in(offered.abstract, language) or title), licence),
        "keywords": list(offered.keywords),
        "language": language,
        **_languages(context),
        "license": licence.stac,
        "providers": _providers(context),
        **({"attribution": offered.attribution} if offered.attribution else {}),
        "extent": {
            "spatial": {"bbox": [list(box_of(offered))]},
            "temporal": {"interval": [interval_of(offered)]},
        },
        "summaries": summaries,
        "item_assets": _item_assets(offered, language),
        **cube,
        **({"renders": drawn} if drawn else {}),
        "links": links,
        "assets": _assets(offered, context),
    }


def _description(offered: Offered, text: str) -> str:
    has_times = any(len(layer.times) for layer in offered.layers)
    return text if has_times else f"{text}\n\n{NO_ITEMS}"


def _languages(context: StacContext) -> Json:
    others = [each for each in context.services.catalogue.service.languages if each != context.language]
    return {"languages": others} if others else {}


def _providers(context: StacContext) -> list[Json]:
    service = context.services.catalogue.service
    name = service.contact.name or text_in(service.title, context.language)
    return [{"name": name, "roles": ["host"], "url": context.base}] if name else []


def _summaries(offered: Offered) -> Json:
    grids = {layer.main_variable.grid: None for layer in offered.layers if not layer.main_variable.is_mosaic}
    codes = {grid.crs.name: None for grid in grids if grid.crs.uri is not None}
    sizes = sorted({ground_resolution(grid) for grid in grids})
    return {**({"proj:code": list(codes)} if codes else {}), **({"gsd": sizes} if sizes else {})}


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
    base = context.base
    assets: Json = {
        "thumbnail": {
            "href": f"{base}/layers/{quote(offered.drawn.id, safe='')}/preview.png",
            "type": "image/png",
            "roles": ["thumbnail"],
            "title": "Picture of the newest clear time",
        }
    }
    for layer in offered.layers:
        if has_store(layer):
            assets[f"zarr-{layer.id}"] = {
                "href": f"{base}/zarr/{quote(layer.id, safe='')}",
                "type": ZARR_TYPE,
                "roles": ["data"],
                "title": f"{text_in(layer.title, context.language) or layer.id}: Zarr store of all times",
            }
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
        yield from map_links.layer_links(layer, context).of_collection()


def page_link(rel: str, path: str, query: dict[str, str]) -> Json:
    """Return a link to a page of collections."""
    return link(rel, f"{path}?{urlencode(query)}" if query else path, JSON_TYPE)
