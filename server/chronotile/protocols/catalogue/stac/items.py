"""STAC items: documents of the index with URLs of this server."""

from urllib.parse import quote

from chronotile.archive.index.file_items import PROJECTION, STAC_VERSION, projection_of
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import COG_TYPE, NETCDF_TYPE, MapFormat
from chronotile.core.model.items import FoundItem
from chronotile.core.model.types import Instant, Json
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.encoders.coverage.cog import has_geo_tags
from chronotile.pipeline.search.public_item import public_item
from chronotile.protocols.catalogue.stac.context import (
    GEOJSON_TYPE,
    JSON_TYPE,
    StacContext,
    has_layers,
    stac_collection,
)
from chronotile.protocols.catalogue.stac.extensions import RASTER, band_of, own_fields, store_asset
from chronotile.protocols.catalogue.stac.layer_links import MAP_LINKS_EXTENSION, LayerLinks, layer_links
from chronotile.protocols.common.links import asset_path, link, quote_segment

MAX_LAYERS = 8
"""Layers of a collection in the links of each item; the collection links to all of them."""


class StacItems:
    """Makes the items of one answer; parts that all items of a collection share are made once."""

    def __init__(self, context: StacContext) -> None:
        self._context = context
        self._collections: dict[str, _OfCollection] = {}

    def document(self, item: FoundItem) -> Json:
        """Return an item: a GeoJSON Feature.

        Raises:
            SourceUnavailable: The stored document is not an item.
        """
        common = self._collections.get(item.collection)
        if common is None:
            common = self._collections[item.collection] = _OfCollection(item.collection, self._context)
        return common.document(item)


class _OfCollection:
    def __init__(self, collection: str, context: StacContext) -> None:
        self._context = context
        url = context.collection_url(collection)
        self._items = f"{url}/items/"
        self._links = [context.root_link, link("parent", url, JSON_TYPE), link("collection", url, JSON_TYPE)]
        offered = stac_collection(collection, context) if has_layers(collection, context) else None
        layers = () if offered is None else offered.layers[:MAX_LAYERS]
        fields = {} if offered is None else own_fields(offered)
        self._layers = [layer_links(layer, context) for layer in layers]
        self._computed = [_Computed(layer, context) for layer in fields.values()]

    def document(self, item: FoundItem) -> Json:
        document = public_item(item, self._context.services.source_hrefs.get(item.collection))
        instant = item.ref.instant
        shown_links = [(links, links.time(instant)) for links in self._layers if links.shows(instant)]
        maps = [map_link for links, time in shown_links for map_link in links.item_links(time)]
        document["type"], document["stac_version"] = "Feature", STAC_VERSION
        self_link = link("self", self._items + quote(item.ref.id, safe=""), GEOJSON_TYPE)
        document["links"] = [self_link, *self._links, *maps]
        self._add_assets(document, item, shown_links)
        if maps:
            _add_extensions(document, MAP_LINKS_EXTENSION)
        return document

    def _add_assets(self, document: Json, item: FoundItem, shown_links: list[tuple[LayerLinks, str | None]]) -> None:
        assets, base, instant = document["assets"], self._context.base, item.ref.instant
        files = base + asset_path(item.product, "")
        for name, asset in assets.items():
            asset["href"] = files + quote_segment(name)
        computed = [values for values in self._computed if values.is_missing(assets) and values.links.shows(instant)]
        for values in computed:
            assets |= values.assets(instant)
        if computed:
            _add_extensions(document, PROJECTION, RASTER)
        if shown_links and "thumbnail" not in assets:
            first, time = next((pair for pair in shown_links if pair[0].layer.is_composite), shown_links[0])
            assets["thumbnail"] = {
                "href": first.picture(document.get("bbox"), time),
                "type": MapFormat.PNG,
                "roles": ["thumbnail"],
                "title": first.title,
            }


class _Computed:
    """The values of a layer as an asset, for items that have no file with them."""

    def __init__(self, layer: Layer, context: StacContext) -> None:
        self.links = layer_links(layer, context)
        variable, name = layer.main_variable, quote(layer.id, safe="")
        self._name = variable.name
        self._is_derived = variable.is_derived
        # COG_TYPE: coverages have tiles and overviews, and QGIS adds no GeoTIFF of another type to its map.
        form, media_type = ("GTiff", COG_TYPE) if has_geo_tags(variable.grid.crs) else ("NetCDF", NETCDF_TYPE)
        self._href = f"{context.base}/ogcapi/collections/{name}/coverage?f={form}"
        self._members = {
            "type": media_type,
            "roles": ["data"],
            "title": self.links.title,
            "bands": [band_of(layer)],
            **{key: value for key, value in projection_of(variable.grid).items() if key != "proj:epsg"},
        }
        self._stores = {f"zarr-{variable.name}": store_asset(layer, context)} if has_store(layer) else {}

    def is_missing(self, assets: Json) -> bool:
        """Return whether an item lacks these values: it has no assets, or the values are derived and not among them."""
        return self._name not in assets and (self._is_derived or not assets)

    def assets(self, instant: Instant) -> Json:
        """Return the assets of an item: a coverage of its time, and the store of all times if the layer has one."""
        time = self.links.time(instant)
        href = self._href if time is None else f"{self._href}&datetime={time}"
        return {self._name: {"href": href, **self._members}, **self._stores}


def _add_extensions(document: Json, *extensions: str) -> None:
    listed = document["stac_extensions"]
    document["stac_extensions"] = [*listed, *(extension for extension in extensions if extension not in listed)]
