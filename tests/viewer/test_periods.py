"""The viewer's maps of periods equal the server's tiles and the rasters: 540 points of four layers."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np
import orjson
import pandas as pd
import pytest
from pyproj import Transformer
from rasterio.io import MemoryFile

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.protocols.listening import listening
from tests.running import PATIENCE_S
from tests.viewer.test_years import Layer, write_archives

pytestmark = [pytest.mark.slow, pytest.mark.client("node")]

WRITER = Path(__file__).with_name("periods_of_cubes.mjs")
PLACES = 9
"""Number of points per layer, kind of period and method."""
MONTHS_OF = {"month": 1, "season": 3, "year": 12}
METHODS = ("clearest", "latest", "median", "max", "anomaly")


WORLD_M = 2 * 20_037_508.342789244
DEGREES = Transformer.from_crs(3857, 4326, always_xy=True)
METRES = Transformer.from_crs(4326, 3857, always_xy=True)


@dataclass(frozen=True)
class Place:
    """The centre of a tile's pixel, and the cell that contains it."""

    row: int
    column: int
    lon: float
    lat: float
    tile: tuple[int, int]
    pixel: tuple[int, int]


def place_of(layer: Layer, zoom: int, row: int, column: int) -> Place | None:
    """Return the pixel at a cell's centre, or None if the pixel's centre is almost as near to another cell."""
    pixel_m = WORLD_M / (256 << zoom)
    x, y = METRES.transform(*layer.place(row, column))
    across, down = int((x + WORLD_M / 2) // pixel_m), int((WORLD_M / 2 - y) // pixel_m)
    middle = ((across + 0.5) * pixel_m - WORLD_M / 2, WORLD_M / 2 - (down + 0.5) * pixel_m)
    near = [
        (float(np.hypot(*np.subtract(METRES.transform(*layer.place(r, c)), middle))), r, c)
        for r in range(max(0, row - 1), min(layer.size[0], row + 2))
        for c in range(max(0, column - 1), min(layer.size[1], column + 2))
    ]
    (least, row, column), (other, *_) = sorted(near)[:2]
    if least > 0.9 * other:
        return None
    return Place(row, column, *DEGREES.transform(*middle), (across // 256, down // 256), (down % 256, across % 256))


@dataclass
class Question:
    """A period of a layer, its method, and places; later the viewer's results there."""

    layer: Layer
    base: str
    slot: str
    method: str
    start: pd.Timestamp
    zoom: int
    places: list[Place]
    shares: dict[pd.Timestamp, float]
    viewer: list[tuple[float | None, int, float]] | None = None

    def of_server(self, place: Place) -> float:
        """Return the value of the place's pixel in the server's tile of values; NaN without a value."""
        last = self.start + pd.DateOffset(months=MONTHS_OF[self.slot], days=-1)
        how = {"anomaly": "abs"} if self.method == "anomaly" else {"reducer": self.method}
        query = {"datetime": f"{self.start:%Y-%m-%d}/{last:%Y-%m-%d}", **how}
        column, row = place.tile
        url = f"{self.base}/tiles/{self.layer.id}/WebMercatorQuad/{self.zoom}/{column}/{row}.tif"
        return float(tile_of(f"{url}?{urlencode(query)}")[place.pixel])

    def of_raster(self, place: Place) -> tuple[float, int]:
        """Return the value, and the number of values it comes from, by the raster."""
        series = pd.Series(self.layer.values(place.row, place.column), pd.DatetimeIndex(self.layer.times))
        starts = slot_starts(series.index, self.slot)
        values = series[starts == self.start]
        known = values.dropna()
        if self.method == "clearest":
            clearest = max(values.index, key=lambda day: (self.shares[day], day))
            return float(values[clearest]), 0
        if known.empty:
            return np.nan, 0
        if self.method == "anomaly":
            parts = parts_of_year(series.index)
            apart = (series - series.groupby(parts).transform("mean"))[starts == self.start].dropna()
            return float(apart.mean()), len(apart)
        reduced = known.iloc[-1] if self.method == "latest" else getattr(known, self.method)()
        return float(reduced), len(known)


def slot_starts(times: pd.DatetimeIndex, slot: str) -> pd.DatetimeIndex:
    """Return the first day of the month, season (from December on) or year of each time."""
    step = MONTHS_OF[slot]
    months = times.year * 12 + times.month - 1
    first = months - (months + (1 if slot == "season" else 0)) % step
    return pd.DatetimeIndex([pd.Timestamp(int(each) // 12, int(each) % 12 + 1, 1) for each in first])


def parts_of_year(times: pd.DatetimeIndex) -> np.ndarray:
    """Return the dekad of the year of each time, or its month if times are at least four weeks apart."""
    if times.to_series().diff().median() >= pd.Timedelta(28, "D"):
        return times.month.to_numpy()
    return times.month.to_numpy() * 3 + np.minimum((times.day.to_numpy() - 1) // 10, 2)


def ask(url: str) -> bytes:
    with urlopen(url, timeout=PATIENCE_S) as answer:
        return answer.read()


@cache
def tile_of(url: str) -> np.ndarray:
    with MemoryFile(ask(url)) as file, file.open() as tile:
        return tile.read(1, masked=True).astype(float).filled(np.nan)


def times_of(base: str, layer: str) -> dict:
    """Return the server's times of a layer after it is indexed and the valid fractions are counted."""
    while True:
        try:
            answer = orjson.loads(ask(f"{base}/layers/{layer}/times?limit=1000"))
        except HTTPError as error:
            if error.code != 503:
                raise
            continue
        if answer["valid_shares_pending"] == 0:
            return answer


def questions_of(layer: Layer, base: str, told: dict) -> list[Question]:
    random = np.random.default_rng(73)
    zoom = orjson.loads(ask(f"{base}/tiles/{layer.id}/WebMercatorQuad/tilejson.json"))["maxzoom"]
    shares = dict(zip(pd.DatetimeIndex(layer.times), told["valid_shares"], strict=True))
    found = []
    for slot in MONTHS_OF:
        starts = slot_starts(pd.DatetimeIndex(layer.times), slot).unique()
        for method in METHODS:
            places: list[Place] = []
            while len(places) < PLACES:
                place = place_of(layer, zoom, *(int(random.integers(size)) for size in layer.size))
                places += [place] if place else []
            start = starts[random.integers(len(starts))]
            found.append(Question(layer, base, slot, method, start, zoom, places, shares))
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Iterator[dict[str, list[Question]]]:
    """Questions by layer, with the viewer's results from the cubes of a server."""
    folder = tmp_path_factory.mktemp("periods")
    made, read_demo = write_archives(folder)
    apps = [create_app(Settings(config=folder / each)) for each in ("chronotile.yaml", "demo/demo.yaml")]
    with listening(apps[0]) as base, listening(apps[1]) as demo:
        served = [(layer, base) for layer in made] + [(read_demo(), demo)]
        told = [times_of(base, layer.id) for layer, base in served]
        questions = [questions_of(*each, dates) for each, dates in zip(served, told, strict=True)]
        asked = [
            {
                "cubes": f"{base}/cubes/{layer.id}/WebMercatorQuad/{{z}}/{{x}}/{{y}}.ctc",
                "times": dates["times"],
                "ends": dates["ends"],
                "shares": dates["valid_shares"],
                "questions": [
                    {
                        "slot": each.slot,
                        "method": each.method,
                        "start": f"{each.start:%Y-%m-%d}",
                        "zoom": each.zoom,
                        "places": [{"lon": place.lon, "lat": place.lat} for place in each.places],
                    }
                    for each in own
                ],
            }
            for (layer, base), dates, own in zip(served, told, questions, strict=True)
        ]
        (folder / "from.json").write_bytes(orjson.dumps(asked))
        subprocess.run(["node", WRITER, folder / "from.json", folder / "to.json"], check=True)
        for own, answers in zip(questions, orjson.loads((folder / "to.json").read_bytes()), strict=True):
            for question, answer in zip(own, answers, strict=True):
                question.viewer = answer
        yield {own[0].layer.id: own for own in questions}


@pytest.mark.parametrize("name", ["NDVI", "southern", "twins", "mosaic"])
def test_maps_of_periods_equal_those_of_the_server_and_the_raster(found, name):
    for each in found[name]:
        for place, (value, count, slack) in zip(each.places, each.viewer, strict=True):
            number = np.nan if value is None else value
            expected, known = each.of_raster(place)
            what = f"{each.slot} {each.method} from {each.start:%Y-%m-%d} at {place}"
            assert number == pytest.approx(expected, abs=slack + 1e-6, nan_ok=True), what
            assert each.of_server(place) == pytest.approx(expected, abs=1e-6, nan_ok=True), what
            assert count == known, what
