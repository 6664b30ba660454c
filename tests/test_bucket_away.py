"""A bucket that is away when the server starts: its items are listed, its layers are 503, and it comes back."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chronotile import upkeep
from chronotile.app import create_app
from chronotile.settings import Settings
from tests.postgresql import serving_postgresql
from tests.running import until
from tests.s3 import Server, SignedServer
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.client("moto_server", "initdb", "postgres"),
]

SCENES = tuple(SMALL.all_scenes())[:4]
PICTURE = "/layers/scenes.RED/preview.png"


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
        f"collections:\n  scenes: {{source: {{kind: stac, href: '{catalogue}'}}, variables: {{RED: {{asset: B04}}}}}}\n"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(upkeep, "TRIED_EVERY_S", 1)
    return Settings(config=file, watch_s=0, jobs_dir=tmp_path / "jobs", source_prefixes=f"s3://{bucket.bucket}/")


def served(settings):
    return TestClient(create_app(settings), raise_server_exceptions=False)


def held_files(folder):
    """Those of a folder that this process has open; threads may close some while it is asked."""
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
    assert client.get("/stac").status_code == 200
    for path in ("/layers/scenes.RED", PICTURE, "/tiles/scenes.RED/WebMercatorQuad/8/132/85.png"):
        answer = client.get(path)
        assert (path, answer.status_code, "retry-after" in answer.headers) == (path, 503, True)
    assert "scenes" in client.get("/health/ready").json()["failing"]


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


@pytest.mark.parametrize("first", ["bucket", "database"])
def test_database_and_bucket_are_away(settings, bucket, first):
    with serving_postgresql() as database:
        both = settings.model_copy(update={"database_url": database.make_database()})
        database.stop()
        with served(both) as client:
            assert client.get(PICTURE).status_code == 503
            assert client.get("/stac/search").status_code == 503
            assert client.get("/health/live").status_code == 200
            if first == "bucket":
                bucket.start()
                assert client.get(PICTURE).status_code == 503
            database.start()
            if first == "database":
                assert_catalogue_without_pixels(client)
                bucket.start()
            until(lambda: client.get(PICTURE).status_code == 200)
            until(lambda: numbers(client) == (len(SCENES),) * 3)


def test_files_that_are_nowhere_leave_the_catalogue(settings, bucket):
    Server.start(bucket)
    bucket.make_bucket(bucket.bucket)
    with served(settings) as client:
        assert_catalogue_without_pixels(client)


def test_a_server_that_has_ended_has_closed_its_index(settings, bucket):
    with served(settings) as client:
        until(lambda: numbers(client) == (len(SCENES),) * 3)
        assert held_files(settings.jobs_dir)
    assert held_files(settings.jobs_dir) == []
