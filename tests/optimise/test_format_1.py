"""Cubes of the previous release, with native cells in a group: read, appended to and verified unchanged."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import xarray
import zarr

from chronotile.core.errors import UnsupportedSource
from chronotile.optimise.run import optimise
from chronotile.readers.kinds import open_source
from chronotile.readers.zarr.serving_cube import ServingCube
from tests.older_cubes import optimise_in_format_1
from tests.optimise.conftest import COORDINATES, OPTIONS, numbers_of
from tests.optimise.test_failures import FailingDisk, Killed, fails
from tests.scenes import Scene, make_spec, write_cogs


@pytest.fixture
def old(target):
    """Return `old(sources, **options)`, which writes or appends like the previous release."""

    def run(sources, **options):
        disk = options.pop("disk", None)
        return optimise_in_format_1([str(each) for each in sources], target, replace(OPTIONS, **options), disk=disk)

    return run


def format_of(target):
    return json.loads((target / "zarr.json").read_bytes())["attributes"]["chronotile"]["format"]


def folders_of(target):
    return {path.name for path in target.iterdir() if path.is_dir()}


GROUPS = {"both": {"0", "series"}, "map": {"0"}, "series": {"series"}}


@pytest.mark.parametrize("layout", GROUPS)
def test_dates_are_appended_in_the_format_of_the_cube(old, tifs, write, verify, target, scene, layout):
    old(tifs[:5], layout=layout)
    before = numbers_of(target)

    report = write(tifs[5:], layout=layout)
    verify(tifs)

    assert report.added == 2
    assert (format_of(target), folders_of(target)) == (1, GROUPS[layout] | {"sources"})
    np.testing.assert_array_equal(before, scene.cube()[:5])
    np.testing.assert_array_equal(numbers_of(target), scene.cube())
    for group in GROUPS[layout]:
        shown = xarray.open_zarr(target, group=group, mask_and_scale=False)["NDVI"].values
        np.testing.assert_array_equal(shown, scene.cube())


def test_an_open_reader_sees_the_date_that_is_appended(old, tifs, write, target):
    old(tifs[:5])
    reader = open_source(make_spec("zarr", target))

    write(tifs[5:])

    assert isinstance(reader, ServingCube)
    assert len(reader.info.variables["NDVI"].times) == 7


def test_a_date_is_replaced_in_the_format_of_the_cube(old, tifs, write, verify, target, scene, rewrite_date):
    old(tifs)
    expected = scene.cube()
    expected[2] = rewrite_date(tifs[2], scene, 2)

    report = write(tifs)
    verify(tifs)

    assert (report.replaced, format_of(target), folders_of(target)) == (1, 1, {"0", "series", "sources"})
    np.testing.assert_array_equal(numbers_of(target), expected)


def test_replacement_left_in_the_overlay_by_the_previous_release_is_completed(
    old, tifs, write, target, scene, rewrite_date
):
    old(tifs)
    expected = scene.cube()
    expected[2] = rewrite_date(tifs[2], scene, 2)
    whole = FailingDisk(None)
    shutil.copytree(target, target.with_name("copy.zarr"))
    old(tifs, disk=whole)
    shutil.rmtree(target)
    target.with_name("copy.zarr").rename(target)
    fails(lambda disk: old(tifs, disk=disk), FailingDisk(whole.count - 3, Killed()))
    assert (target / "overlay").exists()

    write(tifs, resume=True)

    assert (format_of(target), folders_of(target)) == (1, {"0", "series", "sources"})
    np.testing.assert_array_equal(numbers_of(target), expected)


@pytest.mark.parametrize("at", [5, 40], ids=["coordinates", "dates"])
def test_a_run_that_the_release_before_began_is_resumed_in_its_format(old, tifs, write, target, scene, at):
    fails(lambda disk: old(tifs, disk=disk), FailingDisk(at, Killed()))

    write(tifs, resume=True)

    assert (format_of(target), folders_of(target)) == (1, {"0", "series", "sources"})
    np.testing.assert_array_equal(numbers_of(target), scene.cube())


@pytest.mark.parametrize("group", ["0", "series"])
def test_verify_finds_changes(old, tifs, verify, target, group):
    old(tifs)
    zarr.open_array(target / group / "NDVI", mode="r+")[3, 7, 11] += 1

    with pytest.raises(UnsupportedSource, match="1 dates differ from the source, in 1 cells"):
        verify(tifs)


def test_overviews_of_a_folder_and_a_zip_file_have_the_current_format(tmp_path):
    wide = Scene(width=270, height=140, days=("2020-01-01", "2020-01-11"))
    source = write_cogs(tmp_path, wide)
    optimise_in_format_1([source.href], tmp_path / "old.zarr", OPTIONS)
    optimise([source.href], tmp_path / "new.zarr", OPTIONS)
    file = shutil.make_archive(str(tmp_path / "old.zarr"), "zip", tmp_path / "old.zarr")

    shown = [open_source(make_spec("zarr", place)) for place in (tmp_path / "old.zarr", file, tmp_path / "new.zarr")]

    levels = [reader.info.variables["NDVI"].levels for reader in shown]
    assert levels[0] == levels[1] == levels[2]
    old, new = (zarr.open_array(tmp_path / name / "1" / "NDVI", mode="r") for name in ("old.zarr", "new.zarr"))
    np.testing.assert_array_equal(old[:], new[:])
    assert folders_of(tmp_path / "new.zarr") == {"NDVI", "1", "series", "sources"} | COORDINATES
