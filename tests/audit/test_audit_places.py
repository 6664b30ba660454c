"""Archives that are served with the wrong place or date: the audit finds each, as it decodes coordinates by itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray
from rasterio.transform import Affine
from typer.testing import CliRunner

from chronotile.audit.archive import Audit, audit_archive
from chronotile.cli.main import app
from tests.grib import code, first_edition, gaussian, gaussian_rows, message
from tests.rasters import write_raster

LATITUDES, LONGITUDES = np.arange(50.0, 39.0, -1), np.arange(0.0, 11.0)
VALUES = np.arange(4.0)[:, None, None] * 1000 + np.add.outer(np.arange(11.0) * 20, np.arange(11.0))


def write_cube(path, *, latitudes=LATITUDES, values=VALUES, days=(0, 10, 20, 30), lat=None, time=None):
    """Write a NetCDF file with given numbers and attributes of its coordinates."""
    attributes = {"units": "degrees_north", **(lat or {})}
    dataset = xarray.Dataset(
        {"NDVI": (("time", "lat", "lon"), values)},
        coords={
            "time": ("time", np.array(days, dtype="int32"), {"units": "days since 2019-01-01", **(time or {})}),
            "lat": ("lat", np.asarray(latitudes), attributes),
            "lon": ("lon", LONGITUDES, {"units": "degrees_east"}),
        },
    )
    path.parent.mkdir(exist_ok=True)
    dataset.to_netcdf(path, engine="h5netcdf", encoding={"NDVI": {"_FillValue": None}, "lat": {"_FillValue": None}})
    return path


def write_tif(path, *, shift=0.0):
    path.parent.mkdir(exist_ok=True)
    write_raster(path, VALUES[0].astype("float32"), transform=Affine(10, 0, 5e5 + shift, 0, -10, 5e6))
    return path


def write_messages(path, *messages):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(messages))
    return path


@pytest.fixture
def audited_beside(open_at):
    """Return `audited_beside(served, source)`: the findings if a file is served and another one is its source."""

    def audit(served, source):
        archive = open_at(served.parent)
        specs = {name: replace(each, href=str(source)) for name, each in archive.specs.items()}
        found = Audit(seed=1)
        return list(audit_archive(replace(archive, specs=specs), found, samples=20)), found

    return audit


def packed(folder):
    """Serve latitudes in their stored form, without scale and offset."""
    stored = (LATITUDES - 40).astype("int16")
    yield write_cube(folder / "served" / "a.nc", latitudes=stored)
    yield write_cube(folder / "source" / "a.nc", latitudes=stored, lat={"scale_factor": 1.0, "add_offset": 40.0})


def flipped(folder):
    yield write_cube(folder / "served" / "a.nc", values=VALUES[:, ::-1])
    yield write_cube(folder / "source" / "a.nc")


def dated_by_fill(folder):
    days = (0, 10, -999, 30)
    yield write_cube(folder / "served" / "a.nc", days=days)
    yield write_cube(folder / "source" / "a.nc", days=days, time={"_FillValue": np.int32(-999)})


def packed_times(folder):
    days = (13879, 13899, 13919, 13939)
    yield write_cube(folder / "served" / "a.nc", days=days)
    yield write_cube(folder / "source" / "a.nc", days=days, time={"scale_factor": 0.5, "add_offset": 6940.0})


def half_a_cell(folder):
    yield write_cube(folder / "served" / "a.nc", latitudes=LATITUDES - 0.5)
    yield write_cube(folder / "source" / "a.nc")


def half_a_pixel(folder):
    yield write_tif(folder / "served" / "a.tif", shift=5.0)
    yield write_tif(folder / "source" / "a.tif")


def other_message(folder):
    """The second message served on the grid of the first."""
    first, second = message(folder, VALUES[0]), message(folder, VALUES[1], day="2020-01-02")
    yield write_messages(folder / "served" / "a.grib2", first, second)
    coarse = message(folder, VALUES[1, :6, :6], day="2020-01-02", step=2.0)
    yield write_messages(folder / "source" / "a.grib2", first, coarse)


def even_rows(folder):
    """A Gaussian grid served on rows that are a little too far apart."""
    rows = gaussian_rows(16)
    regular = message(folder, code(32, 64), north=float(rows[0]), step=5.625)
    yield write_messages(folder / "served" / "a.grib2", regular)
    yield write_messages(folder / "source" / "a.grib2", gaussian(regular, 16))


FAULTS = (packed, flipped, dated_by_fill, packed_times, half_a_cell, half_a_pixel, other_message, even_rows)


@pytest.mark.quick_cases("packed", "other_message")
@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_place_or_date_is_a_mismatch(audited_beside, tmp_path, fault):
    served, source = fault(tmp_path)

    lines, found = audited_beside(served, source)
    _unchanged, right = audited_beside(served, served)

    assert found.mismatches > 0
    assert lines
    assert not found.not_audited
    assert (right.mismatches, right.not_audited, right.compared) == (0, [], right.total)


def test_line_contains_both_places(audited_beside, tmp_path):
    lines, _found = audited_beside(*packed(tmp_path))

    assert lines == ["a.NDVI: its cells are served at lat 0 to 10, its source has them at 40 to 50"]


def test_date_from_a_fill_value_is_named(audited_beside, tmp_path):
    lines, _found = audited_beside(*dated_by_fill(tmp_path))

    assert lines[0] == "a.NDVI, 2016-04-07T00:00:00Z: served, but its source has no such date"


@pytest.mark.parametrize("edit", [lambda rows: rows, lambda rows: rows[::-1]], ids=["north first", "south first"])
def test_packed_coordinates_that_are_decoded_have_no_mismatch(open_at, tmp_path, edit):
    rows = edit(LATITUDES)
    write_cube(tmp_path / "a.nc", latitudes=(rows * 10).astype("int16"), lat={"scale_factor": 0.1})
    archive = open_at(tmp_path)
    found = Audit(seed=1)

    lines = list(audit_archive(archive, found, samples=20))

    assert (lines, found.mismatches, found.compared) == ([], 0, VALUES.size)


def test_other_dates_match_next_to_a_missing_one(open_at, tmp_path):
    write_cube(tmp_path / "a.nc", days=(0, 10, -999, 30), time={"_FillValue": np.int32(-999)})
    found = Audit(seed=1)

    lines = list(audit_archive(open_at(tmp_path), found, samples=20))

    assert (lines, found.compared) == ([], VALUES[:3].size)


GRIBS = {
    "times": lambda folder: [message(folder, VALUES[t], day=f"2020-01-0{t + 1}") for t in range(4)],
    "Gaussian rows": lambda folder: [gaussian(message(folder, code(32, 64), north=85.76, step=5.625), 16)],
    "members": lambda folder: [message(folder, VALUES[t], definition=1, more=(3, t, 4)) for t in range(4)],
    "runs": lambda folder: [message(folder, VALUES[n], day=f"2020-01-0{2 - n}", hours=24 * n + 24) for n in (1, 0)],
    "edition 1": lambda _folder: [
        first_edition(VALUES[t], latitudes=(50, 40), longitudes=(0, 10), range_of_time=3 * t) for t in range(2)
    ],
}


@pytest.mark.parametrize("messages", GRIBS.values(), ids=GRIBS)
def test_grib_is_audited_message_by_message(open_at, tmp_path, messages):
    data = tmp_path / "data"
    write_messages(data / "a.grib2", *messages(tmp_path))
    found = Audit(seed=1)

    lines = list(audit_archive(open_at(data), found, samples=20))

    assert (lines, found.not_audited, found.mismatches) == ([], [], 0)
    assert found.compared == found.total > 0


def test_grib_with_a_header_of_no_message_is_not_audited(open_at, tmp_path):
    data = tmp_path / "data"
    write_messages(data / "a.grib2", message(tmp_path, VALUES[0]), b"GRIB")
    found = Audit(seed=1)

    (line,) = audit_archive(open_at(data), found, samples=20)

    assert line.endswith("the lengths of its messages are not those of GRIB")
    assert not found.is_right


def test_few_levels_that_are_layers_are_audited(open_at, tmp_path):
    levels = xarray.DataArray(np.array([1000, 850], "i4"), dims="level", attrs={"units": "hPa"})
    stacked = np.stack([VALUES, VALUES + 5000], axis=1)
    coords = {
        "time": np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(1, "D"),
        "level": levels,
        "lat": ("lat", LATITUDES, {"units": "degrees_north"}),
        "lon": ("lon", LONGITUDES, {"units": "degrees_east"}),
    }
    dataset = xarray.Dataset({"T": (("time", "level", "lat", "lon"), stacked)}, coords=coords)
    dataset.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    found = Audit(seed=1)

    lines = list(audit_archive(open_at(tmp_path), found, samples=20))

    assert (lines, found.not_audited, found.compared) == ([], [], stacked.size)


def test_command_fails_if_nothing_was_audited(tmp_path):
    write_tif(tmp_path / "a.tif")
    place = Path(tmp_path / "chronotile.yaml")
    formula = "{formula: 'where(band1 > 1, 1, 2)'}"
    place.write_text(
        f"collections:\n  a: {{source: {{kind: cog, href: a.tif}}, variables: {{band1: {{}}, x: {formula}}}}}"
    )
    some = CliRunner().invoke(app, ["audit", str(place)])
    place.write_text("collections:\n  a: {source: {kind: cog, href: a.tif}, variables: {band1: {dtype: int32}}}")

    none = CliRunner().invoke(app, ["audit", str(place)])

    assert (some.exit_code, none.exit_code) == (0, 1)
    assert "0 mismatches: 1 variables audited, 1 not audited; " in some.stdout
    assert "0 mismatches: 0 variables audited, 1 not audited; " in none.stdout
