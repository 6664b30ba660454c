"""Links by which other viewers show layers: tiles, WMTS, WMS (web-map-links extension)."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from chronotile.model.collection import Layer
from chronotile.model.time.instants import Instant, format_instant
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.stac.context import JSON_TYPE, Json, StacContext, link

EXTENSION = "https://stac-extensions.github.io/web-map-links/v1.2.0/schema.json"
TILES = "WebMercatorQuad"
PNG = "image/png"
PREVIEW_PX = 256


@dataclass(frozen=True, slots=True)
class LayerLinks:
    """Addresses of a layer, of which those of an item differ by the time alone."""

    layer: Layer
    title: str
    tiles: str | None
    """Template without a query; `None` where there are no tiles for web maps."""
    tilejson: str
    wmts: str | None
    """Address of the service; `None` where it is not served."""
    wms: str | None
    preview: str
    """A picture of all of the layer."""
    map: str
    """A picture of a box."""

    def of_collection(self) -> Iterator[Json]:
        """Yield the links of a collection, which show the layer's default time."""
        if self.tiles is not None:
            yield {**link("xyz", self.tiles, PNG, self.title), "render": self._render}
            yield link("tilejson", self.tilejson, JSON_TYPE, self.title)
        if self.wmts is not None:
            yield {**link("wmts", self.wmts, PNG, self.title), "wmts:layer": self.layer.id}
        if self.wms is not None:
            style = self.layer.styles[0].id
            named = {"wms:layers": [self.layer.id], "wms:styles": [style], "wms:transparent": True}
            yield {**link("wms", self.wms, PNG, self.title), **named}

    def of_item(self, time: str | None) -> Iterator[Json]:
        """Yield the links of an item; `time`: RFC 3339, `None` of a layer without time."""
        if self.tiles is not None:
            tiles = self.tiles if time is None else f"{self.tiles}?datetime={time}"
            yield {**link("xyz", tiles, PNG, self.title), "render": self._render}
        if self.wmts is not None:
            dimensions = {} if time is None else {"wmts:dimensions": {"Time": time}}
            yield {**link("wmts", self.wmts, PNG, self.title), "wmts:layer": self.layer.id, **dimensions}

    def shows(self, instant: Instant) -> bool:
        """Return whether the layer has pictures of an instant; a mosaic learns of new ones later than its index."""
        times = self.layer.times
        if self.layer.main_variable.is_mosaic or len(times) == 0:
            return True
        index = times.at_or_before(instant)
        return index is not None and bool(times.instants[index] == instant)

    def time(self, instant: Instant) -> str | None:
        """Return the time of the addresses of an item."""
        return format_instant(instant) if len(self.layer.times) else None

    def picture(self, bbox: object, time: str | None) -> str:
        """Return the address of a small picture of an item: of its box, if the layer is a mosaic."""
        dated = "" if time is None else f"&datetime={time}"
        if self.layer.main_variable.is_mosaic and isinstance(bbox, list) and len(bbox) in {4, 6}:
            half = len(bbox) // 2
            edges = ",".join(f"{edge:.6f}" for edge in (*bbox[:2], *bbox[half : half + 2]))
            return f"{self.map}?bbox={edges}{dated}&width={PREVIEW_PX}&f=png"
        return f"{self.preview}?width={PREVIEW_PX}{dated}"

    @property
    def _render(self) -> str:
        return render_name(self.layer, self.layer.styles[0].id)


def render_name(layer: Layer, style: str) -> str:
    """Return the name under which a collection lists a style of a layer."""
    return f"{layer.id}:{style}"


def layer_links(layer: Layer, context: StacContext) -> LayerLinks:
    """Return the addresses of a layer."""
    base, name, catalogue = context.base, quote(layer.id, safe=""), context.services.catalogue
    has_tiles = any(each.id == TILES for each in catalogue.tile_matrix_sets)
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
