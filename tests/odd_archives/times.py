"""Calendars, bounds, and dates that are few, far, equal, unsorted or missing."""

from collections.abc import Mapping
from pathlib import Path

import cftime
import numpy as np
import xarray

from tests.odd_archives.files import NUMBERS, Maker, cube, netcdf, write_tif

DAYS = {"units": "days since 2000-01-01"}
FRACTIONS = ("2016-03-23T14:05:08.463", "2016-03-23T14:05:09", "2016-04-02T14:05:10.001000001")


def _calendar(name: str) -> Maker:
    times = [cftime.datetime(2019, month, 28, calendar=name) for month in (1, 2, 3)]
    return netcdf(lambda: cube(times=times))


def _numbers(values: list[float], units: str, dtype: str = "f8", **attrs: object) -> Maker:
    return netcdf(lambda: cube(times=np.array(values, dtype), time_attrs={"units": units, **attrs}))


def _instants(*texts: str) -> Maker:
    return netcdf(lambda: cube(times=np.array(texts, "datetime64[ns]")), time=DAYS)


def _with_bounds(name: str = "bounds") -> xarray.Dataset:
    starts = np.array(["2019-01-01", "2019-02-01", "2019-03-01"], "datetime64[ns]")
    ends = np.array(["2019-02-01", "2019-03-01", "2019-04-01"], "datetime64[ns]")
    made = cube(times=starts, time_attrs={name: "time_bnds"}, cell_methods="time: mean")
    made["time_bnds"] = (("time", "bnds"), np.stack([starts, ends], 1))
    return made


def _climatology() -> xarray.Dataset:
    made = _with_bounds("climatology")
    starts = made["time"].values
    made["time_bnds"] = (("time", "bnds"), np.stack([starts - np.timedelta64(3650, "D"), starts], 1))
    made["NDVI"].attrs["cell_methods"] = "time: mean within years time: mean over years"
    return made


def _years() -> xarray.Dataset:
    return cube(times=np.array([2017, 2018, 2019])).rename(time="year")


def _files(*names: str) -> Maker:
    def make(folder: Path) -> Path:
        for name in names:
            write_tif(folder / name, NUMBERS)
        return folder

    return make


MAKERS: Mapping[str, Maker] = {
    **{f"calendar {name}": _calendar(name) for name in ("360_day", "noleap", "all_leap", "julian")},
    "months since": _numbers([0, 1, 2], "months since 2010-01-01"),
    "years since": _numbers([0, 1, 2], "years since 2010-01-01"),
    "dates as numbers": _numbers([20190101, 20190111, 20190121], "day as %Y%m%d.%f"),
    "a dimension of years": netcdf(_years),
    "hours since the year 1": _numbers([17_700_000, 17_700_240, 17_700_480], "hours since 0001-01-01"),
    "a time that is missing": _numbers([0, -999, 20], "days since 2019-01-01", "i4", _FillValue=np.int32(-999)),
    "packed times": _numbers([0, 10, 20], "days since 2019-01-01", "i4", scale_factor=0.5, add_offset=40.0),
    "times far away": _numbers([-100_000, 0, 90_000], "days since 2000-01-01"),
    "twins": _instants("2019-01-01", "2019-01-01", "2019-01-21"),
    "unsorted": _instants("2019-01-21", "2019-01-01", "2019-01-11"),
    "seconds apart": netcdf(
        lambda: cube(times=np.datetime64("2019-01-01T10:00:00", "ns") + np.arange(3) * np.timedelta64(1, "s"))
    ),
    "fractions of a second": netcdf(
        lambda: cube(times=np.array(FRACTIONS, "datetime64[ns]")), time={"units": "nanoseconds since 2000-01-01"}
    ),
    "bounds": netcdf(_with_bounds, time=DAYS, time_bnds=DAYS),
    "climatology": netcdf(_climatology, time=DAYS, time_bnds=DAYS),
    "one date": _files("ndvi_20200101.tif"),
    "no date": _files("elevation.tif"),
    "no date in NetCDF": netcdf(lambda: cube().isel(time=0, drop=True)),
    "one date in NetCDF": netcdf(lambda: cube().isel(time=[0])),
    "gaps": _files(*(f"ndvi_2020{month:02}01.tif" for month in (1, 2, 3, 7, 8, 12))),
    "29 February": _files("ndvi_20200229.tif", "ndvi_20210301.tif"),
    "a date that is none": _files("ndvi_20200230.tif", "ndvi_20200301.tif"),
}
