"""An index that other programs fill is read unchanged: no table is made or repaired, and no header is written."""

import pytest

from chronotile.catalog.items.opening import read_items
from chronotile.core.errors import SourceUnavailable
from tests.catalog.items.conftest import make_item


def test_headers_of_files_are_not_written(index, url, tmp_path):
    index.put("s2", [make_item("a")])
    (ref,) = index.covering("s2", make_item("a").bbox)
    before = index.state("s2", is_fresh=True)
    read = read_items(url, tmp_path, archive="")

    read.note_header(ref, "B04", header=b"header", etag="other", size=7)

    assert [found.id for found in read.covering("s2", make_item("a").bbox)] == ["a"]
    assert index.assets([ref.number])[ref.number][0].header is None
    assert index.state("s2", is_fresh=True) == before
    read.close()


def test_an_index_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(SourceUnavailable, match="has no item index") as refused:
        read_items(None, tmp_path / "index", archive="")

    assert not (tmp_path / "index").exists()
    assert str(tmp_path) not in refused.value.message
