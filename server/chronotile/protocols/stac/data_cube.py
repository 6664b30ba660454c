"""Collections as cubes: dimensions and variables (datacube extension), and what is known of numbers and grids."""

from collections.abc import Mapping
from math import hypot

from chronotile.catalog.offered import Offered
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import NativeGrid
from chronotile.model.number_text import json_nodata
from chronotile.model.raster import Encoding
from chronotile.model.time.instants import TimeDomain, format_instant
from chronotile.model.time.steps import DEKAD, step_of
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.stac.context import Json

EXTENSION = "https://stac-extensions.github.io/datacube/v2.2.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
DATA_TYPES = frozenset(
    {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)} | {"float16", "float32", "float64"}
)


def cube_of(offered: Offered, language: str) -> Json:
    """Return the dimensions and variables of a collection; `{}` of one of scenes, or of colours alone."""
    fields = own_fields(offered)
    if not fields:
        return {}
    first = next(iter(fields.values()))
    times = _time(offered.times)
    axes = [*times, "y", "x"]
    return {
        "cube:dimensions": {**times, **_space(first.main_variable.grid)},
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


def own_fields(offered: Offered) -> Mapping[str, Layer]:
    """Return the layers with values that share one grid, by the names of their variables; none of a mosaic."""
    return {name: layer for name, layer in offered.fields.items() if not layer.main_variable.is_mosaic}


def band_of(layer: Layer) -> Json:
    """Return what is known of the numbers of a layer, as bands of STAC have it."""
    variable = layer.main_variable
    encoding = variable.encoding
    band: Json = {"name": variable.name, "data_type": _data_type(encoding)}
    if encoding.nodata is not None:
        band["nodata"] = json_nodata(encoding.nodata)
    if encoding.units != "1":
        band["unit"] = encoding.units
    if (encoding.scale, encoding.offset) != (1.0, 0.0):
        band |= {"raster:scale": encoding.scale, "raster:offset": encoding.offset}
    return {**band, "raster:spatial_resolution": ground_resolution(variable.grid)}


def ground_resolution(grid: NativeGrid) -> float:
    """Return the side of a cell in metres, about."""
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
    return {
        "time": {
            "type": "temporal",
            "extent": [first, last],
            "step": None if step == DEKAD else step,
        }
    }


def _data_type(encoding: Encoding) -> str:
    return encoding.dtype if encoding.dtype in DATA_TYPES else "other"
