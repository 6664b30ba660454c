"""The years of the viewer's chart equal the server's answers and the rasters: 500 points of four layers."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
import xarray
from affine import Affine
from pyproj import Transformer
from starlette.testclient import TestClient

from chronotile.demo import DemoPlan, make_demo
from tests.scenes import Scene, write_tif
from tests.viewer.browser.served import Store
from tests.walk.serving import served

pytestmark = [pytest.mark.slow, pytest.mark.client("node")]

WRITER = Path(__file__).with_name("years_of_answers.mjs")
PLACES = 125
"""Number of points per layer."""
SIZE = 24
"""Cells per side of the made layers."""
SEASONS = {"smooth": "whittaker", "phenology": "threshold", "climatology": "median", "anomaly": "abs"}
DAY = np.timedelta64(1, "D")
SOUTH = Affine(0.01, 0, 20.0, 0, -0.01, -30.0)
"""Grid of degrees at 20 east, 30 south."""


def dekads(first: int, last: int) -> np.ndarray:
    """Return the first days of all dekads from a year to another."""
    months = np.arange(f"{first}-01", f"{last + 1}-01", dtype="datetime64[M]")
    return np.sort(np.concatenate([months.astype("datetime64[D]") + day * DAY for day in (0, 10, 20)]))


def uneven(first: str, last: str) -> np.ndarray:
    """Return days at intervals of 2 to 14 days, at 10:00, and for a quarter of them also at 11:00."""
    random = np.random.default_rng(5)
    days = np.datetime64(first) + np.cumsum(random.integers(2, 15, 500)) * DAY
    days = days[days <= np.datetime64(last)] + np.timedelta64(10, "h")
    return np.sort(np.concatenate([days, days[random.random(len(days)) < 0.25] + np.timedelta64(1, "h")]))


SOUTHERN_TIMES = dekads(2018, 2023)
TWIN_TIMES = uneven("2019-01-01", "2024-05-10")
MONTHS = np.arange("2019-03", "2024-03", dtype="datetime64[M]").astype("datetime64[D]")


def peak_of(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the days from 15 January to the peak of a cell's season."""
    return (3 * row + 5 * column) % 40


def southern(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return a yearly cosine in ten-thousandths that peaks in January or February, without gaps."""
    days = (SOUTHERN_TIMES[t] - np.datetime64("2019-01-15")) / DAY - peak_of(row, column)
    return np.round(5000 + 3000 * np.cos(2 * np.pi * days / 365.25))


def scattered(t: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return thousandths without a season; a fifth are gaps."""
    numbers = (7919 * t * t + 104_729 * row + 1299 * column * t + 31 * t) % 1000
    return np.where((numbers + t + row) % 5 == 2, -1, numbers)


def write_mosaic(folder: Path) -> None:
    """Write two files a month that overlap in four columns, and in these are the same."""
    scene = replace(Scene(), width=SIZE // 2 + 2, height=SIZE)
    row, column = np.ogrid[:SIZE, :SIZE]
    for t, day in enumerate(MONTHS):
        numbers = scattered(np.array(t), row, column).astype("int16")
        for side, first in (("west", 0), ("east", SIZE - scene.width)):
            own = replace(scene, transform=scene.transform @ scene.transform.translation(first, 0))
            place = folder / f"{side}_{str(day).replace('-', '')}_NDVI.tif"
            write_tif(place, numbers[:, first : first + scene.width], own, nodata=-1)


CONFIGURATION = """
service: {title: Years}
collections:
  of_south:
    source: {kind: zarr, href: southern.zarr}
    variables: {value: {layer: southern}}
  of_twins:
    source: {kind: zarr, href: twins.zarr}
    variables: {value: {layer: twins}}
  of_tiles:
    source: {kind: cog, href: "mosaic/*_{variable}.tif", tiles: true}
    variables: {NDVI: {layer: mosaic}}
"""


@dataclass(frozen=True)
class Layer:
    """A layer and the values of its raster."""

    id: str
    month: int
    """First month of a year."""
    slots: str
    """`dekad` or `month`: the unit of usual values."""
    times: np.ndarray
    size: tuple[int, int]
    """Rows and columns."""
    place: Callable[[int, int], tuple[float, float]]
    """Longitude and latitude of the centre of a cell."""
    values: Callable[[int, int], np.ndarray]
    """Values (time,) of a cell; NaN stands for no value."""


def centre(transform: Affine, crs: str, row: int, column: int) -> tuple[float, float]:
    """Return longitude and latitude of the centre of a cell."""
    x, y = transform @ (column + 0.5, row + 0.5)
    return Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)


def of_formula(id: str, times: np.ndarray, formula: Callable, grid: tuple[Affine, str], **how: Any) -> Layer:
    """Return a layer of a formula: numbers times scale plus offset; -1 stands for no value."""
    scale, offset = how.pop("scale"), how.pop("offset", 0)

    def values(row: int, column: int) -> np.ndarray:
        numbers = formula(np.arange(len(times)), np.array(row), np.array(column)).astype(float)
        return np.where(numbers == -1, np.nan, numbers * scale + offset)

    def place(row: int, column: int) -> tuple[float, float]:
        return centre(*grid, row, column)

    return Layer(id=id, times=times, size=(SIZE, SIZE), place=place, values=values, **how)


def of_demo(store: Path) -> Layer:
    """Return the demo's NDVI from its Zarr store, without the flags of clouds and snow above its range."""
    whole = xarray.open_zarr(store)["NDVI"].load()
    x, y, values = whole["x"].values, whole["y"].values, whole.where(whole < 0.9201).values
    to_degrees = Transformer.from_crs(3035, 4326, always_xy=True)
    return Layer(
        id="NDVI",
        month=1,
        slots="dekad",
        times=whole["time"].values,
        size=(len(y), len(x)),
        place=lambda row, column: to_degrees.transform(x[column], y[row]),
        values=lambda row, column: values[:, row, column],
    )


def write_archives(folder: Path) -> tuple[list[Layer], Callable[[], Layer]]:
    """Write the made layers, and the demo in `demo`; return the layers and a reader of the demo."""
    common = {"size": SIZE, "dtype": "int16", "nodata": -1}
    scaled = {"scale": (0.0001, 0.0), "transform": SOUTH, "crs": "EPSG:4326"}
    Store(name="southern", formulas={"value": southern}, times=SOUTHERN_TIMES, **common, **scaled).write(folder)
    scaled = {"scale": (0.001, 0.0), "transform": Scene().transform, "crs": "EPSG:32631"}
    Store(name="twins", formulas={"value": scattered}, times=TWIN_TIMES, **common, **scaled).write(folder)
    (folder / "mosaic").mkdir()
    write_mosaic(folder / "mosaic")
    (folder / "chronotile.yaml").write_text(CONFIGURATION, encoding="utf-8")
    make_demo(folder / "demo", plan=DemoPlan(size_px=200, first_day="2020-01-01", dekads=180, levels=2))
    utm = (Scene().transform, "EPSG:32631")
    dekad, month = {"slots": "dekad"}, {"slots": "month"}
    made = [
        of_formula("southern", SOUTHERN_TIMES, southern, (SOUTH, "EPSG:4326"), scale=0.0001, month=7, **dekad),
        of_formula("twins", TWIN_TIMES, scattered, utm, scale=0.001, month=1, **dekad),
        of_formula("mosaic", MONTHS, scattered, utm, scale=0.004, offset=-0.08, month=3, **month),
    ]
    return made, lambda: of_demo(folder / "demo" / "biopar.zarr")


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> Iterator[dict[str, tuple[TestClient, Layer]]]:
    """Clients of the made layers and of the demo, by layer."""
    folder = tmp_path_factory.mktemp("years")
    made, read_demo = write_archives(folder)
    with (
        served(folder / "chronotile.yaml", tmp_path_factory.mktemp("state")) as client,
        served(folder / "demo" / "demo.yaml", tmp_path_factory.mktemp("state")) as demo,
    ):
        yield {each.id: (client, each) for each in made} | {"NDVI": (demo, read_demo())}


@dataclass(frozen=True)
class Found:
    """The server's answer for a point, the viewer's result, and the series of the raster."""

    answer: dict[str, Any]
    viewer: dict[str, Any]
    series: pd.Series
    row: int
    column: int


@pytest.fixture(scope="module")
def found(archives, tmp_path_factory) -> dict[str, list[Found]]:
    """Results for random points, by layer."""
    folder = tmp_path_factory.mktemp("answers")
    asked, cells = [], []
    for client, layer in archives.values():
        random = np.random.default_rng(37)
        for row, column in zip(*(random.integers(0, size, PLACES) for size in layer.size), strict=True):
            lon, lat = layer.place(int(row), int(column))
            place = {"lon": lon, "lat": lat}
            answers = [
                client.get(f"/timeseries/{layer.id}/point", params=place | how) for how in (SEASONS, {"step": "dekad"})
            ]
            assert [each.status_code for each in answers] == [200, 200], answers[0].text
            answer, dekads = (each.json() for each in answers)
            asked.append({"month": layer.month, "answer": answer, "dekads": dekads})
            cells.append((layer, int(row), int(column)))
    (folder / "from.json").write_bytes(orjson.dumps(asked))
    subprocess.run(["node", WRITER, folder / "from.json", folder / "to.json"], check=True)
    result: dict[str, list[Found]] = {}
    for (layer, row, column), one, viewer in zip(
        cells, asked, orjson.loads((folder / "to.json").read_bytes()), strict=True
    ):
        series = pd.Series(layer.values(row, column), pd.DatetimeIndex(layer.times))
        result.setdefault(layer.id, []).append(Found(one["answer"], viewer, series, row, column))
    return result


LAYERS = pytest.mark.parametrize("name", ["NDVI", "southern", "twins", "mosaic"])


def columns(series: pd.Series, month: int) -> dict[tuple[int, str], float]:
    """Return values by year and day (`MM-DD`); a year starts with `month`."""
    days = series.index
    years = days.year - (days.month < month)
    return dict(zip(zip(years, days.strftime("%m-%d"), strict=True), series, strict=True))


def shown(lines: dict[str, list[float | None]], month: int) -> dict[tuple[int, str], float]:
    """Return the viewer's values in the form of `columns`, without gaps and days without an acquisition."""
    first = np.datetime64(f"{2000 if month <= 2 else 1999}-{month:02}-01")
    names = [str(first + day * DAY)[5:] for day in range(366)]
    return {
        (int(year), names[day]): value
        for year, column in lines.items()
        for day, value in enumerate(column)
        if value is not None
    }


def assert_same(found: dict, expected: dict, tolerance: float = 1e-6) -> None:
    expected = {key: value for key, value in expected.items() if not np.isnan(value)}
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[key] for key in expected], list(expected.values()), atol=tolerance, rtol=1e-9)


def slot_of(times: pd.DatetimeIndex, slots: str) -> np.ndarray:
    """Return the dekad or month of the year of each time, from 0."""
    months = times.month.to_numpy() - 1
    return months if slots == "month" else 3 * months + np.minimum((times.day.to_numpy() - 1) // 10, 2)


def daily(series: pd.Series) -> pd.Series:
    """Return the mean of the acquisitions of each day."""
    return series.groupby(series.index.floor("D")).mean()


@LAYERS
def test_values_equal_those_of_the_raster(archives, found, name):
    month = archives[name][1].month
    for each in found[name]:
        assert_same(shown(each.viewer["value"], month), columns(daily(each.series), month))


@LAYERS
def test_anomalies_are_values_minus_the_median_of_their_dekad_or_month(archives, found, name):
    layer = archives[name][1]
    for each in found[name]:
        medians = each.series.groupby(slot_of(each.series.index, layer.slots)).transform("median")
        expected = columns(daily(each.series - medians), layer.month)
        assert_same(shown(each.viewer["anomaly"], layer.month), expected)
        assert [value is None for value in each.answer["analysis"]["anomaly"]] == list(each.series.isna())


def usual(each: Found, key: str) -> np.ndarray:
    """Return the 366 values of `low`, `middle` or `high`; NaN for a point without values."""
    return np.array((each.viewer["usual"] or {key: [None] * 366})[key], float)


@LAYERS
def test_usual_values_are_percentiles_of_the_dekad_or_month(archives, found, name):
    layer = archives[name][1]
    days = pd.date_range(f"{2000 if layer.month <= 2 else 1999}-{layer.month:02}-01", periods=366)
    slots = slot_of(days, layer.slots)
    for each in found[name]:
        known = each.series.dropna()
        groups = known.groupby(slot_of(known.index, layer.slots))
        for key, share in (("low", 0.1), ("middle", 0.5), ("high", 0.9)):
            expected = groups.quantile(share).reindex(slots).to_numpy()
            np.testing.assert_allclose(usual(each, key), expected, atol=1e-6)


@LAYERS
def test_usual_values_equal_the_percentiles_of_the_server(archives, found, name):
    client, layer = archives[name]
    days = pd.date_range(f"{2000 if layer.month <= 2 else 1999}-{layer.month:02}-01", periods=366)
    slots = slot_of(days, layer.slots)
    for each in found[name][:10]:
        lon, lat = layer.place(each.row, each.column)
        for key, reducer in (("low", "p10"), ("high", "p90")):
            answer = client.get(
                f"/timeseries/{name}/point", params={"lon": lon, "lat": lat, "climatology": reducer}
            ).json()
            normals = np.array(answer["analysis"]["normals"]["values"], float)
            np.testing.assert_allclose(usual(each, key), normals[slots], atol=1e-6)


@LAYERS
def test_seasons_equal_those_of_the_server(archives, found, name):
    month = archives[name][1].month
    for each in found[name]:
        told = each.answer["analysis"]["phenology"] or {"start": [], "peak": [], "end": [], "length": []}
        assert [season["dates"] for season in each.viewer["seasons"]] == [
            list(days) for days in zip(told["start"], told["peak"], told["end"], strict=True)
        ]
        for season in each.viewer["seasons"]:
            peak = pd.Timestamp(season["dates"][1])
            assert season["year"] == peak.year - (peak.month < month)
            assert season["length"] == (pd.Timestamp(season["dates"][2]) - pd.Timestamp(season["dates"][0])).days


def test_southern_seasons_equal_those_of_the_formula(found):
    """Seasons last a quarter of the wave before and after the peak, in years from July; New Year does not cut them."""
    for each in found["southern"]:
        peaks = (
            pd.Timestamp("2019-01-15")
            + pd.Timedelta(int(peak_of(each.row, each.column)), "D")
            + np.arange(5) * pd.Timedelta("365.25D")
        )
        seasons = each.viewer["seasons"]
        assert [season["year"] for season in seasons] == [2018, 2019, 2020, 2021, 2022]
        for season, peak in zip(seasons, peaks, strict=True):
            away = [pd.Timestamp(date) for date in season["dates"]]
            quarter = pd.Timedelta(365.25 / 4, "D")
            expected = [peak - quarter, peak, peak + quarter]
            assert max(abs((one - other) / DAY) for one, other in zip(away, expected, strict=True)) < 3


def sums_of(known: pd.Series, month: int) -> dict[tuple[int, str], float]:
    """Return cumulative daily sums of each year, linearly interpolated; they end before gaps of more than 60 days."""
    days = known.index.to_numpy().astype("datetime64[D]").astype(int)
    sums = {}
    for year in range(known.index[0].year - 1, known.index[-1].year + 1):
        first, end = (int(np.datetime64(f"{each}-{month:02}-01", "D").astype(int)) for each in (year, year + 1))
        grid = np.arange(first, min(end - 1, days[-1]) + 1)
        before = np.searchsorted(days, grid, side="right") - 1
        on = days[np.maximum(before, 0)]
        gap = days[np.minimum(before + 1, len(days) - 1)] - on
        is_known = np.where(before < 0, days[0] - grid <= 30, (gap <= 60) | (on == grid))
        grid = grid[np.logical_and.accumulate(is_known)]
        values = np.cumsum(np.interp(grid, days, known.to_numpy()))
        sums |= columns(pd.Series(values, pd.DatetimeIndex(grid.astype("datetime64[D]"))), month)
    return sums


@LAYERS
def test_sums_are_those_of_the_days_between_the_values(archives, found, name):
    month = archives[name][1].month
    for each in found[name]:
        known = daily(each.series).dropna()
        expected = {} if known.empty else sums_of(known, month)
        assert_same(shown(each.viewer["cumulative"], month), expected, tolerance=1e-4)


@LAYERS
def test_dekads_are_means_of_their_values(found, name):
    for each in found[name]:
        times = each.series.index
        starts = times.normalize() - pd.to_timedelta((times.day - 1) - np.minimum((times.day - 1) // 10, 2) * 10, "D")
        groups = each.series.groupby(starts)
        assert [time[:10] for time, _, _ in each.viewer["dekads"]] == [str(day.date()) for day in groups.mean().index]
        values = np.array([value for _, value, _ in each.viewer["dekads"]], float)
        np.testing.assert_allclose(values, groups.mean().to_numpy(), atol=1e-6)
        assert [count for _, _, count in each.viewer["dekads"]] == groups.count().tolist()
