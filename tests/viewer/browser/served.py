"""An archive for scenarios of the viewer; its numbers follow formulas of time, row and column, as in `formula.mjs`.

`python -m tests.viewer.browser.served PORT` serves it until it is stopped. All layers except `polar` and `dateline`
have the cells of tile matrix 12 of WebMercatorQuad, from tile column 2090 and tile row 1370 on (Ghent).
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray
from affine import Affine
from rasterio.crs import CRS

from tests.logos import logo_bytes
from tests.scenes import save_zarr

TILE_COLUMN, TILE_ROW, ZOOM = 2090, 1370, 12
HALF_WORLD_M = 20037508.342789244
CELL_M = 2 * HALF_WORLD_M / (256 << ZOOM)
GHENT = Affine(CELL_M, 0, TILE_COLUMN * 256 * CELL_M - HALF_WORLD_M, 0, -CELL_M, HALF_WORLD_M - TILE_ROW * 256 * CELL_M)
NORTH_CAPE_3035 = Affine(500.0, 0, 4_700_000.0, 0, -500.0, 5_400_000.0)
"""500 m, about 20 to 26 degrees east and 69 to 71.5 north."""
DATELINE_3832 = Affine(1000.0, 0, 3_200_000.0, 0, -1000.0, -1_800_000.0)
"""1 km cells of a Mercator grid centred on 150 degrees east; 180 degrees are at x 3,339,584.7, Fiji."""

Formula = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Numbers of (t, row, column), in their common shape."""


def every(step: int, first: str, count: int) -> np.ndarray:
    """Return `count` days, `step` apart."""
    return np.datetime64(first, "D") + np.timedelta64(step, "D") * np.arange(count)


def is_cloud(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return a mask in blocks of 32 cells: 3t mod 8 of 10 blocks are cloudy at time t, and all if t mod 73 is 11."""
    turn = (5 * (row // 32) + 3 * (column // 32) + 7 * t) % 10
    return (turn < 3 * t % 8) | (t % 73 == 11)


def ramp_of(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return numbers from 0 to 250."""
    return (row + 2 * column + 5 * t) % 251


def cloudy(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    return np.where(is_cloud(t, row, column), 255, ramp_of(t, row, column))


def flagged(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return 252 for clouds, 251 for snow in the first 16 rows, and nodata, 255, in the last 16 columns."""
    numbers = np.where(is_cloud(t, row, column), 252, ramp_of(t, row, column))
    return np.where(column >= 240, 255, np.where(row < 16, 251, numbers))


def shorts(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    numbers = (3 * row + 5 * column + 11 * t) % 7000 - 200
    return np.where(is_cloud(t, row, column), -32768, numbers)


def fractions(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return thousandths from 0 to 0.999, rounded to float32."""
    numbers = (7 * row + 3 * column + 13 * t) % 1000 / 1000
    return np.where(is_cloud(t, row, column), np.nan, numbers)


def classes(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return classes 1 to 11 in blocks of 8 cells."""
    return (row // 8 + 2 * (column // 8) + t) % 11 + 1


@dataclass(frozen=True, kw_only=True)
class Store:
    """A Zarr store of `size` by `size` cells."""

    name: str
    formulas: dict[str, Formula]
    """Formulas by variable."""
    times: np.ndarray | None = field(default_factory=lambda: every(5, "2019-01-01", 12))
    size: int = 256
    crs: str = "EPSG:3857"
    transform: Affine = GHENT
    dtype: str = "uint8"
    nodata: float | None = 255
    scale: tuple[float, float] | None = (0.004, -0.08)
    """Scale and offset."""
    ends: np.ndarray | None = None
    """Ends of the periods that start at the times; without them, each time is a day or an instant."""

    def numbers(self, formula: Formula) -> np.ndarray:
        """Return the numbers as (time, y, x), or (y, x) without time."""
        t, row, column = np.ogrid[: 1 if self.times is None else len(self.times), : self.size, : self.size]
        numbers = formula(t, row, column).astype(self.dtype)
        return numbers[0] if self.times is None else numbers

    def write(self, folder: Path) -> None:
        """Write the numbers as CF has them, and every second and fourth row and column of them as overviews."""
        cells = np.arange(self.size) + 0.5
        dims = ("y", "x") if self.times is None else ("time", "y", "x")
        attrs: dict[str, object] = {"grid_mapping": "spatial_ref", "units": "1"}
        if self.nodata is not None:
            attrs["_FillValue"] = np.dtype(self.dtype).type(self.nodata)
        if self.scale is not None:
            attrs |= {"scale_factor": self.scale[0], "add_offset": self.scale[1]}
        is_geographic = self.crs == "EPSG:4326"
        y, x = ("latitude", "longitude") if is_geographic else ("projection_y_coordinate", "projection_x_coordinate")
        coordinates = {
            "y": ("y", self.transform.f + self.transform.e * cells, {"standard_name": y}),
            "x": ("x", self.transform.c + self.transform.a * cells, {"standard_name": x}),
        }
        if self.times is not None:
            coordinates["time"] = ("time", self.times.astype("datetime64[ns]"), {})
        if self.times is not None and self.ends is not None:
            coordinates["time"] = (*coordinates["time"][:2], {"bounds": "time_bnds"})
            bounds = np.stack([self.times, self.ends], axis=1).astype("datetime64[ns]")
            coordinates["time_bnds"] = (("time", "nv"), bounds, {})
        mapping = {"crs_wkt": CRS.from_user_input(self.crs).to_wkt()}
        variables = {name: (dims, self.numbers(formula), attrs) for name, formula in self.formulas.items()}
        whole = xarray.Dataset({**variables, "spatial_ref": ((), 0, mapping)}, coordinates)
        chunks = {"chunks": (128, 128) if self.times is None else (16, 128, 128)}
        for level, step in enumerate((1, 2, 4)):
            # A cell of an overview covers `step` by `step` cells, and has the number of the first.
            shift = (step - 1) / 2
            thinned = whole.isel(y=slice(None, None, step), x=slice(None, None, step)).assign_coords(
                y=("y", whole["y"].values[::step] + shift * self.transform.e, whole["y"].attrs),
                x=("x", whole["x"].values[::step] + shift * self.transform.a, whole["x"].attrs),
            )
            encodings = dict.fromkeys(self.formulas, chunks)
            save_zarr(thinned, folder / f"{self.name}.zarr", group=str(level), version=3, **encodings)


DEKADS = np.array([f"2023-{month:02}-{day}" for month in range(3, 9) for day in ("01", "11", "21")], "datetime64[D]")
NDVI_TIMES = every(5, "2019-01-01", 73)
YEARS = np.concatenate([every(5, f"{year}-01-01", 73) for year in (2018, 2019, 2020)])
STORES = (
    Store(name="ndvi", formulas={"value": cloudy}, times=NDVI_TIMES, size=512),
    Store(name="ndvi_years", formulas={"value": cloudy}, times=YEARS),
    Store(
        name="lai16",
        formulas={"value": shorts},
        times=NDVI_TIMES,
        dtype="int16",
        nodata=-32768,
        scale=(0.001, 0.0),
    ),
    Store(name="fapar_float", formulas={"value": fractions}, dtype="float32", nodata=np.nan, scale=None),
    Store(name="classes", formulas={"value": classes}, scale=None, nodata=0),
    Store(name="flagged", formulas={"value": flagged}),
    Store(
        name="rgb",
        formulas={
            "red": ramp_of,
            "green": lambda t, row, column: ramp_of(t, column, row),
            "blue": lambda t, row, column: ramp_of(2 * t, row, row + column),
        },
        scale=None,
    ),
    Store(name="static", formulas={"value": ramp_of}, times=None),
    Store(name="one", formulas={"value": ramp_of}, times=every(1, "2019-06-01", 1)),
    Store(
        name="hours",
        formulas={"value": ramp_of},
        times=np.datetime64("2019-09-28T10", "h") + np.timedelta64(12, "h") * np.arange(3),
    ),
    Store(
        name="dekads",
        formulas={"value": ramp_of},
        times=DEKADS,
        ends=np.append(DEKADS[1:], np.datetime64("2023-09-01")),
    ),
    Store(name="long", formulas={"value": cloudy}, times=every(4, "2010-01-01", 1000), size=64),
    Store(name="polar", formulas={"value": ramp_of}, crs="EPSG:3035", transform=NORTH_CAPE_3035, size=400),
    Store(name="dateline", formulas={"value": ramp_of}, crs="EPSG:3832", transform=DATELINE_3832, size=300),
)

CONFIGURATION = """
service: {title: Fixtures of the viewer's scenarios, logo: logo.png}
collections:
  main:
    title: Numbers by formulas
    attribution: Formulas, made for tests
    source: {kind: zarr, href: ndvi.zarr}
    variables:
      value: {layer: ndvi, title: NDVI of 2019, range: [-0.08, 0.92], styles: [ndvi, numbers, viridis]}
  years:
    source: {kind: zarr, href: ndvi_years.zarr}
    variables:
      value: {layer: ndvi_years, title: NDVI of three years, range: [-0.08, 0.92], styles: [ndvi, numbers]}
  lai:
    source: {kind: zarr, href: lai16.zarr}
    variables: {value: {layer: lai16, title: LAI of 16 bits, range: [0, 7], styles: [lai, greys]}}
  fapar:
    source: {kind: zarr, href: fapar_float.zarr}
    variables: {value: {layer: fapar_float, title: FAPAR of floats, range: [0, 1], styles: [fapar, greys]}}
  scenes:
    source: {kind: zarr, href: classes.zarr}
    variables: {value: {layer: classes, title: Classes, styles: [scene-classes]}}
  flags:
    source: {kind: zarr, href: flagged.zarr}
    variables:
      value:
        layer: flagged
        title: NDVI with flags
        range: [-0.08, 0.92]
        flags: {251: snow, 252: cloud}
        styles: [ndvi, numbers]
  rgb_data:
    source: {kind: zarr, href: rgb.zarr}
    variables: {red: {styles: [greys]}, green: {styles: [greys]}, blue: {styles: [greys]}}
    composites: {colours: {layer: rgb, title: Three colours, variables: [red, green, blue], range: [0, 250]}}
  static_data:
    source: {kind: zarr, href: static.zarr}
    variables: {value: {layer: static, title: One state, range: [-0.08, 0.92], styles: [numbers]}}
  one_data:
    source: {kind: zarr, href: one.zarr}
    variables: {value: {layer: one, title: One date, range: [-0.08, 0.92], styles: [numbers]}}
  hours_data:
    source: {kind: zarr, href: hours.zarr}
    variables:
      value: {layer: hours, title: Twice a day, units: mg m^-3, range: [-0.08, 0.92], styles: [numbers]}
  dekads_data:
    source: {kind: zarr, href: dekads.zarr}
    variables: {value: {layer: dekads, title: Dekads of 2023, range: [-0.08, 0.92], styles: [numbers]}}
  long_data:
    source: {kind: zarr, href: long.zarr}
    variables: {value: {layer: long, title: A thousand dates, range: [-0.08, 0.92], styles: [ndvi, numbers]}}
  polar_data:
    source: {kind: zarr, href: polar.zarr}
    variables: {value: {layer: polar, title: Far north, range: [-0.08, 0.92], styles: [numbers]}}
  dateline_data:
    source: {kind: zarr, href: dateline.zarr}
    variables: {value: {layer: dateline, title: Across 180 degrees, range: [-0.08, 0.92], styles: [numbers]}}
places:
  fields: {title: Fields, href: fields.geojson, id: code, label: name, fields: [crop]}
"""

NUMBERS_STYLE = """
title: Number as grey
range: [-0.08, 0.92]
ramp: {-0.08: "#000000", 0.92: "#fafafa"}
"""
"""Paints digital number `n` of the layers with scale 0.004 and offset -0.08 as the grey of exactly `n`."""

FIELD_CELLS = 40
"""Cells on each side of a field."""


def lon_lat(row: float, column: float) -> tuple[float, float]:
    """Return longitude and latitude of a cell corner in the grid at Ghent."""
    x, y = GHENT @ (column, row)
    lat = np.degrees(2 * np.arctan(np.exp(y / HALF_WORLD_M * np.pi)) - np.pi / 2)
    return x / HALF_WORLD_M * 180, float(lat)


def field_feature(number: int) -> dict[str, object]:
    """Return the square field of that number, FIELD_CELLS wide; the fields are 60 cells apart, in rows of 3."""
    row, column = 20 + 60 * (number // 3), 20 + 60 * (number % 3)
    corners = [(0, 0), (FIELD_CELLS, 0), (FIELD_CELLS, FIELD_CELLS), (0, FIELD_CELLS), (0, 0)]
    ring = [lon_lat(row + down, column + right) for down, right in corners]
    properties = {"code": f"F{number}", "name": f"Field {number}", "crop": ["maize", "wheat"][number % 2]}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def write_archive(folder: Path) -> Path:
    """Write stores, styles, places and configuration; return the path of the configuration."""
    for store in STORES:
        store.write(folder)
    (folder / "styles").mkdir()
    (folder / "styles" / "numbers.yaml").write_text(NUMBERS_STYLE, encoding="utf-8")
    fields = {"type": "FeatureCollection", "features": [field_feature(number) for number in range(6)]}
    (folder / "fields.geojson").write_text(json.dumps(fields), encoding="utf-8")
    (folder / "logo.png").write_bytes(logo_bytes())
    configuration = folder / "chronotile.yaml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    return configuration


def main() -> None:
    """Serve the archive on the port in the arguments."""
    from chronotile.cli.main import app

    with TemporaryDirectory() as folder:
        app(["serve", str(write_archive(Path(folder))), "--port", sys.argv[1]])


if __name__ == "__main__":
    main()
