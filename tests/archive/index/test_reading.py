"""Entries of large sources are read in processes, and those of an unchanged file are not read."""

import json
import os
import random
import signal
import zlib
from contextlib import closing
from multiprocessing import active_children

import pyarrow.parquet as pq
import pytest
from sqlalchemy import inspect, text

from chronotile.archive.index import geoparquet
from chronotile.archive.index import source as reading
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.export import export_items
from chronotile.archive.index.fill import IndexStore, Interrupted, fill
from chronotile.archive.index.geoparquet import GeoparquetSource
from chronotile.archive.index.source import ItemFilter, ItemRules
from chronotile.archive.index.sources import SourceAccess, indexed_collection, source_of
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import LEASE_S, SourcePasses, open_passes
from chronotile.catalog.items.schema import INDEX
from chronotile.core.database import open_engine
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.items import IndexSettings, PutSummary
from chronotile.core.model.source import ItemsSpec, SourceSpec
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import S2, CatalogueOnDisk, item_document
from tests.archive.index.test_geoparquet import Listing

COUNT = 400
ACCESS = SourceAccess(prefixes=AllowedPlaces(["https://files.test/"]), documents=DocumentReader())
ODD = (
    {"geometry": None},
    {"id": ""},
    {"assets": {}},
    {"bbox": None},
    {"geometry": {"type": "Polygon", "coordinates": [[[179, 1], [-179, 1], [-179, 2], [179, 2], [179, 1]]]}},
    {"geometry": {"type": "Point", "coordinates": [1, 2]}},
    {"assets": {"RED": {"href": "https://elsewhere.test/a.tif", "type": "image/tiff; application=geotiff"}}},
    {"assets": {"RED": {"href": "s3://a/../b.tif", "type": "image/tiff; application=geotiff"}}},
)
"""Wrong or unusual members in one of five documents."""


def made_documents():
    chance = random.Random(8)
    documents = []
    for number in range(COUNT):
        document = item_document(
            f"{number:04}",
            day=f"2020-06-{1 + number % 28:02}",
            west=float(number % 90),
            href=f"https://files.test/{number % 7}/{number}.tif",
            **{"eo:cloud_cover": number % 100, "proj:code": f"EPSG:326{31 + number % 20}"},
        )
        if chance.random() < 0.2:
            document |= chance.choice(ODD)
        documents.append(document)
    documents[COUNT // 2]["id"] = documents[3]["id"]  # twins
    return documents


def write_source(form, folder):
    """Write the documents in a form; return their location."""
    documents = made_documents()
    if form == "collection":
        file = folder / "items.json"
        file.write_text(json.dumps({"type": "FeatureCollection", "features": documents}))
        return str(file)
    if form == "parquet":
        export_items(Listing([each for each in documents if each["id"]]), "s2", folder / "items.parquet")
        return str(folder / "items.parquet")
    catalogue = CatalogueOnDisk(folder / "catalogue")
    for number, each in enumerate(documents):
        (catalogue.folder / f"{number}.json").write_text(json.dumps(each))
        catalogue.links[f"./{number}.json"] = "item"
    catalogue.write()
    return catalogue.href


def spec_of(href):
    settings = IndexSettings(group="solar_day", order_by="eo:cloud_cover")
    return SourceSpec(collection="s2", kind="stac", href=href, items=ItemsSpec(settings=settings, filter=FILTER))


FILTER = "id <> '0007'"


def tables_of(url, folder):
    """Return all rows of all tables of the index, without columns that always differ."""
    engine = open_engine(url, folder, INDEX)
    found = {}
    with engine.connect() as connection:
        for table in sorted(inspect(connection).get_table_names()):
            rows = connection.execute(text(f"SELECT * FROM {table}")).mappings()
            found[table] = sorted(
                repr([(name, content_of(each[name])) for name in each if name not in OWN]) for each in rows
            )
    engine.dispose()
    return found


def content_of(value):
    """Return the content of a column: ISA-L may compress the same bytes in more than one way."""
    compressed = isinstance(value, bytes) and value.startswith(ZLIB_HEADER)
    return zlib.decompress(value) if compressed else value


ZLIB_HEADER = b"x^"

OWN = {"holder", "held_until", "whole_at", "counter", "times_counter", "layouts_counter", "changed", "cursor"} | {
    *("first_change", "last_change", "change", "next_change", "began", "number", "item", "next_item", "id_of_index")
}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["collection", "parquet", "catalogue"])
def test_processes_give_the_same_rows_as_one(form, url, tmp_path, monkeypatch, request):
    monkeypatch.setattr(reading, "MANY", 50)
    monkeypatch.setattr(geoparquet, "ROWS", 30)
    spec, tables = spec_of(write_source(form, tmp_path)), []
    for processes in (0, 2):
        folder = tmp_path / f"index-{processes}"
        of_run = url if url is None or not processes else request.getfixturevalue("postgresql").make_database()
        with closing(IndexStore(items=open_items(of_run, folder), passes=open_passes(of_run, folder))) as store:
            summary = fill(indexed_collection(spec), source_of(spec, ACCESS), store, processes=processes, batch=64)
        assert summary.put.added > 300
        assert summary.filtered == 1
        assert summary.problems
        tables.append(tables_of(of_run, folder))
    assert tables[0].keys() == tables[1].keys()
    for name, rows in tables[0].items():
        assert rows == tables[1][name], name


@pytest.mark.slow
def test_killed_process_ends_the_pass_and_the_next_one_continues(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MANY", 50)
    monkeypatch.setattr(geoparquet, "ROWS", 16)
    spec, folder = spec_of(write_source("parquet", tmp_path)), tmp_path / "index"

    def kill(_count):
        for each in active_children():
            os.kill(each.pid, signal.SIGKILL)

    with closing(IndexStore(items=open_items(None, folder), passes=open_passes(None, folder))) as store:
        with pytest.raises(SourceUnavailable, match="a process that reads items has ended"):
            fill(indexed_collection(spec), source_of(spec, ACCESS), store, processes=2, batch=16, progress=kill)
        assert not active_children()
        summary = fill(indexed_collection(spec), source_of(spec, ACCESS), store)
        assert 0 < summary.put.added < COUNT
        found = store.items.faults("s2").items
    assert found > 300


@pytest.mark.slow
def test_of_rows_with_one_id_the_last_one_counts_in_each_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MANY", 50)
    monkeypatch.setattr(geoparquet, "ROWS", 16)
    folder, found = tmp_path / "index", []
    with closing(IndexStore(items=open_items(None, folder), passes=open_passes(None, folder))) as store:
        for cloud in (1, 2):  # which makes all others new
            rows = [item_document(f"{number:03}", **{"eo:cloud_cover": cloud}) for number in range(COUNT)]
            rows[100], rows[190] = (item_document("twin", **{"eo:cloud_cover": own}) for own in (50, 60))
            export_items(Listing(rows), "s2", tmp_path / "items.parquet")
            fill_parquet(tmp_path / "items.parquet", store, processes=2, batch=16)
            found.append(json.loads(store.items.find("s2", "twin").document)["properties"]["eo:cloud_cover"])
    assert found == [60, 60]


@pytest.mark.slow
def test_pass_that_reads_ahead_excludes_others(tmp_path, monkeypatch):
    """The entries come slowly: several batches of them take longer than a lease."""
    monkeypatch.setattr(reading, "MANY", 50)
    monkeypatch.setattr(geoparquet, "ROWS", 16)
    spec, folder, now_s, refused = spec_of(write_source("parquet", tmp_path)), tmp_path / "index", [0.0], []
    source = source_of(spec, ACCESS)
    passes = SourcePasses(open_engine(None, folder, INDEX), INDEX, clock=lambda _connection: now_s[0])

    def slowly(run, entries=source.entries):
        for each in entries(run):
            now_s[0] += LEASE_S / 100
            with pytest.raises(SourceUnavailable, match="is being indexed by another process"):
                passes.begin("s2", source="another", holder="elsewhere 1 x")
            refused.append(each)
            yield each

    monkeypatch.setattr(source, "entries", slowly)
    with closing(IndexStore(items=open_items(None, folder), passes=passes)) as store:
        assert fill(indexed_collection(spec), source, store, processes=2, batch=16).put.added > 300
    assert len(refused) > COUNT * 0.9


def test_arguments_of_processes_can_be_pickled():
    import pickle

    rules = ItemRules(filter=ItemFilter("cloud < 20"), allowed=source_of_rules())
    copied = pickle.loads(pickle.dumps(rules))
    assert copied.filter.text == "cloud < 20"
    assert copied.allowed("https://files.test/a/b.tif") == "https://files.test/a/b.tif"


def source_of_rules():
    return source_of(spec_of("/nowhere/items.parquet"), ACCESS).allowed


def fill_parquet(file, store, **more):
    return fill(S2, GeoparquetSource(str(file), ItemRules()), store, **more)


def test_a_file_with_the_same_bytes_is_not_read_again(tmp_path, store, read):
    file = tmp_path / "items.parquet"
    documents = [item_document("a"), item_document("b"), {**item_document("c"), "geometry": None}]
    export_items(Listing(documents), "s2", file)
    first = fill_parquet(file, store, is_whole=False)
    read.clear()
    os.utime(file, ns=(1, 1))  # written again
    summary = fill_parquet(file, store, is_whole=False)
    assert not read
    assert (summary.put, summary.problems) == (PutSummary(unchanged=2), first.problems)
    assert fill_parquet(file, store).problems == first.problems  # as --full: all is listed, by the bytes of row groups
    assert not read
    export_items(Listing(documents[:2]), "s2", file)
    assert fill_parquet(file, store, is_whole=False).put == PutSummary(unchanged=2)
    assert not read  # of a row group with the same bytes


def test_a_file_is_read_again_after_a_pass_over_another_was_interrupted(tmp_path, store, read, monkeypatch):
    monkeypatch.setattr(geoparquet, "ROWS", 100)
    file = tmp_path / "items.parquet"
    versions = [[item_document(f"{number:03}", west=west) for number in range(300)] for west in (4.0, 5.0)]
    export_items(Listing(versions[0], page=300), "s2", file)
    fill_parquet(file, store, is_whole=False)
    first = file.read_bytes()
    export_items(Listing(versions[1], page=300), "s2", file)
    with pytest.raises(Interrupted):
        fill_parquet(file, store, is_whole=False, is_stopped=lambda: True)
    with pytest.raises(Interrupted):
        fill_parquet(file, store, is_whole=False, batch=100, is_stopped=iter([*[False] * 100, *[True] * 99]).__next__)
    file.write_bytes(first)
    read.clear()
    fill_parquet(file, store, is_whole=False)
    assert len(read) == 100  # the others are unchanged since both passes
    assert {item.bbox.xmin < 4.5 for item in store.items.collections["s2"].values()} == {True}


def test_a_pass_reads_a_file_for_its_digest_once(tmp_path, store, monkeypatch):
    digested, digest = [], geoparquet.file_digest
    monkeypatch.setattr(geoparquet, "file_digest", lambda file, name: digested.append(name) or digest(file, name))
    file = tmp_path / "items.parquet"
    export_items(Listing([item_document("a")]), "s2", file)
    source = GeoparquetSource(str(file), ItemRules())
    fill(S2, source, store, is_whole=False)
    assert len(digested) == 1
    export_items(Listing([item_document("a"), item_document("b")]), "s2", file)
    assert fill(S2, source, store, is_whole=False).put.added == 1
    assert len(digested) == 2


def test_values_of_columns_equal_those_of_rows(tmp_path):
    """The columns have types of other tools; nulls of other rows, and null columns, are omitted."""
    import pyarrow as pa

    rows = [
        {
            "id": f"{number}",
            "geometry": None,
            "assets": {"a": {"href": "x", "roles": None if number % 2 else ["data", None]}, "b": None},
            "whole": number if number % 3 else None,
            "single": None if number % 2 else 0.1,
            "yes": bool(number % 2),
            "text": None if number % 2 else "ü",
            "times": [None, 1.5] if number % 2 else None,
            "deep": [[{"x": [number], "y": None}], []],
        }
        for number in range(6)
    ]
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("geometry", pa.binary()),
            ("assets", pa.struct([(name, ASSET) for name in "ab"])),
            ("whole", pa.int64()),
            ("single", pa.float32()),
            ("yes", pa.bool_()),
            ("text", pa.dictionary(pa.int32(), pa.string())),
            ("times", pa.list_(pa.float64())),
            ("deep", pa.large_list(pa.list_(pa.struct([("x", pa.list_(pa.int8())), ("y", pa.null())])))),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "odd.parquet")
    from chronotile.archive.index.geoparquet import item_of_row, rows_of

    for batch in pq.ParquetFile(tmp_path / "odd.parquet").iter_batches(batch_size=4):
        sliced = batch.slice(1)
        for found, row in zip(map(item_of_row, rows_of(sliced)), sliced.to_pylist(), strict=True):
            expected = {name: row[name] for name in ("whole", "single", "yes", "text", "times")}
            expected["deep"] = [[{"x": row["deep"][0][0]["x"]}], []]
            properties = {name: value for name, value in found["properties"].items() if name != "datetime"}
            assert properties == {name: value for name, value in expected.items() if value is not None}
            roles = row["assets"]["a"]["roles"]
            assert found["assets"] == {"a": {"href": "x"} | ({} if roles is None else {"roles": roles})}


def test_rows_are_the_same_items_in_another_process(tmp_path):
    """Equal rows, which share one value, and one that differs by a null."""
    import pickle

    from chronotile.archive.index.geoparquet import GeoparquetRows

    documents = [item_document(f"{number}", same=7, odd=None if number == 3 else 1.5) for number in range(6)]
    export_items(Listing(documents, page=6), "s2", tmp_path / "items.parquet")
    (batch,) = pq.ParquetFile(tmp_path / "items.parquet").iter_batches()

    here = GeoparquetRows(lambda: batch.slice(1), ItemRules(), "/x.parquet")
    there = pickle.loads(pickle.dumps(here))

    assert there.documents == here.documents
    assert [each["properties"].get("odd") for each in there.documents] == [1.5, 1.5, None, 1.5, 1.5]
    assert [each["properties"]["same"] for each in there.documents] == [7] * 5
    assert [there.read(number, "") for number in range(5)] == [here.read(number, "") for number in range(5)]
    assert there.read(0, there.read(0, "").state) is None


def _asset():
    import pyarrow as pa

    return pa.struct([("href", pa.string()), ("roles", pa.list_(pa.string()))])


ASSET = _asset()
