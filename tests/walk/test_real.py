"""Each address in a document has the documented answer, over real data, the demo and a mosaic of scenes."""

import pytest

from chronotile.demo import DemoPlan, make_demo
from tests.odd_archives.every import EVERY
from tests.sampling import IS_FULL
from tests.strict import SHARED, folders_with_rasters
from tests.walk.walker import Extent

DATA = SHARED / "data"


@pytest.mark.data
@pytest.mark.parametrize("name", folders_with_rasters())
def test_documents_of_real_data_are_answered(walk, name):
    report = walk(DATA / name, Extent.OF_EACH if IS_FULL else Extent.ROUTES)

    assert not report.faults, report


@pytest.mark.slow
def test_documents_of_the_demo_are_answered(walk, tmp_path):
    plan = DemoPlan(size_px=100, first_day="2023-01-01", dekads=12, levels=2, picture_days=("2024-06-01",))

    report = walk(make_demo(tmp_path / "demo", plan=plan), Extent.ALL if IS_FULL else Extent.WORDS, without=())

    assert not report.faults, report
    assert len(report.seen) > 20


@pytest.mark.slow
def test_documents_of_a_mosaic_are_answered(walk, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()

    report = walk(EVERY["stores: GeoParquet"](folder), Extent.ALL if IS_FULL else Extent.WORDS)

    assert not report.faults, report
    assert report.seen["OData"] > 5
