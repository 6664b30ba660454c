"""`/layers/{layer}/preview.png` shows a whole layer at its newest clear time."""

from dataclasses import dataclass, field, replace
from io import BytesIO

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from chronotile.core.model.collection import TimeRules
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.pipeline import most_valid_times
from tests.protocols import served

DAYS = [f"2020-06-{day:02}" for day in range(1, 31)]


@dataclass
class CloudyReader(served.FormulaReader):
    """Reader with nodata in the first columns, by the fraction in `clouds` for the time; records the times it reads."""

    clouds: dict[int, float] = field(default_factory=dict)
    indexes_read: list[int] = field(default_factory=list)

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        self.indexes_read.append(index)
        pixels = super().read_window(variable, index=index, level=level, window=window, step=step)
        columns = np.arange(window.column_start, window.column_stop, step)
        is_cloudy = columns < self.clouds.get(index, 0) * served.BELGIUM_31N.width
        return Pixels(np.where(is_cloudy, np.uint8(served.NODATA), pixels.numbers))


@pytest.fixture
def make_cloudy(make_client):
    """Return a function: `make_cloudy(clouds, …)` makes a client of 30 days in June 2020, and its reader."""

    def make(clouds, **members):
        variable = served.make_variable(times=served.days_of(*DAYS))
        collection = served.make_collection(served.make_layer(variable=variable, **members))
        reader = CloudyReader(SourceInfo(variables={"NDVI": variable}), clouds=clouds)
        services = replace(served.make_services(collection), readers={collection.id: reader})
        return make_client(services), reader

    return make


def day_of(client):
    return client.get("/layers/NDVI/preview.png").headers["chronotile-time"][:10]


@pytest.mark.parametrize(
    ("clouds", "day"),
    [
        ({}, "2020-06-30"),
        ({29: 0.4}, "2020-06-30"),
        ({29: 0.9, 28: 0.6}, "2020-06-28"),
        ({**dict.fromkeys(range(30), 0.9), 22: 0.7}, "2020-06-23"),
    ],
    ids=["all are clear", "half is enough", "newest with half", "fullest of those looked at"],
)
def test_newest_clear_day_is_shown(make_cloudy, clouds, day):
    client, _reader = make_cloudy(clouds)

    assert day_of(client) == day


def test_at_most_twelve_days_are_checked_once(make_cloudy):
    client, reader = make_cloudy(dict.fromkeys(range(30), 0.9))

    day_of(client)
    looked_at = list(reader.indexes_read)
    client.get("/layers/NDVI/preview.png?width=100")

    assert sorted(set(looked_at)) == list(range(30 - most_valid_times.MAX_TIMES, 30))
    assert len(reader.indexes_read) == len(looked_at) + 1


@pytest.mark.parametrize(
    ("default", "day"), [("earliest", "2020-06-01"), ("none", "2020-06-30")], ids=["earliest", "none"]
)
def test_another_default_than_the_latest_is_shown_unchanged(make_cloudy, default, day):
    client, _reader = make_cloudy({29: 0.9}, time_rules=TimeRules(default=default))

    assert day_of(client) == day


def test_requested_time_is_shown_with_any_clouds(make_cloudy):
    client, _reader = make_cloudy({29: 0.9})

    answer = client.get("/layers/NDVI/preview.png?datetime=2020-06-30")

    assert answer.headers["chronotile-time"] == "2020-06-30T00:00:00Z"
    assert answer.headers["cache-control"].startswith("public, max-age=300")


def test_changed_file_is_checked_again(make_cloudy, monkeypatch):
    client, reader = make_cloudy({29: 0.9})
    assert day_of(client) == "2020-06-29"

    monkeypatch.setattr("chronotile.pipeline.revision.monotonic", lambda: 1e9)
    reader.clouds.clear()
    reader.revisions["NDVI"] = "r2"

    assert day_of(client) == "2020-06-30"


def test_the_picture_has_the_cells_of_the_layer_in_its_own_crs(client):
    picture = client.get("/layers/NDVI/preview.png?width=450").content

    cells = np.asarray(Image.open(BytesIO(picture)).convert("RGBA"))
    rows, columns = np.mgrid[1:300, 0:400]
    assert cells.shape == (300, 400, 4)
    assert (cells[1:, :, 0] == served.number_at(rows, columns, 3)).all()
    assert (cells[0, :, 3] == 0).all()


def test_a_picture_in_degrees_is_true_to_shape_in_its_middle(make_client):
    grid = NativeGrid(crs=crs_of("OGC:CRS84"), transform=Affine(0.01, 0, 4, 0, -0.01, 61), width=200, height=200)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(served.make_services(served.make_collection(layer)))

    picture = Image.open(BytesIO(client.get("/layers/NDVI/preview.png?width=600").content))

    assert picture.size == (200, 400)


def test_a_layer_without_times_has_a_picture(client):
    answer = client.get("/layers/HEIGHT/preview.png")

    assert (answer.status_code, "chronotile-time" in answer.headers) == (200, False)


def test_it_is_cached_for_a_short_time_and_answered_304(client):
    answer = client.get("/layers/NDVI/preview.png")
    again = client.get("/layers/NDVI/preview.png", headers={"If-None-Match": answer.headers["etag"]})

    assert answer.headers["cache-control"].startswith("public, max-age=60")
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/layers/NONE/preview.png", 404),
        ("/layers/GONE/preview.png", 503),
        ("/layers/NDVI/preview.png?width=5000", 400),
        ("/layers/NDVI/preview.png?width=x", 400),
        ("/layers/NDVI/preview.png?widht=90", 400),
    ],
)
def test_layer_that_cannot_be_shown_is_refused(client, path, status):
    answer = client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
