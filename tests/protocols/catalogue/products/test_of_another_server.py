"""Products of a collection with the STAC API of another chronotile server as its catalogue."""

import io
import zipfile

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.cli.main import app as program
from tests.running import serving
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive, path_of
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow


@pytest.fixture
def other(tmp_path):
    """URL of a server of scenes in a separate process."""
    folder = tmp_path / "other"
    folder.mkdir()
    files = archive(SMALL)
    catalogue = documents.write_catalogue(folder, SMALL, lambda path: str(files / path))
    configuration = folder / "chronotile.yaml"
    configuration.write_text(
        f"collections: {{s2: {{source: {{kind: stac, href: '{catalogue}'}}, time: {{group: solar_day}}, "
        "variables: {RED: {asset: B04}}}}"
    )
    environment = {
        "CHRONOTILE_JOBS_DIR": str(folder / "jobs"),
        "CHRONOTILE_SOURCE_PREFIXES": str(files),
        "CHRONOTILE_WORKERS": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    done = CliRunner(env=environment).invoke(program, ["index", str(configuration)])
    assert done.exit_code == 0, done.output
    with serving("serve", configuration, **environment) as (_process, address, _lines):
        yield address


@pytest.mark.parametrize("mode", ["indexed", "live"])
def test_a_product_of_another_server_has_its_files(other, tmp_path, monkeypatch, mode):
    how = ", mode: live" if mode == "live" else ""
    source = f"{{kind: stac, href: '{other}/stac/collections/s2'{how}}}"
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(
        f"collections: {{far: {{source: {source}, time: {{group: solar_day}}, variables: {{RED: {{asset: B04}}}}}}}}"
    )
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if mode == "indexed":
        done = CliRunner().invoke(program, ["index", str(configuration)])
        assert done.exit_code == 0, done.output
    scene = SMALL.scenes(0)[0]
    with TestClient(create_app(load_settings(config=configuration))) as client:
        item = client.get(f"/stac/search?collections=far&ids={scene.id}").json()["features"][0]
        answer = client.get(f"/products/far/{scene.id}")
        picture = client.get(item["assets"]["thumbnail"]["href"])

    found = zipfile.ZipFile(io.BytesIO(answer.content))
    expected = {f"{scene.id}/{name}": (archive(SMALL) / path_of(scene, name)).read_bytes() for name in SMALL.assets}
    assert {each: found.read(each) for each in found.namelist()} == expected
    assert answer.headers["warning"] == '199 - "left out: thumbnail"'
    assert picture.content.startswith(b"\x89PNG")
