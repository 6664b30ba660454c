"""Each address that a document tells is answered as it says, over folders in each of which one thing is odd.

CHRONOTILE_TEST_FULL=1 follows all of them, else one of each route.
"""

import os

import pytest

from tests.odd_archives.every import EVERY
from tests.walk.walker import Extent

EXTENT = Extent.ALL if os.environ.get("CHRONOTILE_TEST_FULL") else Extent.ROUTES
LEAST = 150
"""Addresses of a folder with one layer: a walk that finds fewer has lost its way."""
QUICK = ("systems: one cell", "names: file a<b>&c", "times: no date in NetCDF")
CASES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in EVERY]


@pytest.mark.parametrize("name", CASES)
def test_what_documents_tell_is_answered(walk, tmp_path, name):
    folder = tmp_path / "data"
    folder.mkdir()

    report = walk(EVERY[name](folder), EXTENT)

    assert report.faults == {}
    assert report.seen.total() > LEAST
