"""Parts of STAC documents that extensions define: renders, bands, and collections as data cubes."""

from collections.abc import Mapping, Sequence
from math import hypot
from urllib.parse import quote

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Composite, Layer
from chronotile.core.model.number_text import json_nodata
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Style
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.steps import DEKAD_STEP, step_of
from chronotile.core.model.types import Json
from chronotile.pipeline.styling.write_style import render_of_composite, render_of_style
from chronotile.protocols.catalogue.stac.context import StacContext
from chronotile.protocols.common.localised_text import text_in


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


ZARR_TYPE = "application/vnd.zarr; version=3"


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
