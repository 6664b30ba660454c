"""NetCDF files with times on one or several axes, in any units, and their expected times by construction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import xarray

from tests.odd_archives.files import Maker

ROWS, COLUMNS = 5, 6
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UNIT_LENGTHS = {
    **dict.fromkeys(("seconds", "second", "sec", "s"), timedelta(seconds=1)),
    **dict.fromkeys(("minutes", "min", "mins"), timedelta(minutes=1)),
    **dict.fromkeys(("hours", "hour", "hr", "h"), HOUR),
    **dict.fromkeys(("days", "day", "d", "Days"), DAY),
    **dict.fromkeys(("weeks", "week"), 7 * DAY),
    "10 minutes": timedelta(minutes=10),
    "0.5 hours": timedelta(minutes=30),
}
SINCE = ("since", "since", "since", "after", "from", "@", "ref")
REFERENCES: Mapping[str, Callable[[datetime], str]] = {
    "date": lambda at: f"{at:%Y-%m-%d}",
    "short date": lambda at: f"{at.year}-{at.month}-{at.day}",
    "date and time": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "short time": lambda at: f"{at.year}-{at.month}-{at.day} {at.hour}:{at.minute}",
    "hour": lambda at: f"{at:%Y-%m-%d} {at.hour}",
    "ISO": lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}",
    "fraction": lambda at: f"{at:%Y-%m-%d %H:%M:%S}.0",
    "UTC": lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC",
    "zone": lambda at: f"{at + 5 * HOUR + HOUR / 2:%Y-%m-%d %H:%M:%S} +05:30",
    "short zone": lambda at: f"{at - 3 * HOUR:%Y-%m-%d %H:%M} -3:00",
    "zone of ISO": lambda at: f"{at + HOUR:%Y-%m-%dT%H:%M:%S}+0100",
    "packed": lambda at: f"{at:%Y%m%d}",
    "packed with time": lambda at: f"{at:%Y%m%dT%H%M%S}",
    "month": lambda at: f"{at:%Y-%m}",
    "month and time": lambda at: f"{at:%Y-%m} 00:00:00",
    "year": lambda at: f"{at:%Y}",
}


@dataclass(frozen=True)
class TimedFile:
    """A file, and its times."""

    dataset: xarray.Dataset
    steps: tuple[tuple[datetime, int], ...]
    """In order: each valid time that is served, and which of the file's steps has its values."""
    select: Mapping[str, object] = field(default_factory=dict)
    """Selected steps in the configuration."""

    @property
    def names(self) -> list[str]:
        return [f"{at:%Y-%m-%dT%H:%M:%S}Z" for at, _step in self.steps]

    @property
    def values(self) -> list[float]:
        """Value of each time at row 2, column 3."""
        return [float(_value(step, 2, 3)) for _at, step in self.steps]


def _value(step: Any, row: Any, column: Any) -> Any:
    return 10 * step + row + column / 8


def dataset_of(dims: Mapping[str, int], coordinates: Mapping[str, Any], **more: Any) -> xarray.Dataset:
    """Return a variable over some dimensions, y and x; its values encode the total step, row and column."""
    shape = tuple(dims.values())
    steps = np.arange(int(np.prod(shape))).reshape(*shape, 1, 1)
    values = _value(steps, np.arange(ROWS)[:, np.newaxis], np.arange(COLUMNS)).astype("float32")
    coords = {
        "lat": ("lat", 51.9 - 0.1 * np.arange(ROWS), {"units": "degrees_north"}),
        "lon": ("lon", 4.1 + 0.1 * np.arange(COLUMNS), {"units": "degrees_east"}),
    }
    return xarray.Dataset({"v": ((*dims, "lat", "lon"), values, {"units": "1"}), **more}, coords | dict(coordinates))


def _numbers(times: Sequence[datetime], random: Random) -> tuple[np.ndarray, dict[str, str]]:
    """Times in random units since a random date in a random spelling."""
    spelling = random.choice(list(REFERENCES))
    first = times[0] - random.randrange(1, 40_000) * DAY - random.randrange(24) * HOUR
    first = {"month": first.replace(day=1), "year": first.replace(day=1, month=1)}.get(spelling.split()[0], first)
    has_no_time = spelling in {"date", "short date", "packed", "month", "month and time", "year"}
    first = first.replace(hour=0) if has_no_time else first
    unit = random.choice(list(UNIT_LENGTHS))
    numbers = [(time - first) / UNIT_LENGTHS[unit] for time in times]
    is_whole = all(number.is_integer() for number in numbers)
    dtype = random.choice(("i8", "f8")) if is_whole else "f8"
    units = f"{unit} {random.choice(SINCE)} {REFERENCES[spelling](first)}"
    return np.array(numbers, dtype), {"units": units, "calendar": random.choice(("standard", "proleptic_gregorian"))}


def _start(random: Random) -> datetime:
    return datetime(random.randrange(1960, 2030), random.randrange(1, 13), random.randrange(1, 29), 6, tzinfo=UTC)


def one_axis(random: Random) -> TimedFile:
    """Return a file of one axis."""
    step = random.choice((HOUR, 6 * HOUR, DAY, 10 * DAY))
    start = _start(random)
    times = [start + n * step for n in range(4)]
    numbers, attrs = _numbers(times, random)
    name = random.choice(("time", "t", "date"))
    made = dataset_of({name: 4}, {name: (name, numbers, attrs | {"standard_name": "time"})})
    return TimedFile(made, tuple((at, n) for n, at in enumerate(times)))


def calendar_months(random: Random) -> TimedFile:
    """Return a file of calendar months, or years, since a date of two parts or one."""
    year, month = random.randrange(1850, 1990), random.randrange(1, 13)
    is_of_years = random.random() < 0.3
    first = random.randrange(30 if is_of_years else 400)
    numbers = [first, first + 1, first + 2]
    unit = random.choice(("years", "year") if is_of_years else ("months", "month"))
    reference = f"{year}" if is_of_years else f"{year}-{month:02}"
    reference += random.choice(("", " 00:00:00", "") if not is_of_years else ("",))
    months = [year * 12 + (0 if is_of_years else month - 1) + number * (12 if is_of_years else 1) for number in numbers]
    times = [datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in months]
    attrs = {"units": f"{unit} since {reference}"}
    made = dataset_of({"time": 3}, {"time": ("time", np.array(numbers, random.choice(("i4", "f4"))), attrs)})
    return TimedFile(made, tuple((at, n) for n, at in enumerate(times)))


RUN_NAMES = ("init_time", "forecast_reference_time", "reference_time", "initial_time", "run", "init", "time", "zz")
LEAD_NAMES = ("lead_time", "step", "forecast_period", "prediction_timedelta", "leadtime", "lead", "ll")


def forecasts(random: Random) -> TimedFile:
    """Return a file of runs and leads: the newest run is served for each valid time, or the selected one."""
    start, run_step, lead_step = _start(random), random.choice((6, 12, 24)), random.choice((6, 12))
    runs = [start + n * run_step * HOUR for n in range(3)]
    leads = [n * lead_step * HOUR for n in range(4)]
    run, lead = random.choice(RUN_NAMES), random.choice(LEAD_NAMES)
    has_standard_names = {run, lead} & {"zz", "ll", "time"} or random.random() < 0.5
    run_numbers, run_attrs = _numbers(runs, random)
    lead_attrs = {"units": random.choice(("hours", "h", "hour"))}
    if has_standard_names:
        run_attrs["standard_name"], lead_attrs["standard_name"] = "forecast_reference_time", "forecast_period"
    dims = {run: len(runs), lead: len(leads)}
    dims = dict(reversed(dims.items())) if random.random() < 0.3 else dims
    coordinates: dict[str, Any] = {
        run: (run, run_numbers, run_attrs),
        lead: (lead, np.array([each / HOUR for each in leads]), lead_attrs),
    }
    if random.random() < 0.4:
        valid = np.array([[at + after for after in leads] for at in runs])
        numbers, attrs = _numbers(list(valid.ravel()), random)
        values = numbers.reshape(valid.shape)
        coordinates["valid_time"] = ((run, lead), values, attrs | {"standard_name": "time"})
    shape = tuple(dims.values())
    steps = {
        (r, n): int(np.ravel_multi_index((r, n) if next(iter(dims)) == run else (n, r), shape))
        for r in range(len(runs))
        for n in range(len(leads))
    }
    chosen = random.choice((None, None, "latest", 0))
    some = range(len(runs)) if chosen is None else [len(runs) - 1 if chosen == "latest" else 0]
    served = {runs[r] + leads[n]: steps[r, n] for r in some for n in range(len(leads))}
    text = {None: {}, "latest": {"run": "latest"}, 0: {"run": f"{runs[0]:%Y-%m-%dT%H:%M:%SZ}"}}[chosen]
    return TimedFile(dataset_of(dims, coordinates), tuple(sorted(served.items())), text)


def one_run(random: Random) -> TimedFile:
    """Return a file of one run without dimension, along its leads."""
    run = _start(random)
    numbers, attrs = _numbers([run], random)
    leads = sorted(random.sample(range(0, 200, 6), 4))
    name = random.choice(LEAD_NAMES[:-1])
    coordinates = {
        "forecast_reference_time": ((), numbers[0], attrs | {"standard_name": "forecast_reference_time"}),
        name: (name, leads, {"units": "hours", "standard_name": "forecast_period"}),
    }
    made = dataset_of({name: 4}, coordinates)
    return TimedFile(made, tuple((run + n * HOUR, step) for step, n in enumerate(leads)))


def years_and_parts(random: Random) -> TimedFile:
    """Return a file of years and months, days of the year, or months and days."""
    years = [random.randrange(1901, 2090)]
    years += [years[0] + random.choice((1, 4))]
    kind = random.choice(("month", "yearday", "day"))
    names = {"month": ("year", "month"), "yearday": ("year", "dayofyear"), "day": ("year", "month", "day")}[kind]
    axes = {
        "year": years,
        "month": sorted(random.sample(range(1, 13), 3)),
        "dayofyear": sorted({*random.sample(range(1, 366), 3), 366}),
        "day": sorted({*random.sample(range(1, 28), 2), 31}),
    }
    order = list(names)
    random.shuffle(order)
    dims = {name: len(axes[name]) for name in order}
    served = {}
    for step, index in enumerate(np.ndindex(*dims.values())):
        part = {name: axes[name][place] for name, place in zip(order, index, strict=True)}
        at = datetime(part["year"], part.get("month", 1), 1, tzinfo=UTC)
        at += (part.get("dayofyear", part.get("day", 1)) - 1) * DAY
        if at.year == part["year"] and at.month == part.get("month", at.month):
            served[at] = step
    coordinates = {name: (name, np.array(axes[name], "i4")) for name in order}
    return TimedFile(dataset_of(dims, coordinates), tuple(sorted(served.items())))


def parts_along_one(random: Random) -> TimedFile:
    """Return a file with a year, month and day for each step of one dimension."""
    days = sorted(random.sample(range(20_000), 4))
    times = [datetime(1960, 1, 1, tzinfo=UTC) + day * DAY for day in days]
    parts = {"year": [at.year for at in times], "month": [at.month for at in times], "day": [at.day for at in times]}
    made = dataset_of({"obs": 4}, {name: ("obs", np.array(each, "i2")) for name, each in parts.items()})
    return TimedFile(made, tuple((at, step) for step, at in enumerate(times)))


DATE_TEXTS = ("%Y-%m-%d_%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y%m%dT%H%M%S", "%Y-%m-%dT%H:%M+00:00")


def texts(random: Random) -> TimedFile:
    """Return a file whose times are texts, such as `Times` of WRF along `Time`."""
    start, step, form = _start(random), random.choice((HOUR, DAY)), random.choice(DATE_TEXTS)
    times = [start + n * step for n in range(4)]
    dim, name = random.choice((("Time", "Times"), ("time", "time"), ("nt", "datetime")))
    dates = np.array([f"{at:{form}}" for at in times], dtype=object)
    made = dataset_of({dim: 4}, {name: (dim, dates)})
    return TimedFile(made, tuple((at, n) for n, at in enumerate(times)))


KINDS: Mapping[str, Callable[[Random], TimedFile]] = {
    "one axis": one_axis,
    "calendar months": calendar_months,
    "forecasts": forecasts,
    "one run": one_run,
    "years and parts": years_and_parts,
    "parts along one": parts_along_one,
    "texts": texts,
}


def timed_file(kind: str, seed: int) -> TimedFile:
    """Return a random file of a kind."""
    return KINDS[kind](Random(f"{kind} {seed}"))


def write_timed(file: TimedFile, path: Path) -> None:
    """Write a file as NetCDF, or as Zarr if that is its extension."""
    if path.suffix == ".zarr":
        file.dataset.to_zarr(path, zarr_format=3, consolidated=False)
    else:
        file.dataset.to_netcdf(path, engine="h5netcdf")


PAST_SEED = 3
"""A seed whose times lie in the past for each kind: layers with future times alone have no default time."""


def _maker(kind: str) -> Maker:
    def make(folder: Path) -> Path:
        write_timed(timed_file(kind, PAST_SEED), folder / "made.nc")
        return folder

    return make


MAKERS: Mapping[str, Maker] = {kind: _maker(kind) for kind in KINDS}
