"""Archives that are served with the wrong place or date: the audit finds each, as it decodes coordinates by itself."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import xarray
from rasterio.crs import CRS
from rasterio.transform import Affine
from typer.testing import CliRunner

from chronotile.archive.audit.audit import Audit, audit_archive
from chronotile.cli import app

LATITUDES, LONGITUDES = np.arange(50.0, 39.0, -1), np.arange(0.0, 11.0)
VALUES = np.arange(4.0)[:, None, None] * 1000 + np.add.outer(np.arange(11.0) * 20, np.arange(11.0))
SPHERE = CRS.from_wkt('GEOGCS["s",DATUM["u",SPHEROID["S",6371229,0]],PRIMEM["G",0],UNIT["degree",0.0174532925199433]]')


def write_cube(path, *, latitudes=LATITUDES, values=VALUES, days=(0, 10, 20, 30), lat=None, time=None):
    """A NetCDF file with numbers and attributes of its coordinates as they are given."""
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
    profile = {"driver": "GTiff", "height": 11, "width": 11, "count": 1, "dtype": "float32", "crs": "EPSG:32633"}
    with rasterio.open(path, "w", **profile, transform=Affine(10, 0, 5e5 + shift, 0, -10, 5e6)) as out:
        out.write(VALUES[0].astype("float32"), 1)
    return path


def message(values, day, *, top=50.0, step=1.0, left=0.0):
    """A GRIB message of temperatures as GDAL writes it."""
    transform = Affine(step, 0, left - step / 2, 0, -step, top + step / 2)
    profile = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": "float64", "crs": SPHERE}
    with rasterio.MemoryFile() as made, rasterio.MemoryFile(ext=".grib2") as written:
        with made.open(driver="GTiff", transform=transform, **profile) as out:
            out.write(values, 1)
        options = {
            "PDS_PDTN": "0",
            "PDS_TEMPLATE_ASSEMBLED_VALUES": "0 0 2 0 0 0 0 1 0 1 0 0 255 0 0",
            "DATA_ENCODING": "IEEE_FLOATING_POINT",
            "IDS": f"CENTER=98 SUBCENTER=0 REF_TIME={day}T00:00:00Z",
        }
        with made.open() as source:
            rasterio.shutil.copy(source, written.name, driver="GRIB", **options)
        return written.read()


def write_messages(path, *messages):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(messages))
    return path


def as_gaussian(regular, latitudes):
    """A message whose grid section tells a Gaussian grid (template 40) of those latitudes."""
    made, at = bytearray(regular), 16
    while made[at + 4] != 3:
        at += struct.unpack(">I", made[at : at + 4])[0]

    def micro(degrees):
        return struct.pack(">I", round(abs(degrees) * 1e6) | (1 << 31 if degrees < 0 else 0))

    made[at + 12 : at + 14] = struct.pack(">H", 40)
    made[at + 46 : at + 50], made[at + 55 : at + 59] = micro(latitudes[0]), micro(latitudes[-1])
    made[at + 67 : at + 71] = struct.pack(">I", len(latitudes) // 2)
    return bytes(made)


def gaussian(count):
    return np.degrees(np.arcsin(np.polynomial.legendre.leggauss(count)[0]))[::-1]


@pytest.fixture
def audited_beside(open_at):
    """`audited_beside(served, source)`: what is found where one file is served and another one is its source."""

    def audit(served, source):
        archive = open_at(served.parent)
        specs = {name: replace(each, href=str(source)) for name, each in archive.specs.items()}
        found = Audit(seed=1)
        return list(audit_archive(replace(archive, specs=specs), found, samples=20)), found

    return audit


def packed(folder):
    """Latitudes served as they are stored, without scale and offset."""
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
    first, second = message(VALUES[0], "2017-10-17"), message(VALUES[1], "2017-10-18")
    yield write_messages(folder / "served" / "a.grib2", first, second)
    coarse = message(VALUES[1, :6, :6], "2017-10-18", step=2.0)
    yield write_messages(folder / "source" / "a.grib2", first, coarse)


def even_rows(folder):
    """A Gaussian grid served on rows that are a little too far apart."""
    rows = gaussian(32)
    values = np.add.outer(np.arange(32.0) * 100, np.arange(64.0))
    regular = message(values, "2017-10-17", top=float(rows[0]), step=5.625)
    yield write_messages(folder / "served" / "a.grib2", regular)
    yield write_messages(folder / "source" / "a.grib2", as_gaussian(regular, rows))


FAULTS = (
    packed,
    flipped,
    dated_by_fill,
    packed_times,
    half_a_cell,
    half_a_pixel,
    other_message,
    even_rows,
)


@pytest.mark.quick_cases("packed", "flipped", "dated_by_fill", "half_a_cell", "other_message")
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_served_at_a_wrong_place_or_date_is_a_mismatch(audited_beside, tmp_path, fault):
    served, source = fault(tmp_path)

    lines, found = audited_beside(served, source)
    _unchanged, right = audited_beside(served, served)

    assert found.mismatches > 0
    assert lines
    assert not found.not_audited
    assert (right.mismatches, right.not_audited, right.compared) == (0, [], right.total)


def test_a_line_tells_both_places(audited_beside, tmp_path):
    lines, _found = audited_beside(*packed(tmp_path))

    assert lines == ["a.NDVI: its cells are served at lat 0 to 10, its source has them at 40 to 50"]


def test_a_date_by_fill_value_is_named(audited_beside, tmp_path):
    lines, _found = audited_beside(*dated_by_fill(tmp_path))

    assert lines[0] == "a.NDVI, 2016-04-07T00:00:00Z: served, but its source has no such date"


def test_messages_of_several_times_are_audited(open_at, tmp_path):
    write_messages(tmp_path / "a.grib2", *(message(VALUES[t], f"2017-10-1{t}") for t in range(4)))
    found = Audit(seed=1)

    lines = list(audit_archive(open_at(tmp_path), found, samples=20))

    assert (lines, found.not_audited, found.compared) == ([], [], VALUES.size)


def test_the_command_fails_where_nothing_was_audited(tmp_path):
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
