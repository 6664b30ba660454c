"""Clear pixels by the classes of a collection, and layers of clear pixels only."""

import io

import numpy as np
import pytest
import xarray
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from tests.odd_archives.files import write_tif
from tests.walk.serving import served

NAMES = "no_data cloud_shadows vegetation not_vegetated water cloud_high_probability snow"
WEST, NORTH, CELL, SIDE = 4.4, 51.0, 0.01, 16
TILE_WEST, TILE_NORTH, TILE_PX = -180 + 524 * 180 / 2**9, 90 - 111 * 180 / 2**9, 180 / 2**9 / 256
KEPT = [2, 3, 4]
COLLECTION = """
collections:
  fields:
    source: {kind: netcdf, href: fields.nc}
"""


def write(folder, *, meanings=NAMES, times=8, settings=""):
    """Return the values of NDVI and the numbers of the classes (time, y, x)."""
    random = np.random.default_rng(5)
    ndvi = random.integers(0, 200, (times, SIDE, SIDE)).astype(np.uint8)
    classes = random.integers(0, 7, (times, SIDE // 2, SIDE // 2)).astype(np.uint8)
    classes[-1] = 5
    classes[-2] = random.choice([2, 3, 4, 4, 4, 2, 2, 2, 3, 5], classes[-2].shape)
    days = np.datetime64("2020-06-01") + 10 * np.arange(times)

    def axes(step, count):
        middles = (np.arange(count) + 0.5) * step
        return {"lat": NORTH - middles, "lon": WEST + middles}

    whole = xarray.Dataset({"ndvi": (("time", "lat", "lon"), ndvi)}, {"time": days.astype("datetime64[ns]")})
    whole = whole.assign_coords(axes(CELL, SIDE))
    whole.ndvi.attrs |= {"scale_factor": 0.005, "units": "1"}
    fine = classes.repeat(2, 1).repeat(2, 2)
    whole["scl"] = (("time", "lat", "lon"), fine)
    whole.scl.attrs |= {"flag_values": np.arange(7, dtype=np.uint8), "flag_meanings": meanings}
    whole.lon.attrs |= {"standard_name": "longitude", "units": "degrees_east"}
    whole.lat.attrs |= {"standard_name": "latitude", "units": "degrees_north"}
    whole.to_netcdf(folder / "fields.nc")
    (folder / "chronotile.yaml").write_text(COLLECTION + settings)
    return ndvi * 0.005, fine


@pytest.fixture
def serve(tmp_path, at_end):
    """Return `serve(…)`: the written files, and a client of their server."""

    def make(**members):
        written = write(tmp_path, **members)
        clock = lambda: np.datetime64("2021-01-01", "ns")  # noqa: E731
        opened = open_archive(tmp_path / "chronotile.yaml", environment={}, clock=clock)
        return *written, at_end.enter_context(TestClient(application(opened.services)))

    return make


def test_clear_layer_lists_its_clear_classes(serve):
    _ndvi, _classes, client = serve()

    listed = client.get("/layers").json()["layers"]
    told = client.get("/layers/fields.ndvi").json()

    masked = client.get("/layers/fields.ndvi~clear").json()
    assert told["clear"] == {
        "layer": "fields.scl",
        "values": KEPT,
        "masked": "fields.ndvi~clear",
        "revision": masked["revision"],
    }
    assert masked["revision"] != told["revision"]
    assert "clear" not in client.get("/layers/fields.scl").json()
    assert [(layer["id"], layer.get("clear")) for layer in listed] == [
        ("fields.ndvi", told["clear"]),
        ("fields.scl", None),
    ]


def test_the_first_date_of_pages_is_the_newest_that_is_clear(serve):
    _ndvi, classes, client = serve()

    times = client.get("/layers/fields.ndvi").json()["times"]

    shares = np.isin(classes, KEPT).mean(axis=(1, 2))
    assert shares[-1] == 0
    assert shares[-2] >= 0.8
    assert (times["default"], times["clear"]) == ("2020-08-10T00:00:00Z", "2020-07-31T00:00:00Z")


def test_tiles_and_series_of_the_clear_layer_have_clear_values_alone(serve):
    ndvi, classes, client = serve()
    expected = np.where(np.isin(classes, KEPT), ndvi, np.nan)
    places = [(10, 150), (40, 180), (70, 210), (90, 240)]

    tile = np.load(
        io.BytesIO(client.get("/tiles/fields.ndvi~clear/WorldCRS84Quad/9/524/111.npy?datetime=2020-07-01").content)
    )
    cells, told = [], []
    for row, column in places:
        lon, lat = TILE_WEST + (column + 0.5) * TILE_PX, TILE_NORTH - (row + 0.5) * TILE_PX
        cells.append((int((NORTH - lat) / CELL), int((lon - WEST) / CELL)))
        told.append(client.get(f"/timeseries/fields.ndvi~clear/point?lon={lon}&lat={lat}").json()["values"])

    np.testing.assert_allclose([tile[place] for place in places], [expected[3][cell] for cell in cells], rtol=1e-6)
    np.testing.assert_allclose(
        np.array(told, dtype=float), [expected[:, row, column] for row, column in cells], rtol=1e-6
    )


def test_shares_of_the_clear_layer_are_those_of_clear_pixels(serve):
    _ndvi, classes, client = serve()

    maps = [client.get(f"/tiles/fields.ndvi{end}/WorldCRS84Quad/9/524/111.npy?datetime=2020&reducer=clearest")
            for end in ("", "~clear")]  # fmt: skip

    best = np.isin(classes, KEPT).mean(axis=(1, 2)).argmax()
    day = np.datetime64("2020-06-01") + 10 * best
    assert [each.headers["Chronotile-Time"] for each in maps] == ["2020-08-10T00:00:00Z", f"{day}T00:00:00Z"]


@pytest.mark.parametrize(
    "members",
    [
        {"meanings": "a b forest grass water city rock"},
        {"settings": "    clear: none\n"},
        {"settings": "    variables: {ndvi: {mask: {variable: scl, keep: [4]}}, scl: {}}\n"},
    ],
    ids=["land cover", "as configured", "masked"],
)
def test_clear_layer_needs_a_definition_of_clear(serve, members):
    _ndvi, _classes, client = serve(**members)

    assert "clear" not in client.get("/layers/fields.ndvi").json()
    assert client.get("/layers/fields.ndvi~clear").status_code == 404


def test_clear_classes_may_be_configured(serve):
    _ndvi, _classes, client = serve(settings="    clear: {variable: scl, keep: [2, 6]}\n")

    assert client.get("/layers/fields.ndvi").json()["clear"]["values"] == [2, 6]


MOSAIC = """
collections:
  scenes:
    source: {kind: cog, href: "S_*.tif", time_pattern: "_(?P<time>[0-9]{8})_", tiles: true}
    variables: {ndvi: {band: 1, nodata: 0}, scl: {band: 2, nodata: 0}}
    clear: {variable: scl, keep: [2, 3, 4]}
"""
SHIFT = 6
"""Columns between the first scene and the second one, to the east."""


@pytest.fixture
def scenes(tmp_path):
    """(scene, y, x) values and classes of two scenes of one date that overlap, and a client."""
    random = np.random.default_rng(8)
    values = random.uniform(0.1, 0.9, (2, SIDE, SIDE)).astype("float32")
    classes = random.integers(1, 7, values.shape).astype("float32")
    for number in range(2):
        place = Affine(CELL, 0, WEST + number * SHIFT * CELL, 0, -CELL, NORTH)
        bands = np.stack([values[number], classes[number]])
        write_tif(tmp_path / f"S_20200601_{number}.tif", bands, crs="EPSG:4326", transform=place)
    (tmp_path / "chronotile.yaml").write_text(MOSAIC)
    with served(tmp_path / "chronotile.yaml", tmp_path / "server") as client:
        yield values, classes, client


def test_clear_mosaic_has_the_first_clear_scene(scenes):
    values, classes, client = scenes
    clear = np.where(np.isin(classes, KEPT), values, np.nan)
    expected = np.full((SIDE, SIDE + SHIFT), np.nan)
    expected[:, SHIFT:] = clear[1]
    expected[:, :SIDE] = np.where(np.isnan(clear[0]), expected[:, :SIDE], clear[0])
    lons, lats = WEST + (np.arange(SIDE + SHIFT) + 0.5) * CELL, NORTH - (np.arange(SIDE) + 0.5) * CELL

    tile = np.load(io.BytesIO(client.get("/tiles/scenes.ndvi~clear/WorldCRS84Quad/9/524/111.npy").content))
    places = [(row, column) for row in (1, 7, 12) for column in (2, 8, 13, 20)]
    series = [
        client.get(f"/timeseries/scenes.ndvi~clear/point?lon={lons[column]}&lat={lats[row]}").json()["values"][0]
        for row, column in places
    ]

    rows, columns = ((TILE_NORTH - lats[2:]) / TILE_PX).astype(int), ((lons[:16] - TILE_WEST) / TILE_PX).astype(int)
    np.testing.assert_allclose(tile[np.ix_(rows, columns)], expected[2:, :16], rtol=1e-6)
    np.testing.assert_allclose(np.array(series, dtype=float), [expected[place] for place in places], rtol=1e-6)
    assert client.get("/layers/scenes.ndvi").json()["clear"]["masked"] == "scenes.ndvi~clear"
