"""Files of one layer in several encodings and orders of bands: each protocol gives the value of each date's file.

The values are those of a formula; every file encodes them differently.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import rasterio
import xarray
from affine import Affine
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive, refresh_archive
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from tests.agreement.conftest import STYLE
from tests.ctc1 import decode_cube
from tests.scenes import write_once
from tests.zarr_stores import open_store

HEIGHT, WIDTH = 40, 50
TRANSFORM = Affine(0.001, 0, 4.4, 0, -0.001, 51.0)
DAYS = ("2021-12-30", "2022-01-09", "2022-01-19")
NOW = np.datetime64("2022-03-01", "ns")
CELLS = [(3, 7), (20, 31), (39, 49), (11, 0), (25, 25), (0, 0)]
EXACT = {"rtol": 0, "atol": 5e-8}
"""Tolerance of float32, in one file; steps are 20,000 times as large."""
FLOAT32 = {"rtol": 1e-6, "atol": 0}


def values_at(t: int) -> np.ndarray:
    """(y, x): thousandths, NaN here and there."""
    row, column = np.indices((HEIGHT, WIDTH))
    thousandths = (7 * column + 13 * row + 101 * t) % 900 + 20
    return np.where(thousandths % 37 == 0, np.nan, thousandths / 1000)


@dataclass(frozen=True, kw_only=True)
class Written:
    """Encoding of the values in a file."""

    dtype: str = "uint16"
    scale: float = 0.001
    offset: float = 0.0
    nodata: float = 0
    names: tuple[str, ...] = ("NDVI",)
    overviews: tuple[int, ...] = ()


def write(folder, stack) -> list:
    return [
        write_file(folder / f"S2_{day.replace('-', '')}.tif", t, stack[t])
        for t, day in enumerate(DAYS)
        if t < len(stack)
    ]


def write_file(path, t, how):
    values = values_at(t)
    numbers = (values - how.offset) / how.scale
    numbers = numbers if np.dtype(how.dtype).kind == "f" else np.rint(numbers)
    with np.errstate(invalid="ignore"):
        own = np.where(np.isnan(values), how.nodata, numbers).astype(how.dtype)
    bands = [own if name == "NDVI" else np.full_like(own, 7) for name in how.names]
    place = {"crs": "EPSG:4326", "transform": TRANSFORM, "height": HEIGHT, "width": WIDTH, "nodata": how.nodata}
    with rasterio.open(path, "w", driver="GTiff", dtype=how.dtype, count=len(bands), **place) as to:
        to.write(np.stack(bands))
        to.scales, to.offsets = [how.scale] * len(bands), [how.offset] * len(bands)
        to.descriptions = how.names
    if how.overviews:
        with rasterio.open(path, "r+") as to:
            to.build_overviews(list(how.overviews), rasterio.enums.Resampling.nearest)
    return path


STACKS = {
    "offset since 2022": [Written(), Written(offset=-0.1), Written(offset=-0.1, nodata=65535)],
    "types and orders": [
        Written(names=("NDVI", "QA"), dtype="int16", nodata=-1),
        Written(names=("QA", "NDVI"), offset=-0.1),
        Written(names=("QA", "NDVI"), dtype="float32", scale=1.0, nodata=-9999.0),
    ],
}
PATTERN = r"time_pattern: '_(?P<time>\d{8})'"
SOURCES = {
    "files": "{kind: cog, href: 'S2_*.tif', PATTERN}",
    "a serving cube": "{kind: zarr, href: cube.zarr}",
    "files beside series": "{kind: cog, href: 'S2_*.tif', series: cube.zarr, PATTERN}",
}
LAYOUTS = {"a serving cube": "both", "files beside series": "series"}
CONFIGURATION = """
collections:
  made:
    source: SOURCE
    variables: {NDVI: {layer: NDVI, styles: [numbers]}}
"""


def configured(folder, source):
    (folder / "styles").mkdir()
    (folder / "styles" / "numbers.yaml").write_text(STYLE)
    file = folder / "chronotile.yaml"
    file.write_text(CONFIGURATION.replace("SOURCE", SOURCES[source].replace("PATTERN", PATTERN)))
    return file


@pytest.fixture(params=[(stack, source) for stack in STACKS for source in SOURCES], ids=" as ".join)
def client(request, tmp_path) -> Iterator[TestClient]:
    stack, source = request.param

    def write_files(folder):
        paths = write(folder, STACKS[stack])
        if source in LAYOUTS:
            variable = "NDVI" if len(STACKS[stack][0].names) > 1 else None
            options = Options(layout=LAYOUTS[source], block=4, threads=1, variable=variable)
            optimise([str(path) for path in paths], folder / "cube.zarr", options)

    write_once(tmp_path, ("files that differ", stack, source), write_files)
    archive = open_archive(configured(tmp_path, source), environment={}, clock=lambda: NOW)
    with TestClient(application(archive.services)) as found:
        yield found


def place_of(row, column):
    return TRANSFORM @ (column + 0.5, row + 0.5)


def expected_at(row, column) -> list[float | None]:
    values = [values_at(t)[row, column] for t in range(len(DAYS))]
    return [None if np.isnan(value) else float(value) for value in values]


def assert_values(found, row, column, **tolerance):
    expected = expected_at(row, column)
    assert [value is None for value in found] == [value is None for value in expected]
    np.testing.assert_allclose(np.array(found, dtype=float), np.array(expected, dtype=float), **(tolerance or EXACT))


def got(client, path, **parameters):
    answer = client.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return answer


def colours(answer):
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA")).tolist()


@pytest.mark.quick_cases("types and orders as files", "offset since 2022 as a serving cube")
def test_series_of_points(client):
    for row, column in CELLS:
        lon, lat = place_of(row, column)
        told = got(client, "/timeseries/NDVI/point", lon=lon, lat=lat).json()
        assert_values(told["values"], row, column)
        assert told["reasons"] == ["nodata" if value is None else None for value in expected_at(row, column)]
        terrascope = got(
            client, "/timeseries/v1.0/ts/NDVI/point", lon=lon, lat=lat, startDate=DAYS[0], endDate=DAYS[-1]
        )
        averages = [each["result"]["average"] for each in terrascope.json()["results"]]
        assert_values([None if each in (None, "NaN") else each for each in averages], row, column)


def test_series_of_an_area(client):
    ring = [place_of(*cell) for cell in ((4.5, 4.5), (4.5, 30.5), (33.5, 30.5), (33.5, 4.5), (4.5, 4.5))]
    answer = client.post("/timeseries/NDVI/area", json={"type": "Polygon", "coordinates": [ring]})

    (feature,) = answer.json()["features"]
    inside = [values_at(t)[5:34, 5:31] for t in range(len(DAYS))]
    np.testing.assert_allclose(feature["series"]["mean"], [np.nanmean(each) for each in inside], **FLOAT32)
    assert feature["valid"] == [int((~np.isnan(each)).sum()) for each in inside]


@pytest.mark.quick_cases("types and orders as files", "offset since 2022 as a serving cube")
def test_feature_infos(client):
    query = (
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=NDVI&QUERY_LAYERS=NDVI&STYLES="
        f"&FORMAT=image/png&INFO_FORMAT=application/json&CRS=CRS:84&BBOX=4.4,50.96,4.45,51&WIDTH={WIDTH}&HEIGHT={HEIGHT}"
    )
    for row, column in CELLS:
        found = [
            client.get(f"{query}&TIME={day}&I={column}&J={row}").json()["features"][0]["properties"]["value"]
            for day in DAYS
        ]
        assert_values(found, row, column)


def test_positions_of_edr(client):
    for row, column in CELLS:
        lon, lat = place_of(row, column)
        answer = got(client, "/ogcapi/collections/NDVI/position", coords=f"POINT({lon!r} {lat!r})")
        assert_values(answer.json()["ranges"]["NDVI"]["values"], row, column)


def test_pictures(client):
    box = f"&CRS=CRS:84&BBOX=4.4,50.96,4.45,51&WIDTH={WIDTH}&HEIGHT={HEIGHT}"
    wms = f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&FORMAT=image/png&TRANSPARENT=TRUE{box}"
    ogcapi = f"/ogcapi/collections/NDVI/map?f=png&bbox=4.4,50.96,4.45,51&width={WIDTH}&height={HEIGHT}"
    for t, day in enumerate(DAYS):
        values = values_at(t)
        for path in (f"{wms}&TIME={day}", f"{ogcapi}&datetime={day}"):
            picture = np.asarray(Image.open(io.BytesIO(got(client, path).content)).convert("RGBA"))
            assert (picture[..., 3] == 0).tolist() == np.isnan(values).tolist()
            greys = np.where(np.isnan(values), picture[..., 0], (values + 0.08) * 250)
            np.testing.assert_allclose(picture[..., 0], greys, atol=1.01)  # of 250; 256 colours for all


@pytest.mark.quick_cases("types and orders as files", "offset since 2022 as a serving cube")
def test_coverages(client):
    for t, day in enumerate(DAYS):
        values = values_at(t)
        tif = got(client, "/ogcapi/collections/NDVI/coverage", f="GTiff", datetime=day)
        with rasterio.open(io.BytesIO(tif.content)) as file:
            numbers = file.read(1)
            found = np.where(file.read_masks(1) > 0, numbers * file.scales[0] + file.offsets[0], np.nan)
        np.testing.assert_allclose(found, values, **FLOAT32)
        netcdf = got(client, "/ogcapi/collections/NDVI/coverage", f="NetCDF", datetime=day)
        with xarray.open_dataset(io.BytesIO(netcdf.content), engine="h5netcdf") as dataset:
            (array,) = (each for each in dataset.data_vars.values() if each.ndim == 3)
            np.testing.assert_allclose(array.values[0].astype(float), values, **FLOAT32)
        document = got(client, "/ogcapi/collections/NDVI/coverage", f="json", datetime=day).json()
        (ranges,) = document["ranges"].values()
        np.testing.assert_allclose(np.array(ranges["values"], dtype=float), values.ravel(), **EXACT)


@pytest.mark.quick_cases("types and orders as files", "offset since 2022 as a serving cube")
def test_tiles_and_cubes(client):
    """Pixels of tiles equal those of cubes, and all are values of the formula."""
    tilejson = got(client, "/tiles/NDVI/WebMercatorQuad/tilejson.json").json()
    zoom, (west, south, east, north) = tilejson["maxzoom"], tilejson["bounds"]
    x = int((west + east + 360) / 720 * 2**zoom)
    lat = np.radians((south + north) / 2)
    y = int((1 - np.arcsinh(np.tan(lat)) / np.pi) / 2 * 2**zoom)
    cube = decode_cube(got(client, f"/cubes/NDVI/WebMercatorQuad/{zoom}/{x}/{y}.ctc").content)

    for t, day in enumerate(DAYS):
        path = f"/tiles/NDVI/WebMercatorQuad/{zoom}/{x}/{y}"
        tile = np.load(io.BytesIO(got(client, f"{path}.npy", datetime=day).content))
        values = tile[0] if tile.ndim == 3 else tile
        shown = values[np.isfinite(values)]
        allowed = np.unique(values_at(t)[~np.isnan(values_at(t))])
        nearest = allowed[np.abs(allowed[:, np.newaxis] - shown).argmin(axis=0)]
        assert shown.size > 100
        np.testing.assert_allclose(shown, nearest, **FLOAT32)
        of_cube = cube.values()[t]
        assert np.isnan(of_cube).tolist() == np.isnan(values).tolist()
        np.testing.assert_allclose(of_cube, values, atol=cube.header["scale"] / 2 + 1e-7)


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_a_folder_is_served_as_a_configuration_is(tmp_path, stack):
    write(tmp_path, stack)
    archive = open_archive(tmp_path, environment={}, clock=lambda: NOW)
    with TestClient(application(archive.services)) as client:
        (layer,) = [each["id"] for each in client.get("/layers").json()["layers"] if "NDVI" in each["id"]]
        for row, column in CELLS:
            lon, lat = place_of(row, column)
            found = got(client, f"/timeseries/{layer}/point", lon=lon, lat=lat).json()["values"]
            assert_values(found, row, column)
    assert any("each file is read by its own" in finding.message for finding in archive.findings)


def test_a_date_in_another_encoding_changes_the_revision_and_no_older_value(tmp_path):
    stack = STACKS["offset since 2022"]
    write(tmp_path, stack[:1])
    file = configured(tmp_path, "files")
    archive = open_archive(file, environment={}, clock=lambda: NOW)
    lon, lat = place_of(20, 31)
    path = f"/timeseries/NDVI/point?lon={lon!r}&lat={lat!r}"
    tile = f"/ogcapi/collections/NDVI/map?f=png&bbox=4.4,50.96,4.45,51&width={WIDTH}&height={HEIGHT}&datetime={DAYS[0]}"
    with TestClient(application(archive.services)) as client:
        before, picture = client.get("/layers/NDVI").json()["revision"], client.get(tile)

    write(tmp_path, stack)
    newer = refresh_archive(archive, file, environment={}, clock=lambda: NOW)

    with TestClient(application(newer.services)) as client:
        assert client.get("/layers/NDVI").json()["revision"] != before
        again = client.get(tile)
        assert again.headers["etag"] != picture.headers["etag"]
        assert_values(client.get(path).json()["values"], 20, 31)
        np.testing.assert_allclose(colours(again), colours(picture), atol=1)  # 256 colours of wider numbers


def test_a_date_that_the_others_could_not_hold_is_no_fault_after_a_reload(tmp_path):
    paths = write(tmp_path, [Written(), Written()])
    file = configured(tmp_path, "files")
    archive = open_archive(file, environment={}, clock=lambda: NOW)
    lon, lat = place_of(20, 31)
    path = f"/timeseries/NDVI/point?lon={lon!r}&lat={lat!r}"
    with TestClient(application(archive.services)) as client:
        client.get(path)
        write_file(paths[1], 1, Written(scale=0.0005))
        assert client.get(path).json()["reasons"] == [None, "unreadable"]
        assert len(client.get("/health/ready").json()["faults"]) == 1

    newer = refresh_archive(archive, file, environment={}, clock=lambda: NOW)

    with TestClient(application(newer.services)) as client:
        assert client.get(path).json()["reasons"] == [None, None]
        assert client.get("/health/ready").json()["faults"] == []


def test_a_zarr_store_has_the_values_of_each_file(client):
    values = open_store(client, "/zarr/NDVI")["NDVI"].values

    np.testing.assert_allclose(values, np.stack([values_at(t) for t in range(len(DAYS))]), **EXACT)
