"""A number of a cube equals the cell in the tile's picture, the value of its file, and that in the point series.

At the native zoom, over every kind of source, in various CRS and orientations (docs/design/architecture.md).
"""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from tests.agreement.conftest import STYLE
from tests.agreement.scenes_served import SCENES, Served, Tile, native_tile, sampled
from tests.ctc1 import Decoded, decode_cube
from tests.scenes import KINDS, NODATA, Scene, write_cogs

CONFIGURATION = """
collections:
  made:
    source: SOURCE
    variables: {NDVI: {layer: NDVI, styles: [numbers]}}
"""
SOURCES = {
    "serving cube": ("both", "{kind: zarr, href: cube.zarr}"),
    "series alone": ("series", "{kind: zarr, href: cube.zarr}"),
    "files beside series": (
        "series",
        "{kind: cog, href: 'NDVI_*.tif', series: cube.zarr, time_pattern: '_(?P<time>\\d{8})'}",
    ),
}


@pytest.fixture
def serve_optimised(tmp_path) -> Iterator[Callable[[Scene, str], Served]]:
    """Return `serve_optimised(scene, name)`, which writes a scene as files, optimises and serves it."""
    with ExitStack() as stack:

        def make(scene: Scene, name: str) -> Served:
            layout, source = SOURCES[name]
            write_cogs(tmp_path, scene)
            files = sorted(map(str, tmp_path.glob("*.tif")))
            optimise(files, tmp_path / "cube.zarr", Options(layout=layout, block=4, threads=1))
            (tmp_path / "styles").mkdir()
            (tmp_path / "styles" / "numbers.yaml").write_text(STYLE)
            configuration = tmp_path / "chronotile.yaml"
            configuration.write_text(CONFIGURATION.replace("SOURCE", source))
            archive = open_archive(configuration, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
            return Served(scene, stack.enter_context(TestClient(application(archive.services))))

        yield make


def cube_of(served: Served, tile: Tile, query: str = "") -> Decoded:
    answer = served.client.get(f"/cubes/NDVI/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.ctc{query}")
    assert answer.status_code == 200, answer.text
    return decode_cube(answer.content)


def tile_of(served: Served, tile: Tile, day: str, extension: str) -> bytes:
    path = f"/tiles/NDVI/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.{extension}"
    return served.client.get(path, params={"datetime": day}).content


def greys_of(served: Served, tile: Tile) -> np.ndarray:
    """(time, y, x) numbers that pictures of the days show, by their greys."""
    pictures = [
        np.asarray(Image.open(io.BytesIO(tile_of(served, tile, day, "png"))).convert("RGBA")) for day in days(served)
    ]
    return np.stack([np.where(picture[..., 3] == 0, NODATA, picture[..., 0]) for picture in pictures])


def days(served: Served) -> tuple[str, ...]:
    return served.scene.days


def assert_agreement(served: Served) -> None:
    tile = native_tile(served)

    cube = cube_of(served, tile)

    values, exact = cube.values(), cube.exact_values()
    assert cube.header["times"] == [f"{day}T00:00:00Z" for day in days(served)]
    assert np.array_equal(cube.numbers, greys_of(served, tile))
    files = [np.load(io.BytesIO(tile_of(served, tile, day, "npy"))) for day in days(served)]
    assert np.array_equal(exact.astype("float32"), np.stack(files), equal_nan=True)
    assert np.array_equal(values, exact, equal_nan=True)
    places = sampled(served, tile)
    found = [exact[:, i, j] for i, j, _lon, _lat in places]
    decimals = [[None if np.isnan(value) else round(float(value), 3) for value in each] for each in found]
    assert decimals == [series_of(served, longitude, latitude) for _row, _column, longitude, latitude in places]


def series_of(served: Served, longitude: float, latitude: float) -> list[float | None]:
    return served.client.get("/timeseries/NDVI/point", params={"lon": longitude, "lat": latitude}).json()["values"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_every_kind_of_source_equal_those_of_its_pictures_files_and_series(serve, kind):
    assert_agreement(serve(Scene(), kind))


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_numbers_of_optimised_sources_equal_those_of_their_pictures_files_and_series(serve_optimised, name):
    assert_agreement(serve_optimised(Scene(), name))


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_numbers_in_every_crs_equal_those_of_pictures_files_and_series(serve, scene):
    assert_agreement(serve(scene))


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_cubes_of_another_crs_than_the_tiles_report_it(serve, scene):
    served = serve(scene)

    assert cube_of(served, native_tile(served)).header["warped"] is True


@pytest.mark.slow
@pytest.mark.parametrize(("back", "is_mean"), [(1, False), (2, True)])
def test_numbers_of_coarser_zooms_equal_those_of_pictures(serve, back, is_mean):
    served = serve(Scene(width=200, height=150, gap=90), "cog")
    native = native_tile(served)
    tile = Tile(native.z - back, native.x >> back, native.y >> back)

    cube = cube_of(served, tile)

    assert cube.header["mean"] is is_mean
    assert np.array_equal(cube.numbers, greys_of(served, tile))


@pytest.mark.slow
def test_half_the_resolution_is_the_mean_of_the_values_of_two_by_two_pixels(serve):
    served = serve(Scene(), "cog")
    tile = native_tile(served)
    whole = cube_of(served, tile).numbers.astype(float)
    whole[whole == NODATA] = np.nan

    half = cube_of(served, tile, "?res=2")

    four = np.stack([whole[:, row::2, column::2] for row in (0, 1) for column in (0, 1)])
    count = np.isfinite(four).sum(axis=0)
    means = np.floor(np.nansum(four, axis=0) / np.maximum(count, 1) + 0.5)
    assert (half.header["w"], half.header["h"], half.header["res"]) == (128, 128, 2)
    # In steps of two of the source's numbers.
    assert (half.header["scale"], half.header["quantised"]) == (0.008, True)
    assert np.array_equal(half.numbers, np.where(count > 0, np.floor(means / 2 + 0.5), NODATA))
