"""Items older than a collection's limit are removed from the index, and return if the limit is raised."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from tests.app.stored.made import Archive
from tests.archive.index.catalogues import CatalogueOnDisk, item_document
from tests.archive.index.test_files import write_tile
from tests.catalog.items.conftest import make_item

SCENES = """
service: {{id: mine}}
collections:
  scenes:
    source: {{kind: stac, href: catalogue/catalog.json}}
    variables: {{RED: {{}}}}
    search: {{keep_days: {days}}}
"""
TILES = """
service: {{id: mine}}
collections:
  scenes:
    source: {{kind: cog, href: "catalogue/S2_*_{{variable}}.tif", tiles: true}}
    variables: {{RED: {{}}}}
    search: {{keep_days: {days}}}
"""


def ago(days):
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"


@pytest.fixture(params=[SCENES, TILES], ids=["scenes", "tiles"])
def archive(request, tmp_path):
    archive = Archive(tmp_path / "archive")
    archive.text = request.param
    catalogue = CatalogueOnDisk(archive.folder / "catalogue")
    for days in (10, 40):
        name = f"S2_{ago(days).replace('-', '')}_{days}"
        write_tile(archive.folder / "catalogue" / f"{name}_RED.tif")
        if request.param == SCENES:
            catalogue.add(item_document(name, day=ago(days)))
    return archive


def index(archive, days):
    """Return the output of `chronotile index`, and the ages in days of the remaining items."""
    archive.file.write_text(archive.text.format(days=days))
    lines, code = archive.run("index")
    assert code == 0, lines
    with archive.index() as opened:
        extent = opened.extent("scenes")
        found = opened.covering("scenes", extent) if extent else ()
    return lines[0].partition(" in ")[0], sorted(ref.id.rpartition("_")[2] for ref in found)


def test_items_expire_after_the_days_of_their_collection(archive):
    assert index(archive, 30) == ("scenes: 1 added, 0 replaced, 0 unchanged, 0 removed", ["10"])
    assert index(archive, 100)[1] == ["10", "40"]
    with archive.index() as opened:
        cursor = opened.changes_after(None).cursor
        opened.put("scenes", [make_item("requested_90", at=f"{ago(90)}T00:00:00")])
    assert index(archive, 60) == ("scenes: 0 added, 0 replaced, 2 unchanged, 1 removed", ["10", "40"])
    assert index(archive, 20)[1] == ["10"]
    with archive.index() as opened:
        changes = opened.changes_after(cursor).changes
        assert [(each.kind, each.id.rpartition("_")[2]) for each in changes if each.kind == "removed"] == [
            ("removed", "90"),
            ("removed", "40"),
        ]
    assert len(list(archive.folder.glob("catalogue/*.tif"))) == 2
    assert index(archive, 20) == ("scenes: 0 added, 0 replaced, 2 unchanged, 0 removed", ["10"])
    settings = load_settings(config=archive.file, jobs_dir=archive.jobs)
    with TestClient(create_app(settings)) as client:
        found = client.get("/stac/search?collections=scenes").json()["features"]
    assert [each["id"].rpartition("_")[2] for each in found] == ["10"]


def test_an_item_that_turns_out_to_be_older_is_removed(tmp_path):
    archive = Archive(tmp_path / "archive")
    archive.text = SCENES
    catalogue = CatalogueOnDisk(archive.folder / "catalogue")
    catalogue.add(item_document("one", day=ago(10)))
    assert index(archive, 30)[1] == ["one"]
    catalogue.add(item_document("one", day=ago(400)))
    assert index(archive, 30) == ("scenes: 0 added, 0 replaced, 0 unchanged, 1 removed", [])
