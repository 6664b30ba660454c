"""`chronotile publish` of a collection of scenes: a catalogue that others read, brought up to date and served again."""

import errno
import json
import os
import shutil
import urllib.request

import pytest

from chronotile.core.durable_files import Disk
from tests.archive.publish.published import CONFIGURATION, check, documents, read
from tests.running import PATIENCE_S, serving
from tests.scenes_archive.forms import own_copy
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow
SCENES = tuple(SMALL.all_scenes())


@pytest.fixture
def source(tmp_path):
    """Return the folder of a static catalogue with its files, all of which a test may change."""
    own_copy(tmp_path / "source", SMALL)
    return tmp_path / "source"


@pytest.fixture
def place(tmp_path, source, run):
    """Return a configuration of that catalogue, whose items are indexed."""
    (catalogue,) = source.glob("catalog*.json")
    (tmp_path / "c.yaml").write_text(CONFIGURATION.format(href=catalogue))
    done = run("index", tmp_path / "c.yaml")
    assert done.exit_code == 0, done.output
    return tmp_path / "c.yaml"


@pytest.fixture
def publish(place, run, tmp_path):
    """Return `publish(*options)`: the result of publishing to a folder."""
    return lambda *options: run("publish", "s2", "--to", tmp_path / "out", "--config", place, *options)


def test_a_collection_of_scenes_is_a_valid_catalogue_with_all_files(publish, tmp_path):
    done = publish("--url", "https://data.example.org/s2/")

    items = check(tmp_path / "out")
    collection = read(tmp_path / "out" / "collection.json")
    product = read(tmp_path / "out" / "open-science-catalogue" / "products" / "s2" / "collection.json")
    assert done.exit_code == 0, done.output
    assert len(items) == len(SCENES)
    assert f"s2: {len(items)} items added, 0 replaced, 0 unchanged" in done.output
    assert (collection["title"], collection["license"]) == ("Scenes of a country", "CC-BY-4.0")
    assert collection["renders"]["NDVI"]["expression"] == "(B08 - B04) / (B08 + B04)"
    assert collection["renders"]["NDVI"]["assets"] == ["B08", "B04"]
    assert {link["href"] for link in product["links"] if link["rel"] == "via"} == {
        "https://data.example.org/s2/collection.json"
    }


def test_no_document_contains_the_original_paths(publish, tmp_path):
    publish()

    texts = [path.read_text() for path in (tmp_path / "out").rglob("*.json")]
    assert texts
    assert not any(str(tmp_path) in text or "file:///" in text for text in texts)


def test_folders_are_of_days(publish, tmp_path):
    publish()

    scene = SCENES[0]
    day = scene.day.replace("-", "/")
    assert (tmp_path / "out" / day / scene.id / f"{scene.id}.json").is_file()


def test_published_again_nothing_is_copied_and_no_document_written(publish, tmp_path):
    publish()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}

    done = publish()

    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert "0 items added, 0 replaced" in done.output
    assert "0 files (0 bytes)" in done.output
    assert after == before


def test_new_items_are_added_and_changed_ones_replaced(publish, run, place, source, tmp_path):
    publish("--datetime", "2021")
    first = len(check(tmp_path / "out"))
    changed = next(path for path in sorted((tmp_path / "out").rglob("*_B04.tif")))
    (original,) = source.rglob(changed.name)
    shutil.copy(source / original.relative_to(source), tmp_path / "kept.tif")
    original.write_bytes(original.read_bytes() + b"\0")

    done = publish()

    items = check(tmp_path / "out")
    assert 0 < first < len(items) == len(SCENES)
    assert f"{len(items) - first} items added, 1 replaced, {first - 1} unchanged" in done.output
    assert not changed.exists()
    (copy,) = (tmp_path / "out").rglob(changed.name)
    assert copy.read_bytes() == original.read_bytes()


def test_items_that_the_source_no_longer_has_stay(publish, tmp_path):
    publish()

    done = publish("--datetime", "2021")

    assert len(check(tmp_path / "out")) == len(SCENES)
    assert done.exit_code == 0


def test_item_without_its_file_is_skipped_and_named(publish, source, tmp_path):
    scene = SCENES[3]
    (gone,) = source.rglob(f"{scene.id}_B08.tif")
    gone.unlink()

    done = publish()

    assert done.exit_code == 1
    assert f"chronotile: {scene.id} is left out: {gone.name} cannot be read: No such file" in done.output
    assert len(check(tmp_path / "out")) == len(SCENES) - 1


def test_items_are_chosen(publish, tmp_path):
    chosen = [each for each in SCENES if each.day < "2022"]

    done = publish("--datetime", "2021", "--filter", "gsd = 10")

    assert done.exit_code == 0, done.output
    assert {item.id for item in check(tmp_path / "out")} == {each.id for each in chosen}


def test_other_files_of_the_folder_are_untouched_and_other_folders_refused(publish, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")

    refused = publish()
    (tmp_path / "out" / "mine.txt").unlink()
    publish()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    again = publish()

    assert refused.exit_code == 1
    assert "holds something else than a published collection" in refused.output
    assert again.exit_code == 0, again.output
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_full_disk_is_reported_and_publishing_continues_when_there_is_room(publish, tmp_path, monkeypatch):
    written = []

    def write(self, descriptor, data):
        written.append(len(data))
        if len(written) > 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "write", write)
        failed = publish()
    done = publish()

    assert failed.exit_code == 1
    assert failed.output.startswith("chronotile: there is no room for ")
    assert len(failed.output.splitlines()) == 1
    assert done.exit_code == 0, done.output
    assert " 0 unchanged" not in done.output
    assert len(check(tmp_path / "out")) == len(SCENES)


def test_catalogue_appears_only_when_complete(publish, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Disk, "rename", _refuse_documents)
        publish()

    assert not (tmp_path / "out").exists()
    assert documents(tmp_path / ".out.publishing") != []


def _refuse_documents(_self, source, target):
    if target.name == "catalog.json":
        raise OSError(errno.EIO, "Input/output error")
    source.replace(target)


def test_the_folder_is_served_with_the_same_values(publish, place, tmp_path):
    publish()
    environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with serving("serve", tmp_path / "out", "--workers", "1", **environment) as (_process, address, _lines):
        again = values(address)
    with serving("serve", place, "--workers", "1", CHRONOTILE_JOBS_DIR=str(tmp_path / "jobs"), **environment) as (
        _process,
        address,
        _lines,
    ):
        before = values(address)

    assert again == before
    assert any(value is not None for value in before["B04"]["values"])


def values(address):
    """Return the series of two layers at a point."""
    found = {}
    for name in ("B04", "NDVI"):
        url = f"{address}/timeseries/s2.{name}/point?lon=6.0&lat=50.5"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            found[name] = json.load(answer)
    return found
