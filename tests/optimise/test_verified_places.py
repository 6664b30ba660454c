"""`optimise verify` compares values, coordinates and times of a cube with its sources, read by xarray or GDAL."""

import json
import re

import numpy as np
import pytest
import xarray
import zarr
from typer.testing import CliRunner

from chronotile.cli.main import app
from chronotile.core.errors import UnsupportedSource
from tests.grib import message
from tests.rasters import write_raster

SIDE = 11
ROWS, COLUMNS = np.arange(50.0, 50 - SIDE, -1), np.arange(0.0, SIDE)
VALUES = np.arange(3.0)[:, None, None] * 1000 + np.add.outer(np.arange(SIDE) * 20.0, np.arange(SIDE))
DAYS = np.array(["2020-01-01", "2020-01-11", "2020-01-21"], dtype="datetime64[ns]")


def write_nc(folder, *, rows=ROWS, columns=COLUMNS, values=VALUES, lat=None, lon=None, scale=None):
    """Write a file with stored coordinates `rows` and `columns` and their attributes `lat` and `lon`."""
    packed = {} if scale is None else {"scale_factor": scale}
    dataset = xarray.Dataset(
        {"NDVI": (("time", "lat", "lon"), values.astype("int16" if scale else "float64"), packed)},
        coords={
            "time": ("time", [0, 10, 20], {"units": "days since 2020-01-01"}),
            "lat": ("lat", rows, {"units": "degrees_north", **(lat or {})}),
            "lon": ("lon", columns, {"units": "degrees_east", **(lon or {})}),
        },
    )
    plain = {name: {"_FillValue": None} for name in ("NDVI", "lat", "lon")}
    dataset.to_netcdf(folder / "NDVI.nc", engine="h5netcdf", encoding=plain)
    return folder / "NDVI.nc"


def packed(folder):
    """Latitudes and longitudes as whole numbers with scale and offset."""
    rows, columns = (ROWS * 10 - 450).astype("int16"), (COLUMNS * 4).astype("int16")
    unpack = {"scale_factor": 0.1, "add_offset": 45.0}
    return write_nc(folder, rows=rows, columns=columns, lat=unpack, lon={"scale_factor": 0.25}, scale=0.5)


def south_first(folder):
    return write_nc(folder, rows=ROWS[::-1], values=VALUES[:, ::-1])


def around_the_globe(folder):
    """Longitudes of 0 to 360."""
    values = np.concatenate([VALUES, VALUES[:, :, :1] + SIDE], axis=2)
    return write_nc(folder, columns=np.arange(0.0, 360, 30), values=values)


def files(folder):
    for day, values in zip(DAYS, VALUES, strict=True):
        name = f"NDVI_{str(day)[:10].replace('-', '')}.tif"
        write_raster(folder / name, values.astype("float32"))
    return folder


def messages(folder):
    made = [message(folder, values, day=str(day)[:10]) for day, values in zip(DAYS, VALUES, strict=True)]
    for path in folder.iterdir():  # replaced by messages
        path.unlink()
    (folder / "a.grib2").write_bytes(b"".join(made))
    return folder / "a.grib2"


SOURCES = (packed, south_first, around_the_globe, files, messages)


def arrays(target, name):
    """Return an array in the layout of maps and in that of series."""
    return [zarr.open_array(target / group / name, mode="r+") for group in ("", "series")]


def attributes_changed(target, name, change):
    """Change the attributes of an array in all documents that have them."""
    for path in target.rglob("zarr.json"):
        document = json.loads(path.read_text())
        nodes = {path.parent.name: document, **document.get("consolidated_metadata", {}).get("metadata", {})}
        for place, node in nodes.items():
            if place.rpartition("/")[2] == name:
                change(node["attributes"])
        path.write_text(json.dumps(document))


def half_a_cell(target):
    """Move the rows half a cell to the north in all georeferencing."""

    def move(attributes):
        numbers = [float(each) for each in attributes["GeoTransform"].split()]
        numbers[3] -= numbers[5] / 2
        attributes["GeoTransform"] = " ".join(map(str, numbers))

    half_a_cell_of_coordinates(target)
    attributes_changed(target, "spatial_ref", move)


def half_a_cell_of_coordinates(target):
    for y in arrays(target, "y"):
        numbers = y[:]
        y[:] = numbers - np.diff(numbers)[0] / 2


def half_a_cell_of_series(target):
    y = arrays(target, "y")[1]
    y[:] = y[:] - np.diff(y[:])[0] / 2


def rows_flipped(target):
    for each in arrays(target, "NDVI"):
        each[:] = each[:][:, ::-1]


def one_time(target):
    for time in arrays(target, "time"):
        time[1] = time[1] + 3600


def one_value(target, name="NDVI"):
    for each in arrays(target, name):
        each[1, 3, 4] = each[1, 3, 4] + 7


def one_scale(target):
    attributes_changed(target, "NDVI", lambda attributes: attributes.update(scale_factor=2.0))


FAULTS = {
    half_a_cell: "3 dates differ from the source, in 363 cells; in the cube NDVI is elsewhere: its cells are served at "
    "lat 40.5 to 50.5, its source has them at 40 to 50;",
    half_a_cell_of_coordinates: "in the cube NDVI has y 50.5 at position 0 by the maps, 50 by the transform of the "
    "maps;",
    half_a_cell_of_series: "in the cube NDVI has y 50.5 at position 0 by the series, 50 by the transform of the maps;",
    rows_flipped: "3 dates differ from the source, in 330 cells; in the cube NDVI has 200 at row 0, column 0 (x 0, "
    "y 50, 2020-01-01T00:00:00Z), NDVI.nc has 0;",
    one_time: "1 dates differ from the source, in 121 cells; in the cube NDVI is elsewhere: its values of "
    "2020-01-11T00:00:00Z are at 2020-01-11T01:00:00Z;",
    one_value: "1 dates differ from the source, in 1 cells; in the cube NDVI has 1071 at row 3, column 4 (x 4, y 47, "
    "2020-01-11T00:00:00Z), NDVI.nc has 1064;",
    one_scale: "in the cube NDVI has 2 at row 0, column 1 (x 1, y 50, 2020-01-01T00:00:00Z), NDVI.nc has 1;",
}


@pytest.mark.quick_cases("files")
@pytest.mark.parametrize("source", SOURCES)
def test_verify_accepts_a_right_cube_and_refuses_a_moved_one(tmp_path, write, verify, target, source):
    folder = tmp_path / "source"
    folder.mkdir()
    sources = source(folder)
    write(sources)

    summary = verify(sources)
    half_a_cell(target)

    assert summary.startswith("3 dates of ")
    assert "not verified" not in summary
    with pytest.raises(UnsupportedSource, match=r"3 dates differ from the source.* is elsewhere: its cells are served"):
        verify(sources)


@pytest.mark.quick_cases("half_a_cell", "one_time")
@pytest.mark.parametrize("fault", FAULTS)
def test_verify_reports_variable_position_and_both_numbers(tmp_path, write, verify, target, fault):
    source = write_nc(tmp_path)
    write(source)
    fault(target)

    with pytest.raises(UnsupportedSource, match=re.escape(FAULTS[fault])):
        verify(source)


@pytest.mark.parametrize("days", [1, 10], ids=["a free time", "the time of the next file"])
def test_verify_reports_the_wrong_time_of_a_file(tmp_path, write, verify, target, days):
    folder = files(tmp_path)
    write(folder)
    for time in arrays(target, "time"):
        time[1] = time[1] + days * 86400

    with pytest.raises(
        UnsupportedSource, match=f"its values of 2020-01-11T00:00:00Z are at 2020-01-{11 + days}T00:00:00Z"
    ):
        verify(folder)


def test_command_exits_with_1_if_rows_were_flipped(tmp_path, write, target):
    source = write_nc(tmp_path)
    write(source)
    rows_flipped(target)

    result = CliRunner().invoke(app, ["optimise", "verify", str(source), str(target)])

    assert result.exit_code == 1
    assert "in the cube NDVI has 200 at row 0, column 0" in result.output


def test_unreadable_times_of_names_are_not_verified(tmp_path, write, verify, target):
    for hour, path in enumerate(sorted(files(tmp_path).glob("*.tif"))):
        path.rename(tmp_path / f"NDVI_2020-01-01T0{hour}.tif")
    paths, pattern = sorted(tmp_path.glob("*.tif")), r"NDVI_(?P<time>.*)\.tif"
    write(paths, time_pattern=pattern)

    summary = verify(paths, time_pattern=pattern)
    one_value(target, "band1")

    assert "; not verified: the times of 3 dates" in summary
    with pytest.raises(UnsupportedSource, match=r"has 1071 at row 3, column 4 .* of NDVI_2020-01-01T01.tif has 1064"):
        verify(paths, time_pattern=pattern)


def test_dates_of_the_cube_without_source_are_not_verified(tmp_path, write, verify):
    folder = files(tmp_path)
    write(folder)

    summary = verify(sorted(folder.glob("*.tif"))[:1])

    assert summary.startswith("1 dates of NDVI compared with 1 files")
    assert "; not verified: 2 dates of the cube that are of none of these sources" in summary


def test_dates_that_the_cube_lacks_are_not_verified(tmp_path, write, verify, target):
    paths = sorted(files(tmp_path).glob("*.tif"))
    write(paths[:1])
    before = sorted(path.relative_to(target) for path in target.rglob("*"))

    summary = verify(paths)

    assert summary.endswith("; not verified: 2 dates of the sources that the cube lacks")
    assert sorted(path.relative_to(target) for path in target.rglob("*")) == before


def test_verify_without_a_common_date_is_refused(tmp_path, write, verify):
    paths = sorted(files(tmp_path).glob("*.tif"))
    write(paths[:1])

    with pytest.raises(UnsupportedSource, match="cannot be verified: it has no complete date of these sources"):
        verify(paths[1:])


def test_verify_during_or_after_an_unfinished_run_is_refused(tmp_path, write, verify, target):
    folder = files(tmp_path)
    write(folder)
    (target / ".optimise").mkdir()
    (target / ".optimise" / "shape.json").write_text("{}")

    with pytest.raises(UnsupportedSource, match=r"a run on cube\.zarr is active or was interrupted"):
        verify(folder)


def test_an_array_without_coordinates_is_not_verified(tmp_path, write, verify):
    store = zarr.create_group(tmp_path / "floats.zarr", zarr_format=3)
    names = ("time", "y", "x")
    array = store.create_array("v", shape=VALUES.shape, dtype="f8", dimension_names=names)
    array[:] = VALUES
    days = store.create_array("time", shape=(3,), dtype="i4", dimension_names=("time",))
    days[:] = [0, 10, 20]
    days.attrs["units"] = "days since 2020-01-01"
    store.attrs.update({"proj:code": "EPSG:32633", "spatial:transform": [10, 0, 5e5, 0, -10, 5e6]})
    store.attrs.update({"spatial:dimensions": ["y", "x"]})
    write(tmp_path / "floats.zarr")

    with pytest.raises(UnsupportedSource, match=r"the cube cannot be verified: no x and y axes are identified"):
        verify(tmp_path / "floats.zarr")
