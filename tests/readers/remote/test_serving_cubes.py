"""Remote serving cubes: all levels from the root's document, and xarray's view by their address."""

import shutil

import numpy as np
import pytest
import xarray

from chronotile.core.model.space.grid import Window
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.readers.kinds import open_source
from chronotile.readers.remote.files import looks
from tests.faulty_source import faulty_source
from tests.older_cubes import optimise_in_format_1
from tests.readers.test_sources_in_s3 import upload
from tests.scenes import Scene, make_spec, write_cogs, write_tif

pytestmark = pytest.mark.slow

SCENE = Scene(width=530, height=270, days=("2020-01-01", "2020-01-11", "2020-01-21"))
OPTIONS = Options(layout="both", block=4, threads=1)


@pytest.fixture(scope="module", params=[optimise, optimise_in_format_1], ids=["format 2", "format 1"])
def cube(request, tmp_path_factory):
    """Return a folder with a cube, whose overviews have 265 x 135 and 133 x 68 cells."""
    folder = tmp_path_factory.mktemp("cube")
    (folder / "source").mkdir()
    request.param([write_cogs(folder / "source", SCENE).href], folder / "files" / "cube.zarr", OPTIONS)
    return folder / "files"


def everything_of(href):
    """Return the numbers (time, y, x) of each level, and the cells along time of two places."""
    reader = open_source(make_spec("zarr", href))
    info = reader.info.variables["NDVI"]
    levels = [
        np.stack(
            [
                reader.read_window("NDVI", index=t, level=level, window=Window(0, grid.height, 0, grid.width)).numbers
                for t in range(len(info.times))
            ]
        )
        for level, grid in enumerate(info.levels)
    ]
    cells = [
        reader.read_cell("NDVI", indexes=range(len(info.times)), row=row, column=column).numbers
        for row, column in ((0, 0), (200, 500))
    ]
    return levels, cells


def same(found, expected):
    assert [each.shape for each in found[0]] == [(3, 270, 530), (3, 135, 265), (3, 68, 133)]
    for ours, theirs in zip((*found[0], *found[1]), (*expected[0], *expected[1]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_cube_at_a_web_server_has_the_numbers_of_its_folder(cube):
    with faulty_source(cube) as source:
        found = everything_of(source.url_of("cube.zarr"))

    same(found, everything_of(cube / "cube.zarr"))
    np.testing.assert_array_equal(found[0][0], SCENE.cube())


def test_groups_of_a_cube_at_a_web_server_are_read_from_its_root_document(cube):
    with faulty_source(cube) as source:
        open_source(make_spec("zarr", source.url_of("cube.zarr")))
        requested = {request.path for request in source.requests}

    assert "cube.zarr/zarr.json" in requested
    assert not {f"cube.zarr/{group}/zarr.json" for group in ("0", "1", "2", "series", "sources")} & requested


@pytest.mark.parametrize("write", [optimise, optimise_in_format_1], ids=["format 2", "format 1"])
def test_date_appended_elsewhere_is_in_all_levels_when_opened_again(tmp_path, write):
    sources = [write_tif(tmp_path / f"NDVI_2020010{t + 1}.tif", SCENE.numbers(t), SCENE) for t in range(3)]
    target = tmp_path / "files" / "cube.zarr"
    write([str(each) for each in sources[:2]], target, OPTIONS)
    with faulty_source(tmp_path / "files") as source:
        before = open_source(make_spec("zarr", source.url_of("cube.zarr")))

        optimise([str(sources[2])], target, OPTIONS)
        looks.forget()

        found = everything_of(source.url_of("cube.zarr"))
    assert len(before.info.variables["NDVI"].times) == 2
    same(found, everything_of(target))


@pytest.mark.client("moto_server")
def test_a_cube_in_s3_has_the_numbers_of_its_folder(cube, s3_server, monkeypatch):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.make_bucket()
    upload(s3_server, bucket, cube)

    same(everything_of(f"s3://{bucket}/data/cube.zarr"), everything_of(cube / "cube.zarr"))


def test_a_zip_file_of_a_cube_at_a_web_server_has_the_numbers_of_its_folder(cube, tmp_path):
    shutil.make_archive(str(tmp_path / "cube.zarr"), "zip", cube / "cube.zarr")
    with faulty_source(tmp_path) as source:
        found = everything_of(source.url_of("cube.zarr.zip"))

    same(found, everything_of(cube / "cube.zarr"))


def test_xarray_shows_a_cube_at_a_web_server_by_its_address(tmp_path):
    files = tmp_path / "files"
    optimise([write_cogs(tmp_path, SCENE).href], files / "cube.zarr", OPTIONS)

    with faulty_source(files) as source:
        address = source.url_of("cube.zarr")
        shown = xarray.open_zarr(address, mask_and_scale=False)["NDVI"].values
        tree = xarray.open_datatree(address, engine="zarr", mask_and_scale=False)["NDVI"].values
        overview = xarray.open_zarr(f"{address}/2", mask_and_scale=False)["NDVI"].shape

    np.testing.assert_array_equal(shown, SCENE.cube())
    np.testing.assert_array_equal(tree, SCENE.cube())
    assert overview == (3, 68, 133)
