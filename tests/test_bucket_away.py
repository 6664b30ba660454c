"""A bucket that is unavailable at the start of the server: items are listed, layers are 503, then it recovers."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app import upkeep
from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.postgresql import serving_postgresql
from tests.running import until
from tests.s3 import Server, SignedServer
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.client("moto_server", "initdb", "postgres")]

SCENES = tuple(SMALL.all_scenes())[:4]
PICTURE = "/layers/scenes.RED/preview.png"
PLACES = np.array([(5.9725, 50.5172), (5.955, 50.495), (6.0113, 50.5191), (6.0056, 50.4901)]).T
"""Longitudes and latitudes of a point in each scene."""
SERIES = [f"/timeseries/scenes.RED/point?lon={lon}&lat={lat}" for lon, lat in PLACES.T]
VALUES = SMALL.mosaic("B04", *PLACES, date=0, scenes=SCENES).texts()


class Bucket(SignedServer):
    """A server that takes any key, with the files of the scenes."""

    unsigned = None

    def start(self):
        """Start it with all files."""
        Server.start(self)
        self.make_bucket(self.bucket)
        self.upload(archive(SMALL))


@pytest.fixture
def bucket(monkeypatch):
    one = Bucket()
    for name, value in one.environment.items():
        monkeypatch.setenv(name, value)
    yield one
    one.stop()


@pytest.fixture
def settings(tmp_path, monkeypatch, bucket):
    catalogue = documents.write_catalogue(tmp_path, SMALL, lambda path: f"s3://{bucket.bucket}/{path}", scenes=SCENES)
    file = tmp_path / "chronotile.yaml"
    file.write_text(
        f"collections:\n  scenes:\n    title: Scenes without pixels\n    source: {{kind: stac, href: '{catalogue}'}}\n"
        "    variables: {RED: {asset: B04}}\n"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(upkeep, "UNOPENED_RETRY_S", 1)
    return Settings(config=file, watch_s=0, jobs_dir=tmp_path / "jobs", source_prefixes=f"s3://{bucket.bucket}/")


def served(settings):
    return TestClient(create_app(settings), raise_server_exceptions=False)


def held_files(folder):
    """Return the open files of this process below a folder; threads may close some during the call."""
    psutil = pytest.importorskip("psutil", reason="the extra dask is not installed")
    paths = [Path(each.path) for each in psutil.Process().open_files()]
    return [each for each in paths if each.is_relative_to(folder)]


def numbers(client):
    search = client.get("/stac/search?collections=scenes").json()
    products = client.get("/odata/v1/Products?$filter=Collection/Name eq 'scenes'&$count=true").json()
    records = client.get("/ogcapi/collections/_items/items?collection=scenes").json()
    return search.get("numberMatched"), products.get("@odata.count"), records.get("numberMatched")


def assert_catalogue_without_pixels(client):
    until(lambda: numbers(client) == (len(SCENES),) * 3)
    search = client.get("/stac/search?collections=scenes").json()
    assert {each["id"] for each in search["features"]} == {scene.id for scene in SCENES}
    assert search.get("unanswered", []) == []
    assert client.get(f"/stac/collections/scenes/items/{SCENES[0].id}").status_code == 200
    assert_collection_without_pixels(client)
    for path in ("/layers/scenes.RED", PICTURE, "/tiles/scenes.RED/WebMercatorQuad/8/132/85.png"):
        answer = client.get(path)
        assert (path, answer.status_code, "retry-after" in answer.headers) == (path, 503, True)
    assert "scenes" in client.get("/health/ready").json()["failing"]


def assert_collection_without_pixels(client):
    found = client.get("/stac/collections/scenes")
    assert found.status_code == 200
    items = client.get("/stac/collections/scenes/items").json()["features"]
    west, south, east, north = found.json()["extent"]["spatial"]["bbox"][0]
    ((first, last),) = found.json()["extent"]["temporal"]["interval"]
    boxes = list(zip(*(each["bbox"] for each in items), strict=True))
    ends = [min(boxes[0]), min(boxes[1]), max(boxes[2]), max(boxes[3])]
    assert (west, south, east, north) == pytest.approx(ends, abs=1e-4)
    instants = sorted(each["properties"]["datetime"] for each in items)
    assert (first[:19], last[:19]) == (instants[0][:19], instants[-1][:19])
    assert found.json()["title"] == "Scenes without pixels"
    assert client.get("/stac/collections").json()["collections"] == [found.json()]
    assert [each["title"] for each in client.get("/stac").json()["links"] if each["rel"] == "child"] == [
        "Scenes without pixels"
    ]
    assert client.get("/stac/collections/scenes/queryables").status_code == 200


def test_the_only_collection_is_in_a_bucket_that_comes_later(settings, bucket):
    with served(settings) as client:
        assert_catalogue_without_pixels(client)
        bucket.start()
        until(lambda: client.get(PICTURE).status_code == 200)
        assert client.get("/health/ready").json()["failing"] == []
        assert numbers(client) == (len(SCENES),) * 3


def test_the_index_is_filled_already(settings, bucket):
    with served(settings) as client:
        until(lambda: numbers(client) == (len(SCENES),) * 3)
    with served(settings) as client:
        assert_catalogue_without_pixels(client)
        bucket.start()
        until(lambda: client.get(PICTURE).status_code == 200)


@pytest.mark.parametrize("back", [["bucket"], ["database"], ["bucket", "database"], ["database", "bucket"]])
def test_bucket_and_database_are_unavailable_at_the_start_and_again_later(settings, bucket, back):
    with serving_postgresql() as database:
        both = settings.model_copy(update={"database_url": database.make_database()})
        services, away = {"bucket": bucket, "database": database}, set(back)
        if "bucket" not in away:
            bucket.start()
        if "database" in away:
            database.stop()
        with served(both) as client:
            for name in back:
                assert_served_without(client, away)
                services[name].start()
                away.remove(name)
            assert_all_is_right(client)
            for order in itertools.permutations(services):
                for name in order:
                    services[name].stop()
                    assert client.get("/health/live").status_code == 200
                    assert_right_or_refused(client)
                for name in order:
                    services[name].start()
                    assert_right_or_refused(client)
                assert_all_is_right(client)


def assert_served_without(client, away):
    if "database" not in away:
        assert_catalogue_without_pixels(client)
        return
    for path in (PICTURE, *SERIES, "/layers/scenes.RED", "/stac/search", "/odata/v1/Products"):
        answer = client.get(path)
        assert (path, answer.status_code, "retry-after" in answer.headers) == (path, 503, True)
    assert client.get("/health/live").status_code == 200
    assert "scenes" in client.get("/health/ready").json()["failing"]


def assert_right_or_refused(client):
    """Assert that answers are right or refused while the bucket is unavailable."""
    for path in (PICTURE, "/stac/search?collections=scenes", "/odata/v1/Products"):
        assert_is_or_is_refused(client.get(path))
    for value, answer in zip(VALUES, map(client.get, SERIES), strict=True):
        assert_is_or_is_refused(answer)
        assert answer.status_code == 503 or values_of(answer) == [value]


def assert_is_or_is_refused(answer):
    assert answer.status_code == 200 or (answer.status_code == 503 and "retry-after" in answer.headers), answer.text


def assert_all_is_right(client):
    until(lambda: client.get(PICTURE).status_code == 200)
    until(lambda: is_right([client.get(path) for path in SERIES]))
    until(lambda: numbers(client) == (len(SCENES),) * 3)
    until(lambda: client.get("/health/ready").json()["failing"] == [])


def values_of(answer):
    """Return the values of a point's series; only one scene covers the point."""
    return [value for value in answer.json()["values"] if value is not None]


def is_right(answers):
    """Return whether series at points, one in each scene, have the values of the formula."""
    if any(answer.status_code != 200 for answer in answers):
        return False
    assert [values_of(answer) for answer in answers] == [[value] for value in VALUES]
    return True


def test_files_that_are_nowhere_leave_the_catalogue(settings, bucket):
    Server.start(bucket)
    bucket.make_bucket(bucket.bucket)
    with served(settings) as client:
        assert_catalogue_without_pixels(client)


def test_a_server_that_has_ended_has_closed_its_index(settings, bucket):
    with served(settings) as client:
        until(lambda: numbers(client) == (len(SCENES),) * 3)
        assert held_files(settings.jobs_dir)
    until(lambda: held_files(settings.jobs_dir) == [])  # a check of the bucket, which may hang, is not waited for
