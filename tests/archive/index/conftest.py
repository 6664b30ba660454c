"""The index that tests fill."""

from contextlib import closing

import pytest

from chronotile.archive.index import geoparquet
from tests.archive.index.catalogues import new_store


@pytest.fixture
def store(tmp_path):
    """Items in memory, and the passes in a database."""
    with closing(new_store(tmp_path / "index")) as opened:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def url(request):
    """Return the URL of an empty database; `None` of SQLite."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgresql").make_database()


@pytest.fixture
def read(monkeypatch):
    """Ids of the rows that were read from a file of GeoParquet."""
    ids, read_row = [], geoparquet.GeoparquetRows.read

    def noting(self, number, before):
        ids.append(self.documents[number]["id"])
        return read_row(self, number, before)

    monkeypatch.setattr(geoparquet.GeoparquetRows, "read", noting)
    return ids
