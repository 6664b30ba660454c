"""Parts of STAC documents that extensions define: links to maps, renders, and collections as data cubes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from urllib.parse import quote

import numpy as np

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Composite, Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.number_text import json_nodata
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Style
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan, format_instant
from chronotile.core.model.time.steps import DEKAD_STEP, step_of
from chronotile.core.model.types import Instant, Json
from chronotile.pipeline.styling.write_style import render_of_composite, render_of_style
from chronotile.protocols.catalogue.stac.context import JSON_TYPE, StacContext
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in

# Styles as other renderers take them (render extension).


def renders_of(layers: Sequence[Layer], language: str) -> Json:
    """Return the styles of layers as renders, by `render_name`; their ranges and classes are digital numbers of assets.

    Layers without assets have no render.
    """
    return {
        render_name(layer, style.id): _render(layer, style, language)
        for layer in layers
        for style in layer.styles
        # Items of a mosaic have no assets with derived values.
        if not any(variable.is_mosaic and variable.is_derived for variable in layer.variables)
    }


def _render(layer: Layer, style: Style, language: str) -> Json:
    title = text_in(layer.title, language) or layer.id
    render: Json = {
        "title": f"{title}: {style.title}",
        "assets": [variable.name for variable in layer.variables],
        "resampling": layer.resampling,
    }
    content = layer.content
    if isinstance(content, Composite):
        return {**render, **render_of_composite(content)}
    return {**render, **render_of_style(style, content.encoding)}


DATA_CUBE_EXTENSION = "https://stac-extensions.github.io/datacube/v2.2.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
DATA_TYPES = frozenset(
    {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)} | {"float16", "float32", "float64"}
)


def cube_of(offered: OfferedCollection, language: str) -> Json:
    """Return the dimensions and variables of a collection; empty if it has only mosaics or composites."""
    fields = own_fields(offered)
    if not fields:
        return {}
    first = next(iter(fields.values()))
    times = _time(offered.times)
    axes = [*times, "y", "x"]
    return {
        "cube:dimensions": {**times, **_space(first.main_variable.grid.from_west)},
        "cube:variables": {
            name: {
                "dimensions": axes if len(layer.times) else axes[-2:],
                "type": "data",
                "description": text_in(layer.title, language) or layer.id,
                "unit": layer.main_variable.encoding.units,
            }
            for name, layer in fields.items()
        },
    }


def own_fields(offered: OfferedCollection) -> Mapping[str, Layer]:
    """Return the layers with values on one common grid, without mosaics, by the names of their variables."""
    return {name: layer for name, layer in offered.fields.items() if not layer.main_variable.is_mosaic}


def band_of(layer: Layer) -> Json:
    """Return data type, nodata, unit, scale and resolution of a layer as a STAC band."""
    variable = layer.main_variable
    encoding = variable.encoding
    data_type = encoding.dtype if encoding.dtype in DATA_TYPES else "other"
    band: Json = {"name": variable.name, "data_type": data_type}
    if encoding.nodata is not None:
        band["nodata"] = json_nodata(encoding.nodata)
    if encoding.units != "1":
        band["unit"] = encoding.units
    if (encoding.scale, encoding.offset) != (1.0, 0.0):
        band |= {"raster:scale": encoding.scale, "raster:offset": encoding.offset}
    return {**band, "raster:spatial_resolution": ground_resolution(variable.grid)}


def ground_resolution(grid: NativeGrid) -> float:
    """Return the approximate side of a cell in metres, to six digits."""
    transform = grid.transform
    side = min(hypot(transform.a, transform.d), hypot(transform.b, transform.e))
    return float(f"{side * grid.crs.metres_per_unit:.6g}")


def _space(grid: NativeGrid) -> Json:
    box, is_upright = grid.bbox, grid.transform.b == 0 and grid.transform.d == 0
    system = 4326 if grid.crs == CRS84 else grid.crs.epsg or grid.crs.definition.to_wkt()
    sides = {"x": (box.xmin, box.xmax, grid.steps[0]), "y": (box.ymin, box.ymax, grid.steps[1])}
    return {
        axis: {
            "type": "spatial",
            "axis": axis,
            "extent": [low, high],
            "reference_system": system,
            **({"step": step} if is_upright else {}),
        }
        for axis, (low, high, step) in sides.items()
    }


def _time(times: TimeDomain) -> Json:
    if len(times) == 0:
        return {}
    first, last = (format_instant(times.instants[index]) for index in (0, -1))
    step = step_of(times)
    return {"time": {"type": "temporal", "extent": [first, last], "step": None if step == DEKAD_STEP else step}}


def is_within(offered: OfferedCollection, span: TimeSpan) -> bool:
    """Return whether a collection may have data within a span; true for a collection without times."""
    stated = offered.collection.stated
    if stated is not None:
        first, last = stated.first or DISTANT_PAST, stated.last or DISTANT_FUTURE
        return bool(first < span.end and last >= span.start)
    times = offered.times
    return len(times) == 0 or bool(times.starts[0] < span.end and np.max(times.ends) > span.start)


MAP_LINKS_EXTENSION = "https://stac-extensions.github.io/web-map-links/v1.2.0/schema.json"
ZARR_TYPE = "application/vnd.zarr; version=3"
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
        """Return whether the layer has pictures of an instant; true for any mosaic: its times may lag behind items."""
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


def store_asset(layer: Layer, context: StacContext) -> Json:
    """Return the Zarr store of a layer as an asset."""
    return {
        "href": f"{context.base}/zarr/{quote(layer.id, safe='')}",
        "type": ZARR_TYPE,
        "roles": ["data"],
        "title": f"{text_in(layer.title, context.language) or layer.id}: Zarr store of all times",
    }


def render_name(layer: Layer, style: str) -> str:
    """Return the name of a style of a layer in the renders of a collection."""
    return f"{layer.id}:{style}"


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
