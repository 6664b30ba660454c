"""The index that tests fill."""

from contextlib import closing

import pytest

from tests.archive.index.catalogues import new_store


@pytest.fixture
def store(tmp_path):
    """Items in memory, and the passes in a database."""
    with closing(new_store(tmp_path / "index")) as opened:
        yield opened
