"""Links of collections and items to maps and pictures of a layer (web map links extension)."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Instant, Json
from chronotile.protocols.catalogue.stac.context import JSON_TYPE, StacContext
from chronotile.protocols.catalogue.stac.extensions import render_name
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in

MAP_LINKS_EXTENSION = "https://stac-extensions.github.io/web-map-links/v1.2.0/schema.json"
TILES = "WebMercatorQuad"
PREVIEW_PX = 256


@dataclass(frozen=True, slots=True)
class LayerLinks:
    """Addresses of a layer; the links of an item add the time to them."""

    layer: Layer
    title: str
    tiles: str | None
    """Template without a query; `None` if the tile matrix set of web maps is not configured."""
    tilejson: str
    wmts: str | None
    """URL of the service; `None` if it is not served."""
    wms: str | None
    preview: str
    """URL of a picture of the whole layer."""
    map: str
    """URL of a picture of a box."""

    def collection_links(self) -> Iterator[Json]:
        """Yield the links of a collection, which show the layer's default time."""
        if self.tiles is not None:
            yield {**link("xyz", self.tiles, MapFormat.PNG, self.title), "render": self._render}
            yield link("tilejson", self.tilejson, JSON_TYPE, self.title)
        if self.wmts is not None:
            yield {**link("wmts", self.wmts, MapFormat.PNG, self.title), "wmts:layer": self.layer.id}
        if self.wms is not None:
            style = self.layer.styles[0].id
            options = {"wms:layers": [self.layer.id], "wms:styles": [style], "wms:transparent": True}
            yield {**link("wms", self.wms, MapFormat.PNG, self.title), **options}

    def item_links(self, time: str | None) -> Iterator[Json]:
        """Yield the links of an item; `time` is RFC 3339, or `None` if the layer has no times."""
        if self.tiles is not None:
            tiles = self.tiles if time is None else f"{self.tiles}?datetime={time}"
            yield {**link("xyz", tiles, MapFormat.PNG, self.title), "render": self._render}
        if self.wmts is not None:
            dimensions = {} if time is None else {"wmts:dimensions": {"Time": time}}
            yield {**link("wmts", self.wmts, MapFormat.PNG, self.title), "wmts:layer": self.layer.id, **dimensions}

    def shows(self, instant: Instant) -> bool:
        """Return whether the layer has pictures of an instant.

        True without times, and for a mosaic: its times may lag behind items.
        """
        times = self.layer.times
        if self.layer.main_variable.is_mosaic or len(times) == 0:
            return True
        index = times.at_or_before(instant)
        return index is not None and bool(times.instants[index] == instant)

    def time(self, instant: Instant) -> str | None:
        """Return the time of an item for its URLs; `None` if the layer has no times."""
        return format_instant(instant) if len(self.layer.times) else None

    def picture(self, bbox: object, time: str | None) -> str:
        """Return the URL of a small picture of an item; only a mosaic is cut to the item's box."""
        dated = "" if time is None else f"&datetime={time}"
        if self.layer.main_variable.is_mosaic and isinstance(bbox, list) and len(bbox) in {4, 6}:
            half = len(bbox) // 2
            edges = ",".join(f"{edge:.6f}" for edge in (*bbox[:2], *bbox[half : half + 2]))
            return f"{self.map}?bbox={edges}{dated}&width={PREVIEW_PX}&f=png"
        return f"{self.preview}?width={PREVIEW_PX}{dated}"

    @property
    def _render(self) -> str:
        return render_name(self.layer, self.layer.styles[0].id)


def layer_links(layer: Layer, context: StacContext) -> LayerLinks:
    """Return the addresses of a layer."""
    base, name, catalogue = context.base, quote(layer.id, safe=""), context.services.catalogue
    has_tiles = any(tile_matrix_set.id == TILES for tile_matrix_set in catalogue.tile_matrix_sets)
    return LayerLinks(
        layer=layer,
        title=text_in(layer.title, context.language) or layer.id,
        tiles=f"{base}/tiles/{name}/{TILES}/{{z}}/{{x}}/{{y}}.png" if has_tiles else None,
        tilejson=f"{base}/tiles/{name}/{TILES}/tilejson.json",
        wmts=next((f"{base}{path}" for path in catalogue.service.wmts_paths), None),
        wms=next((f"{base}{path}" for path in catalogue.service.wms_paths), None),
        preview=f"{base}/layers/{name}/preview.png",
        map=f"{base}/ogcapi/collections/{name}/map",
    )
