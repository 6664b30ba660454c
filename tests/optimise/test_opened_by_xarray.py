"""A cube opened in one line, only by its folder or file: xarray's view, compared with the numbers of the source."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray
import zarr

from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.optimise.conversion import Packing
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.readers.kinds import open_source
from chronotile.readers.zarr.serving_cube import ServingCube
from tests.scenes import NODATA, Scene, make_dataset, make_spec, save_zarr, write_cogs, write_tif
from tests.zipped import open_zipped

WIDE = Scene(width=270, height=140, days=("2020-01-01", "2020-01-11", "2020-01-21"))
"""With an overview of 135 x 70 cells."""


def values_in(numbers, scene):
    return np.where(numbers == NODATA, np.nan, numbers * scene.scale + scene.offset)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Return a cube with overviews; tests do not change it."""
    folder = tmp_path_factory.mktemp("wide")
    source = write_cogs(folder, WIDE)
    optimise([source.href], folder / "cube.zarr", Options(layout="both", block=4, threads=1))
    return folder / "cube.zarr"


def test_the_folder_shows_the_layer_and_a_date_more_after_an_append(tifs, write, target, scene):
    write(tifs[:5])
    before = xarray.open_zarr(target)

    write(tifs[5:])

    after = xarray.open_zarr(target)
    for dataset, count in ((before, 5), (after, 7)):
        np.testing.assert_array_equal(dataset["time"].values, scene.times[:count])
        np.testing.assert_allclose(dataset["NDVI"].values, values_in(scene.cube()[:count], scene), rtol=1e-6)
    assert np.isnan(after["NDVI"].values).any()
    assert set(after.data_vars) == {"NDVI", "time_bnds"}


def test_a_tree_has_the_layer_at_its_root(wide):
    tree = xarray.open_datatree(wide, engine="zarr")

    assert list(tree.children) == []
    xarray.testing.assert_identical(tree.to_dataset(), xarray.open_dataset(wide, engine="zarr"))
    np.testing.assert_allclose(tree["NDVI"].values, values_in(WIDE.cube(), WIDE), rtol=1e-6)


@pytest.mark.parametrize(("group", "options"), [("1", {}), ("1", {"group": "1", "consolidated": False})])
def test_an_overview_opens_by_its_own_path_or_as_a_group(wide, group, options):
    dataset = xarray.open_zarr(wide if options else wide / group, **options)

    reader, level = open_source(make_spec("zarr", wide)), int(group)
    grid = reader.info.variables["NDVI"].levels[level]
    window = Window(0, grid.height, 0, grid.width)
    numbers = reader.read_window("NDVI", index=1, level=level, window=window).numbers
    np.testing.assert_allclose(dataset["NDVI"].values[1], values_in(numbers, WIDE), rtol=1e-6)
    assert dataset["NDVI"].shape == (3, grid.height, grid.width)
    assert dataset["x"].values[0] == grid.points_at(np.array(0.5), np.array(0.5))[0]


def test_series_and_overviews_have_separate_metadata(wide):
    for group in ("1", "series", "sources"):
        assert xarray.open_zarr(wide / group, consolidated=True).sizes["time"] == 3


@pytest.mark.parametrize(
    ("dtype", "packing"),
    [("uint8", None), ("uint8", Packing(dtype=np.dtype("int16"), scale=0.0001, offset=0.0)), ("float32", None)],
    ids=["as it is", "packed", "floats"],
)
def test_values_are_decoded_from_any_stored_type(tmp_path, write, verify, target, scene, dtype, packing):
    values = values_in(scene.cube(), scene)
    dataset = make_dataset(scene)
    if dtype == "float32":
        dataset["NDVI"] = dataset["NDVI"].dims, values.astype("float32"), {"units": "1"}
        dataset["NDVI"].encoding.clear()
    source = save_zarr(dataset, tmp_path / "source.zarr")
    write(source, packing=packing)
    verify(source)

    shown = xarray.open_zarr(target)["NDVI"]

    np.testing.assert_allclose(shown.values, values, rtol=1e-6, atol=1e-6)


def test_a_cube_of_series_alone_shows_them(tifs, write, target, scene):
    write(tifs, layout="series")

    dataset = xarray.open_zarr(target, mask_and_scale=False)

    np.testing.assert_array_equal(dataset["NDVI"].values, scene.cube())
    assert zarr.open_array(target / "NDVI", mode="r").chunks == (4, 16, 16)


@pytest.mark.parametrize("layout", ["both", "series"])
def test_a_zip_file_shows_the_same_and_is_read_with_its_overviews(tmp_path, write, target, layout):
    write(str(write_cogs(tmp_path, WIDE).href), layout=layout)
    file = shutil.make_archive(str(tmp_path / "cube.zarr"), "zip", target)

    shown = open_zipped(file, mask_and_scale=False)["NDVI"].values
    with zarr.storage.ZipStore(file, mode="r") as store:
        in_store = xarray.open_zarr(store, mask_and_scale=False)["NDVI"].values

    levels = open_source(make_spec("zarr", file)).info.variables["NDVI"].levels
    np.testing.assert_array_equal(shown, WIDE.cube())
    np.testing.assert_array_equal(in_store, WIDE.cube())
    np.testing.assert_array_equal(maps_of(file), WIDE.cube())
    assert len(levels) == (2 if layout == "both" else 1)


def maps_of(place, level=0):
    """Return the numbers (time, y, x) of a level, as tiles are read."""
    reader = open_source(make_spec("zarr", place))
    info = reader.info.variables["NDVI"]
    window = Window(0, info.levels[level].height, 0, info.levels[level].width)
    count = len(info.times)
    return np.stack([reader.read_window("NDVI", index=t, level=level, window=window).numbers for t in range(count)])


def test_a_replaced_date_is_new_in_every_group(tmp_path, write, verify, target):
    source = tmp_path / "source"
    source.mkdir()
    spec = write_cogs(source, WIDE)
    write(spec.href)
    other = replace(WIDE, shift=100)
    write_tif(sorted(source.glob("*.tif"))[1], other.numbers(1), other)

    report = write(spec.href)
    verify(spec.href)

    again = tmp_path / "again.zarr"
    optimise([spec.href], again, Options(layout="both", block=4, threads=1))
    assert report.replaced == 1
    assert not (target / "overlay").exists()
    for group in ("", "1", "series"):
        found, expected = (
            xarray.open_zarr(place / group, mask_and_scale=False)["NDVI"].values for place in (target, again)
        )
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(maps_of(target)[1], other.numbers(1))


class Watching(Disk):
    """Inspects the cube after every rename."""

    def __init__(self, look):
        self._look = look

    def rename(self, source, target):
        super().rename(source, target)
        self._look()


def test_only_dates_with_written_pixels_are_visible_at_any_moment(tifs, write, target, scene):
    seen = []

    def look():
        if (target / "zarr.json").exists():
            document = json.loads((target / "zarr.json").read_bytes())
            nodes = document["consolidated_metadata"]["metadata"]
            counts = {nodes[name]["shape"][0] for name in ("NDVI", "time", "time_bnds")}
            assert len(counts) == 1
            seen.append(counts.pop())
        if (target / "NDVI" / "zarr.json").exists():
            count = json.loads((target / "NDVI" / "zarr.json").read_bytes())["shape"][0]
            assert all((target / "NDVI" / f"c.{t}.0.0").exists() for t in range(count))
            assert count >= max(seen, default=0)

    write(tifs[:5], disk=Watching(look))
    write(tifs[5:], disk=Watching(look))

    assert seen == sorted(seen)
    assert set(seen) == {4, 5, 7}


@pytest.mark.slow
def test_xarray_never_shows_a_date_without_its_pixels(tifs, write, target, scene):
    write(tifs[:5])
    seen = []

    def look():
        numbers = xarray.open_zarr(target, chunks=None, mask_and_scale=False)["NDVI"].values
        np.testing.assert_array_equal(numbers, scene.cube()[: len(numbers)])
        seen.append(len(numbers))

    write(tifs[5:], disk=Watching(look))

    assert seen == sorted(seen)
    assert set(seen) == {5, 7}


# Copies, metadata of others, and names that are taken.


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_cube_whose_metadata_zarr_python_consolidates_is_read_as_before(wide, tmp_path):
    cube = Path(shutil.copytree(wide, tmp_path / "cube.zarr"))
    zarr.consolidate_metadata(cube)

    reader = open_source(make_spec("zarr", cube))

    assert isinstance(reader, ServingCube)
    assert len(reader.info.variables["NDVI"].levels) == 2
    np.testing.assert_array_equal(maps_of(cube), WIDE.cube())


def test_a_cube_of_a_later_format_is_not_appended_to(tifs, write, target):
    write(tifs[:5])
    document = json.loads((target / "zarr.json").read_bytes())
    document["attributes"]["chronotile"]["format"] = 3
    (target / "zarr.json").write_text(json.dumps(document))

    with pytest.raises(UnsupportedSource, match=r"cube\.zarr: its format is version 3, this release reads 2"):
        write(tifs[5:])


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_part_that_xarray_copies_is_a_plain_store(wide, tmp_path):
    part = xarray.open_zarr(wide, chunks=None).isel(time=[0, 2], y=slice(20, 120), x=slice(50, 100)).load()
    for variable in part.variables.values():
        variable.encoding.pop("chunks", None)
        variable.encoding.pop("shards", None)
    part.to_zarr(tmp_path / "part.zarr")

    reader = open_source(make_spec("zarr", tmp_path / "part.zarr"))

    assert not isinstance(reader, ServingCube)
    assert [(grid.width, grid.height) for grid in reader.info.variables["NDVI"].levels] == [(50, 100)]
    np.testing.assert_array_equal(maps_of(tmp_path / "part.zarr"), WIDE.cube()[[0, 2], 20:120, 50:100])
    with pytest.raises(UnsupportedSource, match="a Zarr store that optimise did not write"):
        optimise([str(wide)], tmp_path / "part.zarr", Options(block=4, threads=1))


@pytest.mark.parametrize("name", ["series", "sources", "overlay", "time", "spatial_ref"])
def test_a_variable_with_the_name_of_a_group_or_coordinate_is_refused(tmp_path, write, target, name):
    with rasterio.open(write_tif(tmp_path / "a_20200101.tif", WIDE.cube()[:2], WIDE), "r+") as file:
        file.descriptions = ("NDVI", name)

    with pytest.raises(UnsupportedSource, match=f"cannot be called {name}, the name of"):
        write(tmp_path)

    assert not list(target.iterdir())


def test_a_variable_with_the_name_of_an_overview_is_refused(tmp_path, write):
    with pytest.raises(UnsupportedSource, match="cannot be called 1, the name of"):
        write(save_zarr(make_dataset(WIDE).rename(NDVI="1"), tmp_path / "source.zarr"))
