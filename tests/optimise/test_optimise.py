"""Cubes against their sources, as we read them and as xarray does."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import xarray
from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.optimise.conversion import Packing
from chronotile.readers.kinds import open_source
from tests.optimise.conftest import COORDINATES, numbers_of
from tests.scenes import (
    KINDS,
    NODATA,
    Scene,
    make_dataset,
    make_spec,
    save_netcdf,
    save_zarr,
    write_cogs,
    write_scene,
    write_tif,
)


@pytest.fixture(params=KINDS)
def source(request, tmp_path):
    """Return a scene in every kind of store, and its name on the command line."""
    folder = tmp_path / "source"
    folder.mkdir()
    spec = write_scene(request.param, folder, Scene())
    return folder if request.param == "cog" else spec.href


def opened(target, group=""):
    return xarray.open_zarr(target / group, mask_and_scale=False, decode_coords="all")


@pytest.mark.quick_cases("cog", "zarr-v3")
def test_numbers_equal_those_of_the_source(source, write, target):
    write(source)

    np.testing.assert_array_equal(numbers_of(target), Scene().cube())


@pytest.mark.quick_cases("cog-", "zarr-v3-")
@pytest.mark.parametrize("group", ["", "series"], ids=["maps", "series"])
def test_xarray_opens_each_layout_by_itself(source, write, target, group):
    write(source)

    dataset = opened(target, group)

    x, y = Scene().coordinates()
    np.testing.assert_array_equal(dataset["NDVI" if "NDVI" in dataset else "made"].values, Scene().cube())
    np.testing.assert_array_equal(dataset["time"].values, Scene().times)
    np.testing.assert_allclose(dataset["x"].values, x)
    np.testing.assert_allclose(dataset["y"].values, y)
    assert rasterio.crs.CRS.from_wkt(dataset["spatial_ref"].attrs["crs_wkt"]) == rasterio.crs.CRS.from_epsg(32631)


def test_xarray_decodes_values(tifs, write, target, scene):
    write(tifs)

    values = xarray.open_zarr(target)["NDVI"].values

    numbers = scene.cube()
    expected = np.where(numbers == NODATA, np.nan, numbers * scene.scale + scene.offset)
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_metadata_of_the_source_are_preserved(tmp_path, write, target):
    dataset = make_dataset(Scene())
    dataset["NDVI"].attrs |= {
        "standard_name": "normalized_difference_vegetation_index",
        "valid_min": np.uint8(1),
        "flag_values": np.array([251, 252], dtype="uint8"),
        "flag_meanings": "snow cloud",
        "units": "percent",
    }
    dataset.attrs |= {"title": "made by hand", "license": "CC0-1.0"}
    source = make_spec("netcdf", save_netcdf(dataset, tmp_path / "made.nc"))
    write(source.href)

    ours, theirs = (open_source(each).info for each in (make_spec("zarr", target), source))

    like = replace(theirs.variables["NDVI"], levels=ours.variables["NDVI"].levels, times=None)
    assert replace(ours.variables["NDVI"], times=None) == like
    assert ours.variables["NDVI"].grid.transform.almost_equals(theirs.variables["NDVI"].grid.transform)
    assert (ours.title, ours.license) == ("made by hand", "CC0-1.0")


def test_classes_stay_classes(tmp_path, write, target):
    dataset = make_dataset(Scene())
    attrs = {
        "flag_values": [1, 2, 3],
        "flag_meanings": "water open_field wood",
        "flag_colors": "#0000ff #ffff00 #00ff00",
    }
    numbers = (Scene().cube() % 3 + 1).astype("uint8")
    dataset["NDVI"] = (("time", "y", "x"), numbers, attrs | {"grid_mapping": "spatial_ref"})
    source = make_spec("zarr", save_zarr(dataset, tmp_path / "classes.zarr"))
    write(source.href)

    ours, theirs = (open_source(each).info.variables["NDVI"] for each in (make_spec("zarr", target), source))

    assert ours.is_categorical
    assert ours.classes == theirs.classes


@pytest.fixture
def peak_bytes():
    """Return `peak_bytes()`: the peak memory of Python and NumPy."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_dates_of_a_chunk_are_packed_one_by_one(tmp_path, write, peak_bytes):
    days = tuple(np.datetime_as_string(np.datetime64("2020-01-01") + np.arange(64)).tolist())
    scene = Scene(width=256, height=256, days=days)
    store = save_zarr(make_dataset(scene), tmp_path / "long.zarr", NDVI={"chunks": (64, 256, 256)})

    write(store, layout="series", block=64, packing=Packing(dtype=np.dtype("int16"), scale=0.003, offset=0.0))

    assert peak_bytes() < scene.cube().astype("float64").nbytes


def test_periods_stay_periods(tmp_path, write, target):
    for text in ("2020-01-d1", "2020-01-d2", "2020-01-d3", "2020-02-d1"):
        write_tif(tmp_path / f"ndvi_{text}.tif", Scene().numbers(0), Scene())
    write(tmp_path)

    times = open_source(make_spec("zarr", target, variables={})).info.variables["ndvi"].times

    assert times.ends.astype("datetime64[D]").astype(str).tolist() == [
        *("2020-01-11", "2020-01-21", "2020-02-01", "2020-02-11"),
    ]
    assert "time_bnds" in xarray.open_zarr(target)


@pytest.mark.parametrize("times", ["2020-06-01T10:50:31", "2020-06-01T10:50:31.024"])
def test_instants_stay_instants(tmp_path, write, target, times):
    dataset = make_dataset(Scene(days=("2020-06-01", "2020-06-02")))
    instants = np.array([times, "2020-06-02T00:00:01"], dtype="datetime64[ns]")
    dataset = dataset.assign_coords(time=instants)
    dataset.to_zarr(
        tmp_path / "made.zarr", encoding={"time": {"units": "milliseconds since 2020-01-01"}}, zarr_format=2
    )
    write(tmp_path / "made.zarr")

    found = open_source(make_spec("zarr", target)).info.variables["NDVI"].times

    np.testing.assert_array_equal(found.starts, instants)
    np.testing.assert_array_equal(found.ends - found.starts, np.timedelta64(1, "ns"))


def test_floats_keep_every_bit(tmp_path, write, verify, target):
    numbers = np.random.default_rng(1).normal(size=(5, 30, 40)).astype("float32")
    numbers[:, 3, 4] = np.nan
    dataset = make_dataset(Scene())
    dataset["NDVI"] = (("time", "y", "x"), numbers, {"grid_mapping": "spatial_ref"})
    source = save_zarr(dataset, tmp_path / "floats.zarr")
    write(source)

    verify(source)

    np.testing.assert_array_equal(numbers_of(target), numbers)
    np.testing.assert_array_equal(xarray.open_zarr(target)["NDVI"].values, numbers)


def test_values_are_packed_again(tmp_path, write, target):
    values = np.linspace(-0.08, 0.936, 5 * 30 * 40).reshape(5, 30, 40).astype("float32")
    values[0, 0, 0] = np.nan
    dataset = make_dataset(Scene())
    dataset["NDVI"] = (("time", "y", "x"), values, {"grid_mapping": "spatial_ref"})
    write(save_zarr(dataset, tmp_path / "floats.zarr"), packing=Packing(dtype="uint8", scale=0.004, offset=-0.08))

    encoding = open_source(make_spec("zarr", target)).info.variables["NDVI"].encoding

    assert (encoding.dtype, encoding.nodata, encoding.valid_range) == ("uint8", 255, (0, 254))
    expected = np.rint((values.astype("f8") + 0.08) / 0.004)
    np.testing.assert_array_equal(numbers_of(target), np.where(np.isnan(values), 255, expected))


def test_masked_cells_become_nodata(tmp_path, write, target):
    path = write_tif(tmp_path / "NDVI_20200101.tif", Scene(gap=-1).numbers(0), Scene())
    with rasterio.open(path, "r+") as file:
        file.write_mask(np.indices((30, 40))[1] != 5)
    write(path)

    numbers = numbers_of(target)[0]

    assert (numbers[:, 5] == NODATA).all()
    np.testing.assert_array_equal(numbers[:, 6:], Scene(gap=-1).numbers(0)[:, 6:])


def test_rotated_grids_keep_their_place(tmp_path, write, target):
    transform = (
        rasterio.Affine.translation(500_000, 5_650_000) @ rasterio.Affine.rotation(30) @ rasterio.Affine.scale(10, -10)
    )
    scene = Scene(transform=transform)
    write_tif(tmp_path / "NDVI_20200101.tif", scene.numbers(0), scene)
    write(tmp_path)

    grid = open_source(make_spec("zarr", target)).info.variables["NDVI"].grid

    assert grid.transform.almost_equals(transform)


def test_all_variables_of_a_source_go_into_one_cube(tmp_path, write, target):
    dataset = make_dataset(Scene())
    dataset["LAI"] = dataset["NDVI"].astype("uint16") * 7
    write(save_zarr(dataset, tmp_path / "two.zarr"))

    reader = open_source(make_spec("zarr", target, variables={"LAI": VariableSpec(id="LAI")}))

    cell = reader.read_cell("LAI", indexes=range(5), row=3, column=4).numbers
    np.testing.assert_array_equal(cell, Scene().cube()[:, 3, 4].astype("uint16") * 7)
    assert list(open_source(make_spec("zarr", target, variables={})).info.variables) == ["LAI", "NDVI"]


def test_one_variable_is_written_if_named(tmp_path, write, target):
    dataset = make_dataset(Scene())
    dataset["LAI"] = dataset["NDVI"] * 1
    write(save_zarr(dataset, tmp_path / "two.zarr"), variable="LAI")

    assert list(open_source(make_spec("zarr", target, variables={})).info.variables) == ["LAI"]


@pytest.mark.parametrize("layout", ["map", "series"])
def test_one_layout_alone_answers_both_questions(tifs, write, verify, target, scene, layout):
    write(tifs[:5], layout=layout)
    write(tifs[5:], layout=layout)

    verify(tifs)
    np.testing.assert_array_equal(numbers_of(target), scene.cube())
    assert {path.name for path in target.iterdir() if path.is_dir()} == {"NDVI", "sources"} | COORDINATES


@pytest.mark.parametrize(("overviews", "layouts"), [((2,), {"NDVI"}), ((), {"NDVI", "series"})], ids=["cogs", "plain"])
def test_tiled_files_with_overviews_get_series_only(tmp_path, write, target, overviews, layouts):
    for t, day in enumerate(("20200101", "20200111")):
        write_tif(tmp_path / f"NDVI_{day}.tif", Scene().numbers(t), Scene(), overviews=overviews)

    write(tmp_path, layout=None)

    assert {path.name for path in target.iterdir() if path.is_dir()} - {"sources"} - COORDINATES == layouts


def test_time_pattern_finds_times_in_unusual_names(tmp_path, write, target):
    write_tif(tmp_path / "a_01x02x2020.tif", Scene().numbers(0), Scene())
    write_tif(tmp_path / "a_2020y05.tif", Scene().numbers(1), Scene())

    write(tmp_path, time_pattern=r"_(?P<time>2020)y05", variable="NDVI")

    assert len(open_source(make_spec("zarr", target)).info.variables["NDVI"].times) == 1


def test_several_files_are_one_archive(tmp_path, write, target):
    first, second = Scene(days=("2020-01-01", "2020-01-02")), Scene(days=("2020-01-03",), shift=9)
    paths = [save_netcdf(make_dataset(each), tmp_path / f"{name}.nc") for name, each in (("b", first), ("a", second))]
    write(paths)

    np.testing.assert_array_equal(numbers_of(target), np.concatenate([first.cube(), second.cube()]))


def test_existing_dates_are_not_changed(tifs, write, target):
    write(tifs)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}

    report = write(tifs)

    assert (report.added, report.replaced) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*") if path != target} == {
        path: time for path, time in before.items() if path != target
    }


def test_append_writes_only_new_files_and_the_newest_block(tifs, write, target):
    write(tifs[:6])
    before = {path: path.stat().st_ino for path in target.rglob("c.*")}

    write(tifs[6:])

    kept = {path.relative_to(target).as_posix() for path, inode in before.items() if path.stat().st_ino == inode}
    assert {f"NDVI/c.{t}.0.0" for t in range(6)} | {"series/NDVI/c.0.0.0"} <= kept
    assert "series/NDVI/c.1.0.0" not in kept


def test_late_date_takes_its_place_in_time(tifs, write, target, scene):
    write([*tifs[:2], *tifs[3:6]])

    report = write([tifs[2], tifs[6]])

    assert (report.added, report.late) == (2, 1)
    np.testing.assert_array_equal(numbers_of(target), scene.cube())
    np.testing.assert_array_equal(opened(target).sortby("time")["NDVI"].values, scene.cube())


def test_replaced_date_is_replaced_everywhere(tifs, write, target, scene, rewrite_date):
    write(tifs)
    expected = scene.cube()
    expected[2] = rewrite_date(tifs[2], scene, 2)

    report = write(tifs)

    assert (report.added, report.replaced) == (0, 1)
    np.testing.assert_array_equal(numbers_of(target), expected)
    np.testing.assert_array_equal(opened(target, "series")["NDVI"].values, expected)


def test_touched_files_replace_nothing(tifs, write, target):
    write(tifs)
    tifs[1].touch()

    assert write(tifs).replaced == 0


def test_verify_finds_damage(tifs, write, verify, target):
    write(tifs)
    other = target / "NDVI/c.3.0.0"
    other.write_bytes((target / "NDVI/c.4.0.0").read_bytes())

    with pytest.raises(UnsupportedSource, match="1 dates differ from the source"):
        verify(tifs)


def test_cube_in_the_folder_of_its_sources_is_no_source(tifs, target, write, scene):
    inside = tifs[0].parent / "cube.zarr"
    from chronotile.optimise.run import optimise
    from tests.optimise.conftest import OPTIONS

    for _ in range(2):
        optimise([str(tifs[0].parent)], inside, OPTIONS)

    np.testing.assert_array_equal(numbers_of(inside), scene.cube())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"layout": "map"}, "the existing cube has --layout both"),
        ({"packing": Packing(dtype="int16", scale=0.1, offset=0.0)}, "another NDVI than the source"),
    ],
    ids=["layout", "type"],
)
def test_cube_of_another_kind_is_refused(tifs, write, target, change, reason):
    write(tifs[:2])

    with pytest.raises(UnsupportedSource, match=reason):
        write(tifs, **change)


def test_source_of_another_grid_is_refused(tifs, write, tmp_path, target):
    write(tifs)
    other = Scene(width=60)
    write_tif(tmp_path / "NDVI_20200301.tif", other.numbers(0), other)

    with pytest.raises(UnsupportedSource, match="another"):
        write(tmp_path / "NDVI_20200301.tif")


@pytest.mark.parametrize(
    ("sources", "reason"),
    [(["absent"], "does not exist"), (["."], "no raster"), (["plain.tif"], "no times")],
    ids=["absent", "empty", "undated"],
)
def test_sources_that_make_no_cube_are_refused(tmp_path, write, monkeypatch, sources, reason):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_tif(tmp_path / "plain.tif", Scene().numbers(0), Scene())

    with pytest.raises(UnsupportedSource, match=reason):
        write([str(tmp_path / each) if each.endswith(".tif") else each for each in sources])


def test_folder_of_other_things_is_not_written_into(tifs, write, target):
    target.mkdir()
    (target / "thesis.txt").write_text("mine")

    with pytest.raises(UnsupportedSource, match="other files in it"):
        write(tifs)


def test_other_zarr_store_is_not_written_into(tifs, write, target):
    save_zarr(make_dataset(Scene()), target)

    with pytest.raises(UnsupportedSource, match="optimise did not write"):
        write(tifs)


def test_second_writer_is_refused(tifs, write, target):
    from chronotile.core.durable_files import sole_writer

    target.mkdir()

    with sole_writer(target), pytest.raises(UnsupportedSource, match="another optimise is writing"):
        write(tifs)


def test_too_little_memory_is_reported_beforehand(tifs, write):
    with pytest.raises(UnsupportedSource, match=r"--memory is too small.*at least \d+MiB"):
        write(tifs, memory_bytes=560 << 20)


def test_only_variable_matches_the_only_one_of_the_cube_with_any_name(tifs, write, target, scene, tmp_path):
    dataset = make_dataset(replace(scene, days=scene.days[:6])).rename(NDVI="greenness")
    write(save_zarr(dataset, tmp_path / "other.zarr"))

    write(tifs[6:])

    assert list(open_source(make_spec("zarr", target, variables={})).info.variables) == ["greenness"]
    np.testing.assert_array_equal(opened(target)["greenness"].values, scene.cube())


def test_variables_that_the_cube_lacks_are_refused(tifs, write, target, tmp_path):
    write(tifs)
    dataset = make_dataset(Scene(width=70, height=50, days=("2020-03-01",)))
    dataset["LAI"] = dataset["NDVI"] * 1

    with pytest.raises(UnsupportedSource, match="the existing cube has NDVI, the source LAI, NDVI"):
        write(save_zarr(dataset, tmp_path / "two.zarr"))


@pytest.mark.parametrize(
    "moved",
    [{"crs": "EPSG:32632"}, {"transform": Affine(10, 0, 510_000, 0, -10, 5_650_000)}],
    ids=["another zone", "a tile beside it"],
)
def test_files_of_as_many_cells_elsewhere_do_not_go_on_with_a_cube(tmp_path, tifs, write, target, scene, moved):
    write(tifs)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_cogs(elsewhere, replace(scene, days=("2021-01-01", "2021-01-02"), **moved))

    with pytest.raises(UnsupportedSource, match=r"cube\.zarr has another CRS or place than the source"):
        write(elsewhere)

    np.testing.assert_array_equal(numbers_of(target), scene.cube())


@pytest.mark.parametrize("dtype", ["float32", "int3", "bool", "", "nothing"])
def test_a_type_that_holds_no_whole_numbers_is_refused(dtype):
    with pytest.raises(UnsupportedSource, match="is not an integer type; use uint8"):
        Packing(dtype=dtype, scale=1.0, offset=0.0)
