"""Output of `chronotile check` for collections of items at their first start, and for keys without effect."""

from typer.testing import CliRunner

from chronotile.cli.main import app
from tests.scenes import Scene, write_tif


def checked(folder, collection):
    """Return its exit status and output."""
    place = folder / "chronotile.yaml"
    place.write_text(f"collections: {{c: {collection}}}")
    done = CliRunner(env={"CHRONOTILE_JOBS_DIR": str(folder / "jobs")}).invoke(app, ["check", str(place)])
    return done.exit_code, done.output


def test_a_live_collection_without_items_is_no_fault_before_its_first_search(tmp_path):
    source = "{kind: stac, href: 'https://stac.test/collections/c', mode: live}"
    status, said = checked(tmp_path, f"{{source: {source}, variables: {{RED: {{asset: B04}}}}}}")

    assert "note     c: left out: no item of it is known yet" in said
    assert (status, "0 errors" in said) == (0, True), said


def test_an_indexed_collection_without_items_is_a_fault(tmp_path):
    source = "{kind: stac, href: 'https://stac.test/collections/c'}"
    status, said = checked(tmp_path, f"{{source: {source}, variables: {{RED: {{asset: B04}}}}}}")

    assert "error    c: left out: the item index has no item of it" in said
    assert status == 1


def test_properties_that_items_of_files_lack_are_warned_of(tmp_path):
    scene = Scene()
    write_tif(tmp_path / "20240501.tif", scene.numbers(0), scene)
    source = "{kind: cog, href: '*.tif', tiles: true, time_pattern: '(?P<time>\\d{8})'}"
    keys = "search: {properties: ['grid:code', platform]}"
    _status, said = checked(tmp_path, f"{{source: {source}, {keys}, variables: {{RED: {{}}}}}}")

    assert "warning  c: search.properties: items of files have no grid:code, platform; remove it" in said
