"""`chronotile serve STAC`: a catalogue is served by its address alone, its files at allowed locations."""

import errno
import json
import os
import subprocess
import urllib.request
from contextlib import closing
from itertools import count

import pytest
import typer
from typer.testing import CliRunner

from chronotile.app.configured_archive import index_store, source_access
from chronotile.app.settings import load_settings
from chronotile.archive.discovery.catalogue import SeenCatalogue, SeenItem
from chronotile.archive.index.background import reason_to_fill
from chronotile.archive.index.fill import fill
from chronotile.archive.index.sources import indexed_collection, source_of, specs_of_items
from chronotile.cli import catalogue as commands
from chronotile.cli import main as cli
from chronotile.cli.catalogue import settings_of_catalogue
from chronotile.cli.main import app
from chronotile.core import durable_files
from chronotile.core.durable_files import Disk
from tests.archive.index.catalogues import item_document
from tests.faulty_source import faulty_source
from tests.running import PATIENCE_S, PROGRAM, serving
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.forms import catalogue
from tests.scenes_archive.plan import SMALL


@pytest.fixture
def environment(tmp_path):
    """Return the folders of a server's state and caches."""
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "it is not a STAC catalogue, collection, item collection, item or API"),
        ('{"type": "FeatureCollection", "features": []}', "there is no item"),
        ("no JSON", "JSON"),
    ],
)
def test_invalid_catalogue_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)

    done = CliRunner().invoke(app, ["serve", str(tmp_path / "a.json")])

    assert done.exit_code == 1
    assert message in done.output
    assert len(done.output.splitlines()) == 1


def test_unreadable_document_is_named(tmp_path):
    place = tmp_path / "absent.json"

    done = CliRunner().invoke(app, ["serve", str(place)])

    assert done.output == f"chronotile: {place}: there is no such file\n"


@pytest.mark.parametrize("command", ["check", "audit", "layers", "index", "worker"])
@pytest.mark.parametrize("place", ["https://stac.example.org/v1", "catalog.json"])
def test_other_commands_refer_to_the_one_that_configures_a_catalogue(command, place):
    done = CliRunner().invoke(app, [command, place])

    assert done.exit_code == 1
    assert f"{place} is not a configuration: for a STAC catalogue, chronotile serve {place} writes one" in done.output


def test_a_mistaken_prefix_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["serve", str(tmp_path / "a.json"), "--allow", "ftp://example.org/"])

    assert done.exit_code == 1
    assert "'ftp://example.org/' is not a valid prefix" in done.output


def test_a_folder_is_allowed_by_its_relative_path(tmp_path, monkeypatch):
    (tmp_path / "scenes").mkdir()
    (tmp_path / "stac").mkdir()
    scene = item_document("a", href=f"{tmp_path}/scenes/a.tif")
    (tmp_path / "stac" / "a.json").write_text(json.dumps(scene))
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(commands, "settings_of_catalogue", lambda _place, settings: seen.append(settings) or settings)
    monkeypatch.setattr(cli, "run_server", lambda *_: None)

    done = CliRunner().invoke(app, ["serve", "stac/a.json", "--allow", "scenes"])

    assert done.exit_code == 0, done.output
    assert seen[0].source_places == (str(tmp_path / "scenes"),)


def test_a_host_without_its_scheme_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["serve", str(tmp_path / "a.json"), "--allow", "data.example.org"])

    assert done.exit_code == 1
    assert "'data.example.org' is not a valid prefix" in done.output


def test_a_prefix_with_a_comma_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["serve", str(tmp_path / "a.json"), "--allow", "/data/a,b"])

    assert done.exit_code == 1
    assert done.output.startswith("chronotile: --allow /data/a,b has a comma, which separates prefixes")
    assert "repeat --allow for each" in done.output
    assert len(done.output.splitlines()) == 1


def test_a_configuration_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    item = SeenItem(document=item_document("a"), base="https://stac.example.org/a.json")
    seen = SeenCatalogue(href="https://stac.example.org/", collection={"id": "s2"}, items=(item,))
    file = commands._write_configuration(seen, tmp_path / "catalogues")
    before = file.read_text()
    operations = []

    class FullDisk(Disk):
        def write(self, descriptor, data):
            operations.append("write")
            os.write(descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable_files, "Disk", FullDisk)
    with pytest.raises(typer.Exit):
        commands._write_configuration(seen, tmp_path / "catalogues")

    assert operations == ["write"]
    assert file.read_text() == before


def layers(address):
    with urllib.request.urlopen(f"{address}/layers", timeout=PATIENCE_S) as answer:
        return {each["id"]: each for each in json.load(answer)["layers"]}


@pytest.mark.slow
def test_a_catalogue_on_this_machine_is_served(environment):
    with serving("serve", catalogue(SMALL), "--workers", "1", **environment) as (_process, address, lines):
        found = layers(address)

    assert any("files at" in line and "allowed" in line for line in lines)
    assert any(each.endswith(".B04") for each in found), sorted(found)


@pytest.mark.slow
def test_files_on_another_host_are_read_if_it_is_allowed(tmp_path, environment):
    with faulty_source(archive(SMALL)) as files:
        documents.write_catalogue(tmp_path, SMALL, files.url_of)
        place = tmp_path / "catalog-1.1.json"
        refused = subprocess.run(
            [PROGRAM, "serve", place, "--port", "0"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        count = files.count()
        allowed = ("--allow", f"{files.url}/", "--workers", "1")
        with serving("serve", place, *allowed, **environment) as (process, address, lines):
            worker_line = next(line for line in process.stdout if line.startswith("jobs"))
            found = layers(address)
            (layer,) = [each for each in found if each.endswith(".B04")]
            with urllib.request.urlopen(f"{address}/layers/{layer}/preview.png", timeout=PATIENCE_S) as answer:
                picture = answer.read()

    assert refused.returncode == 1
    assert f"not allowed; to read them, add --allow {files.url}/" in refused.stdout
    assert count == 0
    assert f"files at      {files.url}/" in "".join(lines)
    assert worker_line.startswith(f"jobs          run with: CHRONOTILE_SOURCE_PREFIXES={files.url}/ chronotile worker ")
    assert picture.startswith(b"\x89PNG")


@pytest.mark.slow
def test_catalogue_on_another_host_is_served_with_its_files(environment):
    place = catalogue(SMALL)
    with faulty_source(archive(SMALL)) as files:
        url = files.url_of(place.name)
        with serving("serve", url, "--workers", "1", **environment) as (_process, address, lines):
            found = layers(address)

    assert f"catalogue     {url}\n" in lines
    assert any(each.endswith(".B04") for each in found), sorted(found)


@pytest.mark.slow
@pytest.mark.parametrize(("step_s", "reason"), [
    (5, "its source was never read completely"),
    (100, "its index is empty"),
], ids=["stopped at the second batch", "stopped at the first batch"])  # fmt: skip
def test_items_not_indexed_at_the_start_are_indexed_while_the_server_runs(
    step_s, reason, environment, monkeypatch, tmp_path
):
    for name, value in (environment | {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")}).items():
        monkeypatch.setenv(name, value)
    clock = count(step=step_s)  # each call advances the clock by this time
    monkeypatch.setattr("chronotile.cli.catalogue.monotonic", lambda: next(clock))
    monkeypatch.setattr("chronotile.archive.index.fill.BATCH", 5)

    settings = settings_of_catalogue(str(catalogue(SMALL)), load_settings())

    with closing(index_store(settings)) as store:
        (spec,) = specs_of_items(settings.config, environment={})
        assert reason_to_fill(spec, source_access(settings), store) == reason
        fill(indexed_collection(spec), source_of(spec, source_access(settings)), store)
        assert reason_to_fill(spec, source_access(settings), store) is None
