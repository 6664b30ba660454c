"""NetCDF files, classic and NetCDF-4."""

import gc
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.netcdf.files import open_netcdf_source
from chronotile.readers.netcdf.open import open_netcdf
from chronotile.readers.netcdf.source import NetcdfFile, OpenFiles
from tests.scenes import Scene, make_dataset, make_spec, save_netcdf, write_netcdf

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)


@pytest.fixture(params=[3, 4], ids=["classic", "netcdf-4"])
def version(request):
    return request.param


@pytest.mark.parametrize("dims", [("y", "x", "time"), ("x", "time", "y")], ids="-".join)
def test_dimensions_may_be_in_any_order(tmp_path, version, dims):
    dataset = make_dataset(SCENE, dims=dims)
    dataset["NDVI"] = dataset["NDVI"].astype("int16").assign_attrs(_FillValue=np.int16(255))
    reader = open_netcdf(make_spec("netcdf", save_netcdf(dataset, tmp_path / "made.nc", version=version)))

    np.testing.assert_array_equal(reader.read_window("NDVI", index=3, level=0, window=ALL).numbers, SCENE.numbers(3))
    np.testing.assert_array_equal(
        reader.read_cell("NDVI", indexes=[4, 0, 2], row=7, column=3).numbers, SCENE.cube()[[4, 0, 2], 7, 3]
    )


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "float64"])
def test_real_types_are_read_as_stored_in_the_order_of_this_machine(tmp_path, version, dtype):
    dataset = make_dataset(SCENE)
    dataset["NDVI"] = (("time", "y", "x"), (SCENE.cube() % 100).astype(dtype), {"grid_mapping": "spatial_ref"})
    reader = open_netcdf(make_spec("netcdf", save_netcdf(dataset, tmp_path / "made.nc", version=version)))

    numbers = reader.read_window("NDVI", index=1, level=0, window=ALL).numbers

    assert numbers.dtype == np.dtype(dtype)
    assert numbers.dtype.isnative
    np.testing.assert_array_equal(numbers, SCENE.numbers(1) % 100)


def test_unsigned_bytes_of_classic_files_keep_their_fill_value(tmp_path):
    encoding = open_netcdf(write_netcdf(tmp_path, SCENE, version=3)).info.variables["NDVI"].encoding

    assert (encoding.dtype, encoding.nodata) == ("uint8", 255)


FILLS = {
    "i2": -32767, "i4": -2147483647, "i8": -9223372036854775806, "u2": 65535, "u4": 4294967295,
    "u8": 18446744073709551614, "f4": 9.969209968386869e36, "f8": 9.969209968386869e36,
}  # fmt: skip
"""NC_FILL_SHORT and the others, as netCDF4-python has them in `default_fillvals`."""


@pytest.mark.parametrize("attrs", [{}, {"missing_value": 7}], ids=["plain", "missing_value"])
@pytest.mark.parametrize("dtype", FILLS)
def test_cells_that_were_never_written_are_no_data(tmp_path, dtype, attrs):
    dataset = make_dataset(SCENE)
    numbers = np.full(SCENE.cube().shape, 7, dtype)
    numbers[:, 0, :3] = [FILLS[dtype], 5, 7]
    attrs = {name: np.dtype(dtype).type(number) for name, number in attrs.items()}
    dataset["NDVI"] = (("time", "y", "x"), numbers, {"grid_mapping": "spatial_ref", **attrs})

    info = netcdf_without_fill(dataset, tmp_path).info.variables["NDVI"]

    assert info.encoding.valid(numbers[0, 0, :3]).tolist() == [False, True, not attrs]
    assert info.encoding.nodata == (7 if attrs else numbers[0, 0, 0])


@pytest.mark.parametrize(("dtype", "fill"), [("int8", -127), ("uint8", 255)])
def test_bytes_have_no_default_fill_value(tmp_path, dtype, fill):
    dataset = make_dataset(SCENE)
    numbers = np.full(SCENE.cube().shape, fill, dtype)
    dataset["NDVI"] = (("time", "y", "x"), numbers, {"grid_mapping": "spatial_ref"})

    encoding = netcdf_without_fill(dataset, tmp_path).info.variables["NDVI"].encoding

    assert encoding.nodata is None
    assert encoding.valid(numbers).all()


def test_a_fill_value_replaces_the_default(tmp_path):
    dataset = make_dataset(SCENE)
    numbers = np.full(SCENE.cube().shape, FILLS["i2"], "i2")
    dataset["NDVI"] = (("time", "y", "x"), numbers, {"grid_mapping": "spatial_ref", "_FillValue": np.int16(-1)})

    assert netcdf_without_fill(dataset, tmp_path).info.variables["NDVI"].encoding.valid(numbers).all()


def test_fixed_texts_are_times(tmp_path, version):
    dataset = make_dataset(SCENE).rename(time="Time").drop_vars("Time")
    dataset["NDVI"] = dataset["NDVI"].astype("int16").assign_attrs(_FillValue=np.int16(255))
    dataset["Times"] = ("Time", np.array([f"{day}_06:00:00" for day in SCENE.days], "S19"))

    times = open_netcdf(make_spec("netcdf", save_netcdf(dataset, tmp_path / "made.nc", version=version)))

    assert times.info.variables["NDVI"].times.starts.tolist() == (SCENE.times + np.timedelta64(6, "h")).tolist()


def test_texts_that_are_no_dates_are_named(tmp_path):
    dataset = make_dataset(SCENE).rename(time="Time").drop_vars("Time")
    dataset["Times"] = ("Time", np.array(["DJF", "MAM", "JJA", "SON", "DJF"], "S3"))

    with pytest.raises(UnsupportedSource, match="its times Times are 'DJF', which is not a date of ISO 8601"):
        open_netcdf(make_spec("netcdf", save_netcdf(dataset, tmp_path / "made.nc")))


def one_raster(folder, start, end, name="made.nc"):
    attrs = {"time_coverage_start": start, "time_coverage_end": end}
    dataset = make_dataset(SCENE).isel(time=0, drop=True).assign_attrs(attrs)
    return make_spec("netcdf", save_netcdf(dataset, folder / name))


def test_time_of_global_attributes_is_the_time_of_one_raster(tmp_path):
    reader = open_netcdf(one_raster(tmp_path, "2019-01-01T00:00:00Z", "2019-01-31T23:59:59Z"))

    times = reader.info.variables["NDVI"].times
    assert [str(each)[:19] for each in (*times.starts, *times.ends)] == ["2019-01-01T00:00:00", "2019-02-01T00:00:00"]
    np.testing.assert_array_equal(reader.read_window("NDVI", index=0, level=0, window=ALL).numbers, SCENE.numbers(0))


def test_global_attributes_that_are_no_dates_are_noted(tmp_path):
    info = open_netcdf(one_raster(tmp_path, "winter", "spring")).info

    assert len(info.variables["NDVI"].times) == 0
    assert any("time_coverage_start and time_coverage_end are 'winter'" in each.message for each in info.findings)


def test_date_in_a_name_precedes_global_attributes(tmp_path):
    for day in ("20190101", "20190109"):
        spec = one_raster(tmp_path, "2018-12-31T22:10:00Z", "2019-01-10T01:00:00Z", f"made_{day}.nc")
    spec = replace(spec, href=str(tmp_path / "made_*.nc"), time_pattern=r"made_(?P<time>\d{8})")

    starts = open_netcdf_source(spec).info.variables["NDVI"].times.starts

    assert [str(each)[:10] for each in starts] == ["2019-01-01", "2019-01-09"]


def netcdf_without_fill(dataset, folder):
    for variable in dataset.variables.values():
        variable.encoding.setdefault("_FillValue", None)  # else xarray states NaN for floats
    return open_netcdf(make_spec("netcdf", save_netcdf(dataset, folder / "made.nc")))


def test_title_comes_from_the_file(tmp_path):
    dataset = make_dataset(SCENE).assign_attrs(title="Made", license="CC0-1.0")

    info = open_netcdf(make_spec("netcdf", save_netcdf(dataset, tmp_path / "made.nc"))).info

    assert (info.title, info.license, info.attribution) == ("Made", "CC0-1.0", None)
    assert info.variables["NDVI"].title == "made NDVI"


DIMS = [("time", "y", "x"), ("y", "x", "time"), ("y", "time", "x")]


def save_scene(folder, scene, version, dims, dtype="int16"):
    dataset = make_dataset(scene, dims=dims)
    dataset["NDVI"] = dataset["NDVI"].astype(dtype).assign_attrs(_FillValue=np.dtype(dtype).type(255))
    return make_spec("netcdf", save_netcdf(dataset, folder / "made.nc", version=version))


@pytest.mark.quick_cases("netcdf-4-wider-y-time-x", "classic-higher-time-y-x", "netcdf-4-fewer times-time-y-x")
@pytest.mark.parametrize("dims", DIMS, ids="-".join)
@pytest.mark.parametrize(
    "other", [Scene(width=60), Scene(height=45), Scene(days=SCENE.days[:4])], ids=["wider", "higher", "fewer times"]
)
def test_file_replaced_by_another_shape_is_unavailable(tmp_path, version, dims, other):
    reader = open_netcdf(save_scene(tmp_path, SCENE, version, dims))
    save_scene(tmp_path, other, version, dims)

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=1, level=0, window=Window(0, 2, 0, 2))


def test_file_replaced_by_another_type_is_unavailable(tmp_path, version):
    reader = open_netcdf(save_scene(tmp_path, SCENE, version, DIMS[0]))
    save_scene(tmp_path, SCENE, version, DIMS[0], dtype="float32")

    with pytest.raises(SourceUnavailable):
        reader.read_window("NDVI", index=1, level=0, window=Window(0, 2, 0, 2))


@pytest.mark.parametrize("dims", DIMS, ids="-".join)
def test_appended_time_leaves_the_others_readable(tmp_path, version, dims):
    reader = open_netcdf(save_scene(tmp_path, SCENE, version, dims))
    save_scene(tmp_path, Scene(days=(*SCENE.days, "2020-02-21")), version, dims)

    np.testing.assert_array_equal(reader.read_window("NDVI", index=3, level=0, window=ALL).numbers, SCENE.numbers(3))


DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def open_file(tmp_path, version):
    """Opens a copy of the scene under a name; two of them may be open."""
    source, files = Path(write_netcdf(tmp_path, SCENE, version=version).href), OpenFiles(2)
    return lambda name: NetcdfFile(shutil.copy(source, tmp_path / name), files)


def open_names(folder):
    targets = [link.resolve() for link in DESCRIPTORS.iterdir()]
    return sorted({target.name for target in targets if target.parent == folder})


linux = pytest.mark.skipif(not DESCRIPTORS.exists(), reason="this system does not tell which files are open")


@linux
def test_recently_used_files_stay_open(tmp_path, open_file):
    first, *_others = [open_file(name) for name in ("0.nc", "1.nc", "2.nc", "3.nc")]

    first.fields()

    assert open_names(tmp_path) == ["0.nc", "3.nc"]


def test_files_closed_for_lack_of_use_are_read_again(open_file):
    files = [open_file(name) for name in ("0.nc", "1.nc", "2.nc", "3.nc")]

    numbers = [file.read("NDVI", (slice(None),) * 3).view("uint8") for file in files]

    np.testing.assert_array_equal(numbers, [SCENE.cube()] * 4)


@linux
def test_file_being_read_is_neither_closed_nor_awaited(tmp_path, open_file):
    files = [open_file("0.nc"), open_file("1.nc")]

    with files[0]._lock:
        files.append(open_file("2.nc"))

    assert open_names(tmp_path) == ["0.nc", "1.nc", "2.nc"]


@linux
def test_file_of_a_deleted_reader_is_closed(tmp_path, open_file):
    open_file("0.nc")

    gc.collect()

    assert open_names(tmp_path) == []


def test_file_elsewhere_is_refused_with_the_remedy():
    with pytest.raises(UnsupportedSource, match="not read in place"):
        open_netcdf(make_spec("netcdf", "https://example.org/made.nc"))


def test_file_that_starts_like_none_is_refused(tmp_path):
    (tmp_path / "made.nc").write_bytes(b"GRIB....")

    with pytest.raises(UnsupportedSource, match=r"made\.nc is not a NetCDF file"):
        open_netcdf(make_spec("netcdf", tmp_path / "made.nc"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # scipy closes an unopened file
@pytest.mark.filterwarnings("ignore:Cannot close a netcdf_file:RuntimeWarning")
@pytest.mark.parametrize("missing", [40, 700])
def test_truncated_classic_file_is_refused_as_such(tmp_path, missing):
    dataset = make_dataset(SCENE)
    dataset["NDVI"] = dataset["NDVI"].astype("int16").assign_attrs(_FillValue=np.int16(255))
    path = save_netcdf(dataset, tmp_path / "made.nc", version=3)
    path.write_bytes(path.read_bytes()[:-missing])

    with pytest.raises(UnsupportedSource, match=r"^made.nc does not have the size .*: it is damaged, or was copied in"):
        open_netcdf(make_spec("netcdf", path))
    gc.collect()


def test_only_group_with_a_swath_is_read_and_reported(tmp_path):
    rows, columns = np.mgrid[:4, :3]
    dims = ("time", "scanline", "ground_pixel")
    swath = xarray.Dataset(
        {
            "latitude": (dims, (50 + rows / 10)[np.newaxis], {"units": "degrees_north"}),
            "longitude": (dims, (4 + columns / 10)[np.newaxis], {"units": "degrees_east"}),
            "no2": (dims, np.zeros((1, 4, 3))),
        }
    )
    swath.to_netcdf(tmp_path / "made.nc", group="PRODUCT", engine="h5netcdf")
    statistics = xarray.Dataset({"histogram": (("bin", "bound"), np.zeros((5, 2)))})
    statistics.to_netcdf(tmp_path / "made.nc", group="METADATA/QA_STATISTICS", engine="h5netcdf", mode="a")

    info = open_netcdf(make_spec("netcdf", tmp_path / "made.nc", variables={})).info

    assert (info.group, set(info.variables)) == ("PRODUCT", {"no2"})
    assert info.findings[0].message == "only this group has rasters that can be served, so it is read"


def test_valid_times_of_several_runs_are_counted(tmp_path):
    runs = np.array(["2024-03-01T00", "2024-03-01T12", "2024-03-02T00"], "datetime64[ns]")
    leads = ("lead", [0, 6, 12, 18], {"standard_name": "forecast_period", "units": "hours"})
    coordinates = {
        "run": ("run", runs, {"standard_name": "forecast_reference_time"}),
        "lead": leads,
        "lat": ("lat", 51 - np.arange(4) * 0.1, {"units": "degrees_north"}),
        "lon": ("lon", 4 + np.arange(4) * 0.1, {"units": "degrees_east"}),
    }
    dataset = xarray.Dataset({"t": (("run", "lead", "lat", "lon"), np.zeros((3, 4, 4, 4), "f4"))}, coordinates)
    dataset.to_netcdf(tmp_path / "f.nc", engine="h5netcdf")

    findings = open_netcdf_source(make_spec("netcdf", tmp_path / "f.nc", variables={})).info.findings

    (note,) = (finding.message for finding in findings if "several runs" in finding.message)
    assert note.startswith("4 of 8 valid times occur in several runs")
    assert note.endswith("{run: latest} or {run: 2024-03-02T00:00:00Z}")
