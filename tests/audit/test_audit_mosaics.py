"""Mosaics compared with their files, read, sorted and combined apart: nothing differs, and seeded faults are found."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from chronotile.audit.archive import Audit, audit_archive
from tests.scenes_archive.indexed import LATTICE, indexed
from tests.scenes_archive.plan import TINY

pytestmark = pytest.mark.slow

MADE = replace(TINY, days=TINY.days[:2], baseline=1)
"""Two dates, the second with an offset."""
BANDS = "{RED: {asset: B04}, SCL: {asset: SCL}, NIR: {asset: B08, mask: {variable: SCL, keep: [4, 5, 6]}}}"


@pytest.fixture
def audited():
    """Return `audited(scenes)`: the lines of an audit and its counts."""

    def audited(scenes):
        archive = scenes.opened()
        found = Audit(seed=1)
        lines = list(audit_archive(archive, found, samples=50))
        archive.close()
        archive.services.reader_caches.items.close()
        return lines, found

    return audited


@pytest.mark.parametrize("rule", ["first", "latest", "least_nodata", "max", "mean", "median"])
def test_mosaics_equal_their_files(tmp_path, audited, rule):
    order = "" if rule == "latest" else "order_by: eo:cloud_cover"
    scenes = indexed(MADE, tmp_path, more=LATTICE, rule=rule, variables=BANDS, order=order)

    lines, found = audited(scenes)

    assert (lines, found.mismatches, len(found.layers)) == ([], 0, 3)
    assert found.compared == found.total > 50_000


def test_mosaics_without_a_grid_are_compared_in_longitude_and_latitude(tmp_path, audited):
    lines, found = audited(indexed(MADE, tmp_path, variables="{CELL: {}}"))

    assert (lines, found.mismatches) == ([], 0)


def another_order(scenes):
    """Reverse the order of all items in the index, in contradiction to their documents."""
    with closing(sqlite3.connect(next((scenes.folder / "jobs").rglob("index.sqlite")))) as database:
        database.execute("UPDATE chronotile_items SET rank = -rank")
        database.commit()


def another_offset(scenes):
    put_with_band(scenes, offset=-0.2)


def another_nodata(scenes):
    scene = MADE.scenes(1)[0]
    put_with_band(scenes, nodata=float(scene.numbers("B04")[60, 60]))


def put_with_band(scenes, **stated):
    """An item that the index states something of that its document does not."""
    item = scenes.item(MADE.scenes(1)[0])
    assets = tuple(
        replace(each, bands=(replace(each.bands[0], **stated),)) if each.name == "B04" else each for each in item.assets
    )
    put(scenes, replace(item, assets=assets))


def a_smaller_footprint(scenes):
    """Make an item's footprint smaller, so that searches in its east miss it."""
    item = scenes.item(MADE.scenes(1)[0])
    box = item.bbox
    middle = (box.xmin + box.xmax) / 2
    ring = ((box.xmin, box.ymin), (middle, box.ymin), (middle, box.ymax), (box.xmin, box.ymax), (box.xmin, box.ymin))
    put(scenes, replace(item, footprint=(ring,), bbox=box._replace(xmax=middle)))


def put(scenes, item):
    with closing(scenes.open_index()) as index:
        index.remove("scenes", [item.id])
        index.put("scenes", [item])


@pytest.mark.parametrize("fault", [another_order, another_offset, another_nodata, a_smaller_footprint])
def test_faults_of_an_index_are_found(tmp_path, audited, fault):
    scenes = indexed(MADE, tmp_path, more=LATTICE, variables="{RED: {asset: B04}}")
    fault(scenes)

    lines, found = audited(scenes)

    assert found.mismatches > 0
    assert ", source has " in lines[0]


@pytest.mark.parametrize("rule", ["first", "mean"])
def test_formulas_are_computed_apart_of_each_item(tmp_path, audited, rule):
    lines, found = audited(indexed(MADE, tmp_path, more=LATTICE, rule=rule))

    assert (lines, found.mismatches) == ([], 0)
    assert found.layers == ["scenes.RED", "scenes.NIR", "scenes.SCL", "scenes.CELL", "scenes.NDVI"]


def test_fault_of_an_operand_is_found_in_the_formula(tmp_path, audited):
    scenes = indexed(MADE, tmp_path, more=LATTICE, variables="{B04: {}, B08: {}, SUM: {formula: B08 + B04}}")
    another_offset(scenes)

    lines, _found = audited(scenes)

    assert {line.split(",")[0] for line in lines if ", source has " in line} == {"scenes.B04", "scenes.SUM"}


def test_formulas_that_are_more_than_arithmetic_are_not_audited(tmp_path, audited):
    scenes = indexed(MADE, tmp_path, more=LATTICE, variables="{B04: {}, LOW: {formula: 'where(B04 < 0.2, B04, 0.2)'}}")

    lines, found = audited(scenes)

    assert lines == [
        "not audited: scenes.LOW, LOW: its formula has where(B04 < 0.2, B04, 0.2), which the audit does not compute"
    ]
    assert (found.mismatches, found.layers) == (0, ["scenes.B04"])
