"""Tiles of sources elsewhere through the whole application: the same as of those here, or 503; never a blank."""

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.readers.remote import files as remote_files
from tests.faulty_source import Fault, faulty_source
from tests.readers.remote_scenes import OTHER, SCENE, write_here
from tests.running import PATIENCE_S, until

pytestmark = pytest.mark.slow

TILES = ("FILE", "STORE")
PLACE = "WebMercatorQuad/14/8330/5486.png"


@pytest.fixture
def source(tmp_path):
    """A server of a file and a store of the scene."""
    (tmp_path / "files").mkdir()
    for kind in ("cog", "zarr-v3"):
        write_here(kind, tmp_path / "files", SCENE)
    with faulty_source(tmp_path / "files") as one:
        yield one


@pytest.fixture
def client(source, tmp_path, monkeypatch):
    """A client of layers of them, which are open at the start, and of the same file here, LOCAL."""
    monkeypatch.setattr("chronotile.app.application.START_S", PATIENCE_S)
    file = tmp_path / "chronotile.yaml"
    file.write_text(f"""
collections:
  local: {{source: {{kind: cog, href: files/a.tif}}, variables: {{NDVI: {{layer: LOCAL}}}}}}
  file: {{source: {{kind: cog, href: "{source.url_of("a.tif")}"}}, variables: {{NDVI: {{layer: FILE}}}}}}
  store: {{source: {{kind: zarr, href: "{source.url_of("made.zarr")}"}}, variables: {{NDVI: {{layer: STORE}}}}}}
""")
    with TestClient(create_app(Settings(config=file, payload_bytes=0))) as one:
        yield one
    remote_files.looks.forget()


def tile(client, layer):
    """Return the answer for the tile of a layer."""
    return client.get(f"/tiles/{layer}/{PLACE}")


@pytest.mark.parametrize("layer", TILES)
def test_tile_of_a_remote_source_equals_that_of_the_same_local_file(layer, client):
    here, there = tile(client, "LOCAL"), tile(client, layer)

    assert (here.status_code, there.status_code) == (200, 200)
    assert there.content == here.content
    assert len(here.content) > 1000  # no blank


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.CUT_AT_ONCE], ids=lambda fault: fault.name)
@pytest.mark.parametrize("layer", TILES)
def test_failing_source_is_503_and_comes_back(layer, fault, client, source):
    client.app.state.chronotile.services.reader_caches.files.close([source.url_of("a.tif")])
    remote_files.looks.forget()
    source.switch(fault)

    answer = tile(client, layer)
    source.heal()

    assert answer.status_code == 503
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["retry-after"]) > 0
    assert source.url not in answer.text
    assert until(lambda: tile(client, layer).status_code == 200)
    assert tile(client, layer).content == tile(client, "LOCAL").content


def test_replaced_file_has_new_tiles_with_another_etag(client, source):
    before = tile(client, "FILE")
    write_here("cog", source.folder, OTHER)
    remote_files.looks.forget()

    after = client.get(f"/tiles/FILE/{PLACE}", headers={"If-None-Match": before.headers["etag"]})

    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert after.content == tile(client, "LOCAL").content != before.content
