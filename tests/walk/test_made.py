"""Each address in a document has the documented answer, over folders with one odd property each.

CHRONOTILE_TEST_FULL=1 follows all addresses in all folders, else one per route, in a tenth of the folders.
"""

import pytest

from tests.odd_archives.every import EVERY
from tests.sampling import IS_FULL
from tests.walk.walker import Extent

EXTENT = Extent.ALL if IS_FULL else Extent.ROUTES
LEAST = 150
"""Addresses of a folder with one layer: a walk that finds fewer has lost its way."""
QUICK = ("systems: one cell", "names: file a<b>&c", "times: no date in NetCDF")


@pytest.mark.quick_cases(*QUICK)
@pytest.mark.parametrize("name", EVERY)
def test_linked_urls_are_answered(walk, tmp_path, name):
    folder = tmp_path / "data"
    folder.mkdir()

    report = walk(EVERY[name](folder), EXTENT)

    assert not report.faults, report
    assert report.seen.total() > LEAST
