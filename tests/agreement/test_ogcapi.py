"""One pixel has the same value in OGC API as in the other protocols: coverage, position, area, map and tile."""

import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
import xarray
from affine import Affine
from PIL import Image
from zarr.storage import ZipStore

from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from tests.agreement.scenes_served import (
    DAY_INDEX,
    EACH_SCENE_AND_KIND,
    SAMPLES,
    SCENES,
    TILE_PX,
    Served,
    as_covered,
    colour,
    native_tile,
    pixels,
    sampled,
    told,
    values_at,
)
from tests.decimals import statistic

COLLECTION = "/ogcapi/collections/NDVI"
TIME = "datetime=2020-01-21"
INFO = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=NDVI&QUERY_LAYERS=NDVI&STYLES=&FORMAT=image/png"
    f"&INFO_FORMAT=application/json&TIME=2020-01-21&CRS=EPSG:3857&WIDTH={TILE_PX}&HEIGHT={TILE_PX}"
)


@dataclass(frozen=True)
class Cells:
    """The one time of a coverage as a client reads it."""

    values: np.ndarray
    """(y, x), NaN without a value."""
    transform: Affine

    def at(self, x: float, y: float) -> float | None:
        """Return the value of the cell that holds a place."""
        column, row = ~self.transform @ (x, y)
        value = float(self.values[math.floor(row), math.floor(column)])
        return None if math.isnan(value) else value


def read_geotiff(body: bytes, _folder: Path) -> Cells:
    with rasterio.open(io.BytesIO(body)) as file:
        numbers = file.read(1)
        values = np.where(numbers == file.nodata, np.nan, numbers * file.scales[0] + file.offsets[0])
        return Cells(values, file.transform)


def read_netcdf(body: bytes, _folder: Path) -> Cells:
    with xarray.open_dataset(io.BytesIO(body), engine="h5netcdf") as dataset:
        return cells_of_dataset(dataset)


def read_zarr(body: bytes, folder: Path) -> Cells:
    path = folder / "coverage.zarr.zip"
    path.write_bytes(body)
    with ZipStore(path, mode="r") as store, xarray.open_zarr(store) as dataset:
        return cells_of_dataset(dataset)


def read_covjson(body: bytes, _folder: Path) -> Cells:
    document = json.loads(body)
    (found,) = document["ranges"].values()
    shape = dict(zip(found["axisNames"], found["shape"], strict=True))
    values = np.array(found["values"], dtype=float).reshape(shape["y"], shape["x"])
    x, y = (regular(document["domain"]["axes"][name]) for name in ("x", "y"))
    return Cells(values, transform_of(x, y))


def regular(axis: dict[str, float]) -> np.ndarray:
    return np.linspace(axis["start"], axis["stop"], axis["num"])


def cells_of_dataset(dataset: xarray.Dataset) -> Cells:
    (array,) = (each for each in dataset.data_vars.values() if each.ndim == 3)
    x, y = (dataset[name].values for name in reversed(array.dims[-2:]))
    return Cells(array.values[0], transform_of(x, y))


def transform_of(x: np.ndarray, y: np.ndarray) -> Affine:
    step_x, step_y = ((axis[-1] - axis[0]) / (len(axis) - 1) for axis in (x, y))
    return Affine(step_x, 0, x[0] - step_x / 2, 0, step_y, y[0] - step_y / 2)


READERS: dict[str, Callable[[bytes, Path], Cells]] = {
    "GTiff": read_geotiff,
    "NetCDF": read_netcdf,
    "zarr": read_zarr,
    "json": read_covjson,
}


def positions_at(client, places) -> list[float | None]:
    """Return the value of EDR at each point at the instant."""
    values = []
    for _row, _column, longitude, latitude in places:
        answer = client.get(f"{COLLECTION}/position?coords=POINT({longitude!r} {latitude!r})&{TIME}")
        values += answer.json()["ranges"]["NDVI"]["values"]
    return values


def infos_at(served: Served, places) -> list[float | None]:
    """Return the value of GetFeatureInfo at each point at the instant."""
    box = ",".join(map(repr, native_tile(served).bbox))
    return [told(served.client.get(f"{INFO}&BBOX={box}&I={column}&J={row}")) for row, column, *_place in places]


@pytest.mark.quick_cases("UTM-cog", "0 to 360-zarr-v3")
@pytest.mark.parametrize(("scene", "kind"), EACH_SCENE_AND_KIND)
def test_position_is_the_point_series_and_the_feature_info(serve, scene, kind):
    served = serve(scene, kind)
    places = sampled(served, native_tile(served))

    values = positions_at(served.client, places)

    assert len(values) == SAMPLES
    assert values == values_at(served.client, places) == infos_at(served, places)


@pytest.mark.quick_cases("UTM-GTiff", "0 to 360-NetCDF", "UTM, south up-zarr")
@pytest.mark.parametrize(
    ("scene", "format_name"),
    [
        pytest.param(
            scene,
            format_name,
            id=f"{name}-{format_name}",
            marks=[] if format_name == "GTiff" or name in {"UTM, south up", "0 to 360"} else pytest.mark.slow,
        )
        for name, scene in SCENES.items()
        for format_name in READERS
    ],
)
def test_native_cell_of_a_coverage_is_the_position(serve, tmp_path, scene, format_name):
    served = serve(scene)
    places = sampled(served, native_tile(served))

    answer = served.client.get(f"{COLLECTION}/coverage?{TIME}&f={format_name}")

    cells = READERS[format_name](answer.content, tmp_path)
    assert cells.values.shape == (scene.height, scene.width)
    to_crs = transformer(CRS84, crs_of(scene.crs))
    found = [cells.at(*to_crs.transform(*place[2:])) for place in places]
    decimals = [None if value is None else round(value, 3) for value in found]  # scale 0.004, offset -0.08
    assert decimals == positions_at(served.client, places)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_grey_of_a_coverage_as_png_is_the_number(serve, scene):
    served = serve(scene)

    answer = served.client.get(f"{COLLECTION}/coverage?{TIME}&f=png")

    shown = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert np.array_equal(shown, as_covered(scene, scene.numbers(DAY_INDEX)))


@pytest.mark.quick_cases("LAEA", "UTM, south up")
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_map_and_tile_show_the_colour_of_the_value(serve, scene):
    served = serve(scene)
    tile = native_tile(served)
    places = sampled(served, tile)
    box = ",".join(map(repr, tile.bbox))
    size = f"width={TILE_PX}&height={TILE_PX}"

    drawn = served.client.get(f"{COLLECTION}/map?bbox={box}&bbox-crs=[EPSG:3857]&crs=[EPSG:3857]&{size}&{TIME}&f=png")
    tiled = served.client.get(f"{COLLECTION}/map/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?{TIME}&f=png")

    assert np.array_equal(pixels(drawn), pixels(tiled))
    shown = [tuple(pixels(tiled)[row, column].tolist()) for row, column, *_place in places]
    assert shown == [colour(value) for value in positions_at(served.client, places)]


@pytest.mark.quick_cases("LAEA", "UTM, south up")
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_cells_of_an_area_equal_those_of_the_area_series(serve, scene):
    served = serve(scene)
    area = area_of(scene)

    cut = served.client.get(f"{COLLECTION}/area", params={"coords": area.wkt, "datetime": "2020-01-21"})
    series = served.client.post(f"/timeseries/NDVI/area?{TIME}", json=shapely.geometry.mapping(area))

    (found,) = cut.json()["ranges"].values()
    values = [value for value in found["values"] if value is not None]
    (expected,) = series.json()["features"]
    assert [len(values)] == expected["valid"]
    assert [statistic(math.fsum(values) / len(values))] == expected["series"]["mean"]


def area_of(scene) -> shapely.Polygon:
    """Return a pentagon inside the scene, in degrees."""
    corners = [(0.1, 0.3), (0.25, 0.15), (0.4, 0.2), (0.35, 0.8), (0.15, 0.7)]
    places = [scene.transform @ (column * scene.width, row * scene.height) for column, row in corners]
    return shapely.Polygon([transformer(crs_of(scene.crs), CRS84).transform(x, y) for x, y in places])
