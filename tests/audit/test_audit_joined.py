"""The audit of layers from several files: NetCDF files, bands of dates, climatologies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray

from chronotile.archive.open import open_archive
from chronotile.audit.archive import Audit, audit_archive
from chronotile.core.model.time.instants import system_clock
from tests.scenes import Scene, make_dataset, save_netcdf, write_tif

SCENE = Scene(width=12, height=9, days=tuple(f"{year}-{month:02}-01" for year in (2019, 2020) for month in range(1, 7)))
HALVES = (slice(0, 6), slice(6, 12))
"""Halves of the dates: one file per year."""


@pytest.fixture
def audited(tmp_path):
    """Return `audited(kind, href, more, change)`: the findings of an archive's audit after a change of its files."""

    def audit(kind, href, more="", *, variables="{NDVI: {}}", change=lambda: None):
        place = tmp_path / "chronotile.yaml"
        place.write_text(
            f"collections:\n  made: {{source: {{kind: {kind}, href: '{href}'{more}}}, variables: {variables}}}\n"
        )
        archive = open_archive(Path(place), environment={}, clock=system_clock)
        change()
        found = Audit(seed=1)
        lines = list(audit_archive(archive, found, samples=20))
        archive.close()
        return lines, found

    return audit


def is_all_right(answer, cells=12 * 108):
    """Return whether all was compared in each layout, and nothing differs."""
    lines, found = answer
    return (lines, found.mismatches, found.not_audited) == ([], 0, []) and found.compared == found.total >= cells


def write_year(folder, half, *, scale=0.004, bounds=None, **times):
    """Return a NetCDF file of half of the dates, packed in its own way."""
    dataset = make_dataset(SCENE).isel(time=HALVES[half])
    dataset["NDVI"].attrs["scale_factor"] = scale
    if "coordinates" in times:
        dataset = dataset.assign_coords(time=("time", times["coordinates"].astype("datetime64[ns]")))
    if bounds is not None:
        name = times.get("kind", "bounds")
        dataset["time"].attrs[name] = "span"
        dataset["span"] = (("time", "nv"), bounds.astype("datetime64[ns]"))
        dataset["span"].encoding = {"units": "hours since 2000-01-01", "dtype": "int32"}
    return save_netcdf(dataset, folder / f"ndvi_{2019 + half}.nc")


def months(half):
    """(time,) the first of six months."""
    return SCENE.times[HALVES[half]].astype("datetime64[M]")


def write_bounds(folder, half, kind):
    """A file with bounds, its coordinate at the end of them, in the middle, or between the years of a climatology."""
    starts = months(half).astype("datetime64[D]")
    ends = (months(half) + np.timedelta64(1, "M")).astype("datetime64[D]")
    if kind == "following":
        return write_year(folder, half, coordinates=ends, bounds=np.stack([starts, ends], axis=1))
    middle = starts + np.timedelta64(14, "D")
    if kind == "overlapping":
        more = np.timedelta64(40, "D")
        return write_year(folder, half, coordinates=middle, bounds=np.stack([starts - more, ends + more], axis=1))
    years = np.timedelta64(3650, "D")
    spans = np.stack([starts - years, ends + years], axis=1)
    return write_year(folder, half, coordinates=middle, bounds=spans, kind="climatology")


def test_netcdf_files_of_a_year_with_different_packing_agree(audited, tmp_path):
    write_year(tmp_path, 0)
    write_year(tmp_path, 1, scale=0.002)

    assert is_all_right(audited("netcdf", tmp_path / "ndvi_*.nc"))


def test_netcdf_files_of_a_date_each_without_time_go_by_their_names(audited, tmp_path):
    for t in range(3):
        dataset = make_dataset(SCENE).isel(time=t).drop_vars("time")
        dataset["NDVI"].attrs["scale_factor"] = 0.004 / (t + 1)
        save_netcdf(dataset, tmp_path / f"ndvi_{SCENE.days[t].replace('-', '')}.nc")

    assert is_all_right(audited("netcdf", tmp_path / "ndvi_*.nc"), cells=SCENE.cube()[:3].size)


@pytest.mark.parametrize("kind", ["following", "overlapping", "climatology"])
def test_netcdf_files_with_bounds_go_by_the_rule_of_time_names(audited, tmp_path, kind):
    write_bounds(tmp_path, 0, kind)
    write_bounds(tmp_path, 1, kind)

    assert is_all_right(audited("netcdf", tmp_path / "ndvi_*.nc"))


REFUSED = "made.NDVI: not served, although its source is readable: "
"""Served is an error, and no wrong number."""


def test_netcdf_file_with_another_scale_in_an_open_archive_is_found(audited, tmp_path):
    write_year(tmp_path, 0)
    write_year(tmp_path, 1)

    lines, found = audited("netcdf", tmp_path / "ndvi_*.nc", change=lambda: write_year(tmp_path, 1, scale=0.002))

    assert found.mismatches == len(lines) == 6
    assert all(line.startswith(REFUSED) for line in lines)


@pytest.mark.parametrize(
    ("other", "dates"),
    [
        ({"scale": 0.002}, {f"2020-{month:02}" for month in range(1, 7)}),
        ({"coordinates": SCENE.times[HALVES[1]][[1, 0, 2, 3, 4, 5]]}, {"2020-01", "2020-02"}),
    ],
    ids=["scale", "dates"],
)
def test_other_netcdf_files_than_the_served_ones_are_found(open_at, tmp_path, other, dates):
    for folder, said in (("served", {}), ("beside", other)):
        (tmp_path / folder).mkdir()
        write_year(tmp_path / folder, 0)
        write_year(tmp_path / folder, 1, **said)
    archive = open_at(tmp_path / "served")
    specs = {name: replace(spec, href=spec.href.replace("served", "beside")) for name, spec in archive.specs.items()}

    lines = list(audit_archive(replace(archive, specs=specs), Audit(seed=1), samples=20))

    assert {line.split(", ")[1][:7] for line in lines if ", row " in line} == dates


def test_damaged_netcdf_file_is_listed_as_not_audited(audited, tmp_path):
    write_year(tmp_path, 0)
    path = write_year(tmp_path, 1)

    lines, found = audited("netcdf", tmp_path / "ndvi_*.nc", change=lambda: path.write_bytes(b"none"))

    assert lines == found.not_audited
    assert len(lines) == 1


def write_bands(folder, half, *, dates=None, scene=SCENE, suffix=None):
    """Return a raster file of half of the dates, each band described by its date."""
    path = folder / f"ndvi_{2019 + half if suffix is None else suffix}.tif"
    write_tif(path, SCENE.cube()[HALVES[half]], scene)
    with rasterio.open(path, "r+") as file:
        file.descriptions = SCENE.days[HALVES[half]] if dates is None else dates
    return path


def test_files_of_dated_bands(audited, tmp_path):
    write_bands(tmp_path, 0)
    write_bands(tmp_path, 1, scene=Scene(width=12, height=9, scale=0.002), dates=SCENE.days[HALVES[1]][::-1])

    assert is_all_right(audited("cog", tmp_path / "ndvi_*.tif"))


def test_a_lone_file_of_dated_bands(audited, tmp_path):
    write_bands(tmp_path, 0)

    assert is_all_right(audited("cog", tmp_path / "ndvi_2019.tif"), cells=SCENE.cube()[:6].size)


def test_files_of_bands_of_dekads(audited, tmp_path):
    for half in (0, 1):
        dekads = [f"{2019 + half}-0{month}-d{third}" for month in (1, 2) for third in (1, 2, 3)]
        write_bands(tmp_path, half, dates=dekads)

    assert is_all_right(audited("cog", tmp_path / "ndvi_*.tif"))


def test_dated_bands_of_two_variables(audited, tmp_path):
    days = [f"{day}_{name}" for day in SCENE.days[:3] for name in ("B4", "B8")]
    write_bands(tmp_path, 0, dates=days)

    lines, found = audited("cog", tmp_path / "ndvi_2019.tif", variables="{B4: {}, red: {name: B8}}")

    assert (lines, found.mismatches, len(found.layers)) == ([], 0, 2)


@pytest.mark.parametrize("names", [("2019", "2020"), ("a", "b")])
def test_files_of_configured_times(audited, tmp_path, names):
    for half, name in enumerate(names):
        write_bands(tmp_path, half, dates=("",) * 6, suffix=name)
    times = f", times: [{', '.join(SCENE.days)}]"

    assert is_all_right(audited("cog", tmp_path / "ndvi_*.tif", times))


@pytest.mark.parametrize(("change", "dates"), [("swapped", {"2020-01", "2020-02"}), ("scale", set())])
def test_rewritten_dated_bands_in_an_open_archive_are_found(audited, tmp_path, change, dates):
    write_bands(tmp_path, 0)
    write_bands(tmp_path, 1)
    first, second, *rest = SCENE.days[HALVES[1]]
    anew = {"dates": (second, first, *rest)} if change == "swapped" else {"scene": Scene(scale=0.002)}

    lines, found = audited("cog", tmp_path / "ndvi_*.tif", change=lambda: write_bands(tmp_path, 1, **anew))

    assert found.mismatches > 0
    assert {line[11:18] for line in lines if ", row " in line} == dates
    assert [line for line in lines if line.startswith(REFUSED)] == lines[: len(lines) if not dates else 0]


def write_parts_of_year(path, numbers, dim="month"):
    """Return a climatology over a dimension, each step with the numbers of the part of the year."""
    scene = Scene(width=12, height=9)
    cube = np.stack([scene.numbers(number - 1) for number in numbers])
    dataset = make_dataset(scene).isel(time=0, drop=True)
    values = (cube, dataset["NDVI"].attrs)
    dataset = dataset.drop_vars("NDVI").assign(NDVI=((dim, "y", "x"), *values))
    return save_netcdf(dataset.assign_coords({dim: np.array(numbers)}), path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dim", "numbers"),
    [("month", [*range(1, 13)]), ("month", [12, 1, 2]), ("dayofyear", [*range(1, 366)]), ("dayofyear", [60, 61, 366])],
)
def test_climatologies_over_a_dimension(audited, tmp_path, dim, numbers):
    path = write_parts_of_year(tmp_path / "normals.nc", numbers, dim)

    assert is_all_right(audited("netcdf", path), cells=len(numbers) * 108)


def test_months_in_another_order_in_an_open_archive_are_found(audited, tmp_path):
    path = write_parts_of_year(tmp_path / "normals.nc", [*range(1, 13)])

    def change():
        with xarray.open_dataset(path, mask_and_scale=False) as stored:
            dataset = stored.load()
        save_netcdf(dataset.assign_coords(month=[2, 1, *range(3, 13)]), path)

    lines, found = audited("netcdf", path, change=change)

    assert found.mismatches > 0
    assert {line[11:18] for line in lines if ", row " in line} == {"2000-01", "2000-02"}
