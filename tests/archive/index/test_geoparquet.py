import errno
import json
import os
import stat
from contextlib import nullcontext

import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest

from chronotile.archive.index import fill as fill_module
from chronotile.archive.index.export import export_items
from chronotile.archive.index.fill import Interrupted, fill
from chronotile.archive.index.geoparquet import GeoparquetSource
from chronotile.archive.index.source import ItemRules
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource, WriteFailed
from chronotile.core.model.items import FoundItem, ItemPage, ItemRef, PutSummary
from tests.archive.index.catalogues import S2, item_document


class Listing(ItemIndex):
    """Documents of items, page by page, as `search` gives them."""

    def __init__(self, documents, page=2):
        self.documents, self.page = documents, page

    def search(self, search):
        start = int(search.cursor or 0)
        found = [
            FoundItem(ref=ItemRef(number, each["id"], None, 1, None), collection="s2", document=orjson.dumps(each))
            for number, each in enumerate(self.documents[start : start + self.page])
        ]
        following = start + self.page
        return ItemPage(
            items=tuple(found), next=str(following) if following < len(self.documents) else None, matched=None
        )


DOCUMENTS = [
    item_document("a", updated="2024-01-01T00:00:00.123456Z", **{"eo:cloud_cover": 3}),
    item_document(
        "b", west=5.5, **{"eo:cloud_cover": 3.5, "proj:shape": [10, 20], "proj:transform": [10, 0.5, 0, 0, -10, 1]}
    ),
    {**item_document("c", odd="text"), "stac_extensions": ["https://example.test/schema.json"]},
    item_document("d", odd={"not": "text"}, empty={}, gone=None, names=["x", "y"]),
    item_document("e", start_datetime="2020-06-01T00:00:00Z", end_datetime="2020-06-10T23:59:59Z") | {"bbox": None},
]
DOCUMENTS[4]["properties"]["datetime"] = None


@pytest.fixture
def exported(tmp_path):
    file = tmp_path / "out" / "items.parquet"
    assert export_items(Listing(DOCUMENTS), "s2", file) == 5
    return file


def test_exported_items_are_read_back_unchanged(exported, store):
    source = GeoparquetSource(str(exported), ItemRules())
    assert fill(S2, source, store).put == PutSummary(added=5)
    for document in DOCUMENTS:
        item = store.items.collections["s2"][document["id"]]
        read = json.loads(item.document)
        assert read["geometry"] == document["geometry"]
        own = str(exported.parent / document["assets"]["RED"]["href"])
        assert read["assets"] == {"RED": {**document["assets"]["RED"], "href": own}}
        expected = {name: value for name, value in document["properties"].items() if value not in (None, {})}
        if "odd" in expected and not isinstance(expected["odd"], str):
            expected["odd"] = json.dumps(expected["odd"], separators=(",", ":"))  # of two types: text
        assert {name: value for name, value in read["properties"].items() if value is not None} == expected
        assert "datetime" in read["properties"]


def test_file_has_its_metadata(exported):
    file = pa.parquet.ParquetFile(exported)
    metadata = file.schema_arrow.metadata
    assert json.loads(metadata[b"geo"])["columns"]["geometry"]["encoding"] == "WKB"
    assert b"stac-geoparquet" in metadata
    assert file.schema_arrow.field("datetime").type == pa.timestamp("us", tz="UTC")
    assert file.num_row_groups == 3


@pytest.mark.client
def test_another_tool_reads_the_export(exported):
    from stac_geoparquet.arrow import stac_table_to_items

    read = {item["id"]: item for item in stac_table_to_items(pa.parquet.read_table(exported))}
    assert sorted(read) == ["a", "b", "c", "d", "e"]
    for document in DOCUMENTS:
        item = read[document["id"]]
        assert item["assets"]["RED"]["href"] == document["assets"]["RED"]["href"]
        assert item["geometry"]["coordinates"] == [
            [tuple(each) for each in document["geometry"]["coordinates"][0]]
        ] or (json.loads(json.dumps(item["geometry"]["coordinates"])) == document["geometry"]["coordinates"])
    assert read["a"]["properties"]["eo:cloud_cover"] == 3
    assert read["a"]["bbox"] == [4.0, 50.0, 5.0, 51.0]


@pytest.mark.client
def test_file_of_another_tool_is_read(tmp_path, store):
    from stac_geoparquet.arrow import parse_stac_items_to_arrow, to_parquet

    file = tmp_path / "theirs.parquet"
    to_parquet(parse_stac_items_to_arrow(DOCUMENTS[:2]), file)
    fill(S2, GeoparquetSource(str(file), ItemRules()), store)
    assert store.items.ids() == ["a", "b"]
    assert json.loads(store.items.collections["s2"]["b"].document)["properties"]["eo:cloud_cover"] == 3.5


def test_interrupted_pass_continues_at_its_rows(tmp_path, store, monkeypatch):
    monkeypatch.setattr(fill_module, "BATCH", 50)
    file = tmp_path / "many.parquet"
    export_items(Listing([item_document(f"{number:04}") for number in range(700)], page=700), "s2", file)
    with pytest.raises(Interrupted):
        fill(S2, GeoparquetSource(str(file), ItemRules()), store, is_stopped=lambda: len(store.items.ids()) >= 300)
    looked = []
    fill(S2, GeoparquetSource(str(file), ItemRules()), store, progress=looked.append)
    assert len(store.items.ids()) == 700
    assert looked[-1] <= 700 - 256


def test_removed_rows_are_removed(tmp_path, store):
    file = tmp_path / "items.parquet"
    for documents in (DOCUMENTS[:3], DOCUMENTS[1:3]):
        export_items(Listing(documents), "s2", file)
        source = GeoparquetSource(str(file), ItemRules())
        summary = fill(S2, source, store)
        assert not source.has_changed(most_files=1)
    assert (summary.put, summary.removed) == (PutSummary(unchanged=2), 1)


def test_row_without_an_id_is_skipped_and_counted(exported, store):
    table = pa.parquet.read_table(exported)
    rows = [{**row, "id": None} if row["id"] == "b" else row for row in table.to_pylist()]
    pa.parquet.write_table(pa.Table.from_pylist(rows, schema=table.schema), exported)

    summary = fill(S2, GeoparquetSource(str(exported), ItemRules()), store)

    assert store.items.ids() == ["a", "c", "d", "e"]
    assert [(each.count, each.reason) for each in summary.problems] == [(1, "it has no id of at most 400 characters")]


@pytest.mark.parametrize("content", [b"", b"no parquet at all", b"PAR1 and then nothing PAR1"])
def test_invalid_parquet_is_refused(tmp_path, store, content):
    file = tmp_path / "x.parquet"
    file.write_bytes(content)
    with pytest.raises(UnsupportedSource, match="damaged, or no Parquet file"):
        fill(S2, GeoparquetSource(str(file), ItemRules()), store)


def test_a_table_that_is_no_stac_is_refused(tmp_path, store):
    file = tmp_path / "x.parquet"
    pa.parquet.write_table(pa.table({"id": ["a"]}), file)
    with pytest.raises(UnsupportedSource, match="has no column assets"):
        fill(S2, GeoparquetSource(str(file), ItemRules()), store)


def test_failed_export_leaves_the_file_unchanged(tmp_path):
    file = tmp_path / "items.parquet"
    file.write_bytes(b"before")
    with pytest.raises(UnsupportedSource, match="has no items"):
        export_items(Listing([]), "s2", file)
    changed = Listing(DOCUMENTS[:1])
    pages = iter([DOCUMENTS[:1], [item_document("a", **{"eo:cloud_cover": "many"})]])
    changed.search = lambda search: Listing(next(pages)).search(search)
    with pytest.raises(WriteFailed, match="have changed meanwhile"):
        export_items(changed, "s2", file)
    assert not (tmp_path / "items.parquet.part").exists()
    (tmp_path / "items.parquet.part").mkdir()
    with pytest.raises(WriteFailed):
        export_items(Listing(DOCUMENTS), "s2", file)
    assert file.read_bytes() == b"before"


class FailingDisk(Disk):
    """Fails at the operation of a number, counted from 0, and notes all."""

    def __init__(self, at):
        self.at, self.done = at, []

    def fsync(self, descriptor):
        self._note("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        super().fsync(descriptor)

    def rename(self, source, target):
        self._note("rename")
        super().rename(source, target)

    def _note(self, operation):
        self.done.append(operation)
        if len(self.done) - 1 == self.at:
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("at", [0, 1, 2, None])
def test_an_export_outlasts_a_loss_of_power_or_is_not_there(at, tmp_path):
    file = tmp_path / "items.parquet"
    file.write_bytes(b"before")
    disk = FailingDisk(at)

    with nullcontext() if at is None else pytest.raises(WriteFailed, match="No space left"):
        export_items(Listing(DOCUMENTS), "s2", file, disk=disk)

    assert disk.done == ["file", "rename", "folder"][: 3 if at is None else at + 1]
    assert (file.read_bytes() == b"before") == (at in {0, 1})
    assert not list(tmp_path.glob("*.part"))
