"""`chronotile index`: its output, its exit status, and the index afterwards."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from threading import Timer

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from chronotile.app.configured_archive import item_index
from chronotile.app.settings import load_settings
from chronotile.cli.main import app
from chronotile.core.model.space.boxes import BBox
from tests.archive.index.catalogues import CatalogueOnDisk, item_document
from tests.archive.index.stac_api import StacApi, serving
from tests.archive.index.test_files import tree, write_tile
from tests.running import PATIENCE_S, PROGRAM, until

CONFIGURATION = """collections:
  tiles:
    source: {kind: cog, href: "a/*/S2_*_{variable}.tif", tiles: true}
    variables: {NDVI: {}, SCL: {}}
  scenes:
    source: {kind: stac, href: catalogue/catalog.json, filter: "eo:cloud_cover < 60"}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("CHRONOTILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    tree(tmp_path / "a")
    catalogue = CatalogueOnDisk(tmp_path / "catalogue")
    for name, cover in (("clear", 3), ("dull", 90)):
        catalogue.add(item_document(name, **{"eo:cloud_cover": cover}))
    catalogue.add({**item_document("nowhere", **{"eo:cloud_cover": 3}), "geometry": None})
    file = tmp_path / "c.yaml"
    file.write_text(CONFIGURATION)
    return file


def run(*arguments):
    return CliRunner().invoke(app, ["index", *map(str, arguments)])


def times_of(place, collection):
    index = item_index(load_settings(config=place))
    try:
        return [str(each)[:10] for each in index.times(collection).instants], index.extent(collection)
    finally:
        index.close()


def without_times(output):
    return [line.partition(" in ")[0] for line in output.splitlines()]


def test_all_collections_of_items_are_indexed(place):
    done = run(place)
    assert done.exit_code == 0, done.output
    assert without_times(done.output) == [
        "tiles: 4 added, 0 replaced, 0 unchanged, 0 removed",
        "scenes: 1 added, 0 replaced, 0 unchanged, 0 removed, 1 left out by the filter",
        f"scenes: 1 left out: it has no geometry ({place.parent / 'catalogue' / 'nowhere.json'})",
    ]
    times, extent = times_of(place, "tiles")
    assert times == ["2020-06-01", "2020-06-11"]
    assert extent.intersects(BBox(3.0, 50.9, 3.1, 51.1))
    assert without_times(run(place, "--collection", "tiles").output) == [
        "tiles: 0 added, 0 replaced, 4 unchanged, 0 removed"
    ]


def test_removed_files_are_removed_from_the_index(place):
    run(place)
    for path in (place.parent / "a" / "2020").glob("S2_20200611_*"):
        path.unlink()
    assert without_times(run(place, "--collection", "tiles").output) == [
        "tiles: 0 added, 0 replaced, 2 unchanged, 2 removed"
    ]
    assert times_of(place, "tiles")[0] == ["2020-06-01"]


def test_a_source_that_cannot_be_read_ends_with_1_and_others_are_indexed(place):
    (place.parent / "a").rename(place.parent / "b")
    done = run(place)
    assert done.exit_code == 1
    assert f"chronotile: tiles: no file matches {place.parent}/a/" in done.stderr
    assert without_times(done.stdout)[0] == (
        "scenes: 1 added, 0 replaced, 0 unchanged, 0 removed, 1 left out by the filter"
    )


def test_source_with_all_items_skipped_ends_with_1_until_one_is_accepted(place):
    catalogue = CatalogueOnDisk(place.parent / "catalogue")
    catalogue.add({**item_document("nowhere", **{"eo:cloud_cover": 3}), "geometry": None})
    catalogue.add(item_document("dull", **{"eo:cloud_cover": 90}))
    for _run in range(2):  # the second run reads none of them again
        done = run(place)
        assert done.exit_code == 1
        assert done.stderr == "chronotile: scenes: all of its items are left out\n"
        assert without_times(done.stdout)[2].startswith("scenes: 1 left out: it has no geometry")
    catalogue.add(item_document("clear", **{"eo:cloud_cover": 3}))
    assert run(place).exit_code == 0
    catalogue.remove("clear")
    assert run(place).exit_code == 1
    catalogue.remove("nowhere")
    assert run(place).exit_code == 0  # the operator's filter skips the others


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--collection", "x"], 1, "has no collection 'x'; it has tiles, scenes"),
        (["--export", "x.parquet"], 2, "name one collection with --collection"),
        (["--export", "x.parquet", "--watch"], 2, "it cannot be used with --watch"),
    ],
)
def test_contradictory_options_are_refused(place, arguments, code, message):
    done = run(place, *arguments)
    assert done.exit_code == code
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_a_wrong_filter_is_refused(place):
    place.write_text(CONFIGURATION.replace("eo:cloud_cover < 60", "eo:cloud_cover < <"))
    done = run(place, "--collection", "scenes")
    assert done.exit_code == 1
    assert "is not valid CQL2 text" in done.stderr


def test_a_configuration_without_items_has_no_index(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("collections: {x: {source: {kind: zarr, href: x.zarr}}}")
    done = run(file)
    assert (done.exit_code, "dates of other collections are listed by chronotile serve" in done.stderr) == (1, True)


def test_other_file_than_a_configuration_has_no_index(place):
    for other in (place.parent / "a", place.parent / "catalogue" / "catalog.json"):
        done = run(other)
        assert (done.exit_code, "is not a configuration" in done.stderr) == (1, True)


@pytest.mark.slow
def test_an_api_is_indexed_and_again_only_its_updates(place):
    with serving(StacApi().add(item_document("a", updated="2024-01-01T00:00:00Z"))) as api:
        place.write_text(f"collections: {{s2: {{source: {{kind: stac, href: '{api.href}'}}}}}}")
        assert "1 added" in run(place).output
        assert "only changes were read" in run(place).output
        assert "filter" in api.requests[-1][1]
        api.items.clear()
        assert "1 removed" in run(place, "--full").output


@pytest.mark.client("initdb", "postgres")
def test_several_hosts_share_an_index_in_postgresql(place, postgresql, monkeypatch, tmp_path):
    monkeypatch.setenv("CHRONOTILE_DATABASE_URL", postgresql.make_database())
    assert "tiles: 4 added" in run(place).output
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "another"))
    assert "tiles: 0 added, 0 replaced, 4 unchanged" in run(place).output
    done = run(place, "--collection", "scenes", "--export", place.parent / "s.parquet")
    assert "scenes: 1 items written" in done.output


@contextmanager
def watching(*arguments):
    """Run a watching process; one that hangs is killed, so that its output ends."""
    command = [PROGRAM, "index", *map(str, arguments), "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        end = Timer(PATIENCE_S, process.kill)
        end.start()
        try:
            yield process, iter(process.stdout)
        finally:
            end.cancel()
            process.kill()


@pytest.mark.slow
def test_watching_sees_a_new_scene_and_ends_with_0(place):
    with watching(place, "--collection", "tiles") as (process, lines):
        assert "4 added" in next(lines)
        assert next(lines).startswith("watching tiles")
        write_tile(place.parent / "a" / "2020" / "S2_20200621_31UFS_NDVI.tif")
        assert next(lines).startswith("tiles: 1 added")
        until(lambda: "2020-06-21" in times_of(place, "tiles")[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


@pytest.mark.slow
def test_watching_follows_the_configuration(place):
    later = place.read_text()
    place.write_text(later.partition("  scenes:")[0])
    with watching(place) as (process, lines):
        assert "4 added" in next(lines)
        assert next(lines) == "watching tiles; stop with Ctrl-C\n"
        place.write_text("collections: [")
        assert next(lines).startswith(f"{place} cannot be used, still watching the same collections: ")
        place.write_text(later)
        assert next(lines) == "watching tiles, scenes\n"
        assert next(lines).startswith("scenes: 1 added")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


class WritingApi(StacApi):
    """Writes a configuration while its items are read for the first time."""

    file = None

    def landing(self):
        if self.file is not None:
            self.file.write_text("collections: [")
            self.file = None
        return super().landing()


@pytest.mark.slow
def test_a_configuration_that_is_written_while_the_index_is_filled_is_read_again(place):
    api = WritingApi().add(item_document("a"))
    api.file = place
    with serving(api):
        place.write_text(f"collections: {{s2: {{source: {{kind: stac, href: '{api.href}'}}}}}}")
        with watching(place) as (_process, lines):
            assert "1 added" in next(lines)
            assert next(lines).startswith("watching s2")
            assert next(lines).startswith(f"{place} cannot be used")


@pytest.mark.slow
def test_killed_run_continues(place):
    """A run killed at any moment, without cleaning up, is completed by the next run."""
    folder = place.parent / "a" / "2021"
    for day in range(1, 29):
        write_tile(folder / f"S2_202106{day:02}_31UFS_NDVI.tif")
    with subprocess.Popen([PROGRAM, "index", str(place)], stdout=subprocess.PIPE) as process:
        until((place.parent / "jobs" / "index.sqlite").exists)
        process.kill()
    done = run(place)
    assert done.exit_code == 0, done.output
    assert len(times_of(place, "tiles")[0]) == 30


def test_the_export_has_all_items(place):
    done = run(place, "--collection", "scenes", "--export", place.parent / "s.parquet")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == f"scenes: 1 items written to {place.parent / 's.parquet'}"
    [row] = pyarrow.parquet.read_table(place.parent / "s.parquet").to_pylist()
    assert row["id"] == "clear"
    assert row["assets"]["RED"]["href"] == str(place.parent / "catalogue" / "clear_RED.tif")
    assert json.loads(json.dumps(row["eo:cloud_cover"])) == 3


def test_skipped_items_are_read_again_when_their_prefix_is_allowed(place, monkeypatch):
    far = place.parent / "far"
    far.mkdir()
    catalogue = CatalogueOnDisk(place.parent / "catalogue")
    catalogue.add(item_document("far", href=f"{far}/a.tif", **{"eo:cloud_cover": 3}))
    refused = run(place, "--collection", "scenes")
    again = run(place, "--collection", "scenes")
    monkeypatch.setenv("CHRONOTILE_SOURCE_PREFIXES", str(far))

    allowed = run(place, "--collection", "scenes")
    once_more = run(place, "--collection", "scenes")

    assert f"left out: addresses below {far} are not allowed" in refused.output
    assert f"left out: addresses below {far} are not allowed" in again.output
    assert without_times(allowed.output)[0] == "scenes: 1 added, 0 replaced, 0 unchanged, 0 removed"
    assert "not allowed" not in allowed.output
    assert without_times(once_more.output)[0] == "scenes: 0 added, 0 replaced, 1 unchanged, 0 removed"


@pytest.mark.slow
def test_a_damaged_index_is_moved_aside_and_filled_again(place):
    run(place)
    file = place.parent / "jobs" / "index.sqlite"
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size - 8192)
        opened.write(b"\xff" * 8192)

    damaged = CliRunner().invoke(app, ["check", str(place)])
    filled = run(place)
    again = CliRunner().invoke(app, ["check", str(place)])

    assert damaged.exit_code == 1
    assert "the item index is unreachable or damaged" in damaged.output
    assert "tiles: 4 added, 0 replaced, 0 unchanged, 0 removed" in without_times(filled.output)
    assert "item index: was damaged and moved aside" in again.output
