"""References of kerchunk on this machine: numbers of the files that they lead to, or an unreadable date."""

import base64
import json
import zlib
from pathlib import Path

import h5py
import numcodecs
import numpy as np
import pytest
import zarr
from fsspec.implementations.reference import LazyReferenceMapper
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.core.errors import AddressRefused, DateUnreadable, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.kinds import kind_of_path, kind_of_spec, open_source
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.stores import open_store
from tests.readers.zarr.reference_files import references_to, write_files, write_json, write_parquet
from tests.scenes import Scene, make_spec

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)
DAYS = range(len(SCENE.days))


@pytest.fixture
def paths(tmp_path):
    """Return a file for each date."""
    return write_files(tmp_path, SCENE)


def read_all(reader, indexes=DAYS):
    return np.stack([reader.read_window("NDVI", index=t, level=0, window=ALL).numbers for t in indexes])


def opened(place, **rest):
    return open_source(make_spec("zarr", place), ReaderCaches(**rest))


def test_numbers_and_times_equal_those_of_the_files(paths, tmp_path):
    reader = opened(write_json(tmp_path / "refs.json", references_to(paths)))

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())
    np.testing.assert_array_equal(reader.info.variables["NDVI"].times.instants, SCENE.times)
    series = reader.read_cell("NDVI", indexes=[0, 2, 4], row=20, column=33).numbers
    np.testing.assert_array_equal(series, SCENE.cube()[[0, 2, 4], 20, 33])


def test_blocks_over_time_equal_those_of_the_files(paths, tmp_path):
    reader = opened(write_json(tmp_path / "refs.json", references_to(paths)))

    block = reader.read_block("NDVI", indexes=[1, 3], window=Window(5, 29, 3, 40), along="time").numbers

    np.testing.assert_array_equal(block, SCENE.cube()[[1, 3], 5:29, 3:40])


@pytest.mark.parametrize(
    "encoding",
    [
        {"compression": None, "shuffle": False},
        {"shuffle": False},
        {"fletcher32": True, "compression": None, "shuffle": False},
    ],
    ids=["plain", "deflate", "checksum"],
)
def test_filters_of_hdf5_are_undone(tmp_path, encoding):
    refs = references_to(write_files(tmp_path, SCENE, **encoding))
    if "fletcher32" in encoding:
        document = json.loads(refs["NDVI/.zarray"])
        refs["NDVI/.zarray"] = json.dumps(document | {"filters": [{"id": "fletcher32"}]})

    np.testing.assert_array_equal(read_all(opened(write_json(tmp_path / "refs.json", refs))), SCENE.cube())


@pytest.mark.parametrize("dtype", [">i2", "<f4", ">f8", "<u4"])
def test_shuffled_numbers_of_several_bytes_equal_those_of_h5py(tmp_path, dtype):
    numbers = np.linspace(0, 1000, 32 * 48).reshape(1, 32, 48).astype(dtype)
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.create_dataset("NDVI", data=numbers, chunks=(1, 16, 16), compression="gzip", shuffle=True)
        found = [file["NDVI"].id.get_chunk_info(n) for n in range(6)]
    refs = {f"NDVI/0.{n // 3}.{n % 3}": ["a.nc", each.byte_offset, each.size] for n, each in enumerate(found)}
    document = {"zarr_format": 2, "shape": [1, 32, 48], "chunks": [1, 16, 16], "dtype": dtype, "order": "C"}
    codecs = [{"id": "shuffle", "elementsize": np.dtype(dtype).itemsize}, {"id": "zlib", "level": 4}]
    refs[".zgroup"] = json.dumps({"zarr_format": 2})
    refs["NDVI/.zarray"] = json.dumps({**document, "fill_value": 0, "filters": codecs, "compressor": None})

    store = open_store(str(write_json(tmp_path / "refs.json", refs)))
    array = store.open_array(store.read_group().arrays["NDVI"])

    np.testing.assert_array_equal(array.read((slice(0, 1), slice(0, 32), slice(0, 48))), numbers)


COMPRESSORS = {
    "blosc": {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2},
    "zstd": {"id": "zstd", "level": 3},
    "gzip": {"id": "gzip", "level": 3},
    "lz4": {"id": "lz4", "acceleration": 1},
}


@pytest.mark.parametrize("compressor", COMPRESSORS.values(), ids=COMPRESSORS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_whole_files_that_are_chunks_of_a_store_are_read(tmp_path, compressor, order):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    made = group.create_array(
        "NDVI", shape=(2, 30, 40), chunks=(1, 16, 16), dtype="int16", order=order, fill_value=-1,
        compressors=numcodecs.get_codec(compressor),
    )  # fmt: skip
    numbers = np.arange(2 * 30 * 40, dtype="int16").reshape(2, 30, 40)
    made[:] = numbers
    refs = {".zgroup": '{"zarr_format": 2}', "NDVI/.zarray": (tmp_path / "a.zarr/NDVI/.zarray").read_text()}
    refs |= {f"NDVI/{t}.{y}.{x}": [f"a.zarr/NDVI/{t}.{y}.{x}"] for t in (0, 1) for y in (0, 1) for x in (0, 1, 2)}

    store = open_store(str(write_json(tmp_path / "refs.json", refs)))
    array = store.open_array(store.read_group().arrays["NDVI"])

    np.testing.assert_array_equal(array.read((slice(0, 2), slice(0, 30), slice(0, 40))), numbers)


@pytest.mark.parametrize("codec", ["pickle", "imagecodecs_jpeg2k", "grib", "json2", None])
def test_codecs_that_are_not_read_are_refused(paths, tmp_path, codec):
    refs = references_to(paths)
    refs["NDVI/.zarray"] = json.dumps(json.loads(refs["NDVI/.zarray"]) | {"filters": [{"id": codec}]})

    with pytest.raises(UnsupportedSource, match=f"encoded with {codec!r}, which is not read"):
        opened(write_json(tmp_path / "refs.json", refs))


def test_chunk_without_reference_has_the_fill_value(paths, tmp_path):
    refs = references_to(paths)
    del refs["NDVI/2.0.1"]
    expected = SCENE.cube()
    expected[2, :16, 16:32] = 255

    np.testing.assert_array_equal(read_all(opened(write_json(tmp_path / "refs.json", refs))), expected)


def test_document_of_version_0_is_read(paths, tmp_path):
    (tmp_path / "refs.json").write_text(json.dumps(references_to(paths)))

    np.testing.assert_array_equal(read_all(opened(tmp_path / "refs.json")), SCENE.cube())


def test_templates_of_addresses_are_filled_in(paths, tmp_path):
    refs = references_to(paths, address=lambda path: "{{u}}{{day(d='" + path.stem[5:] + "')}}")
    templates = {"u": "2020", "day": "-{{d}}.nc"}

    reader = opened(write_json(tmp_path / "refs.json", refs, templates=templates))

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())


def test_generated_references_equal_written_ones(tmp_path):
    (tmp_path / "numbers.bin").write_bytes(np.arange(6 * 16, dtype="u1").tobytes())
    document = {"zarr_format": 2, "shape": [6, 4, 4], "chunks": [1, 4, 4], "dtype": "|u1", "order": "C"}
    refs = {
        ".zgroup": '{"zarr_format": 2}',
        "NDVI/.zarray": json.dumps({**document, "fill_value": 0, "filters": None, "compressor": None}),
    }
    generated = {
        "key": "NDVI/{{2 * half + i}}.0.0",
        "url": "{{name}}.bin",
        "offset": "{{(half * 2 + i) * 16}}",
        "length": "16",
        "dimensions": {"half": {"stop": 3}, "i": [0, 1]},
    }
    place = write_json(tmp_path / "refs.json", refs, templates={"name": "numbers"}, gen=[generated])
    store = open_store(str(place))

    found = store.open_array(store.read_group().arrays["NDVI"]).read((slice(0, 6), slice(0, 4), slice(0, 4)))

    np.testing.assert_array_equal(found, np.arange(96).reshape(6, 4, 4))


GENERATED = {"key": "NDVI/{{i}}.0.0", "url": "a.nc", "dimensions": {"i": {"stop": 2}}}
WRONG = {
    "too many": ({"dimensions": {"i": {"stop": 10**6}, "j": {"stop": 10**6}}}, "at most 1000000 references"),
    "beyond all": ({"dimensions": {"i": {"stop": 10**30}}}, "no references of kerchunk"),
    "no step": ({"dimensions": {"i": {"stop": 3, "step": 0}}}, "no references of kerchunk"),
    "power": ({"url": "{{9**9**9**9}}"}, "is not supported"),
    "attribute": ({"url": "{{i.__class__}}"}, "is not supported"),
    "unknown": ({"url": "{{j}}"}, "is not supported"),
    "long text": ({"url": "{{'a' * 1000000}}"}, "is not supported"),
    "large": ({"url": "{{" + "*".join(["99999999999"] * 10) + "}}"}, "is not supported"),
    "deep": ({"url": "{{" + "(" * 90 + "1" + ")" * 90 + "+ i}}x"}, None),
    "call of a call": ({"url": "{{i()()}}"}, "is not supported"),
    "one of two": ({"offset": "1"}, "both or neither"),
    "no number": ({"offset": "a", "length": "1"}, "no references of kerchunk"),
    "negative": ({"offset": "-1", "length": "1"}, "whole numbers are required"),
}


@pytest.mark.parametrize(
    ("changed", "message"), [each for each in WRONG.values() if each[1]], ids=[n for n, e in WRONG.items() if e[1]]
)
def test_generators_that_are_not_accepted_are_refused(tmp_path, changed, message):
    place = write_json(tmp_path / "refs.json", {".zgroup": "{}"}, gen=[GENERATED | changed])

    with pytest.raises(UnsupportedSource, match=message):
        opened(place)


DOCUMENTS = {
    "no json": b"{",
    "a list": b"[1, 2]",
    "a number": b"1",
    "deep": b"[" * 100_000,
    "not text": b"\xff\xfe\x00",
    "no entries": b"{}",
    "numbers for references": b'{"refs": {"NDVI/0.0.0": 5}}',
    "a size that is none": b'{"refs": {".zgroup": "{}", "NDVI/0.0.0": ["a", 0, "5"]}}',
    "no base64": b'{"refs": {".zgroup": "{}", "a": "base64:%%"}}',
    "no references": b'{"refs": 5}',
    "metadata elsewhere": b'{"refs": {".zgroup": ["a.nc", 0, 5]}}',
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_invalid_document_of_references_is_refused(tmp_path, document):
    (tmp_path / "refs.json").write_bytes(document)

    with pytest.raises(UnsupportedSource):
        opened(tmp_path / "refs.json")


@pytest.mark.parametrize(
    "key", ["NDVI/5.0.0", "NDVI/0.0", "NDVI/0.0.x", "NDVI/-1.0.0", "NDVI/0.0.0.0", "NDVI/99999999999999999999.0.0"]
)
def test_reference_to_a_chunk_that_the_array_lacks_is_refused(paths, tmp_path, key):
    refs = references_to(paths) | {key: ["2020-01-01.nc", 0, 5]}

    with pytest.raises(UnsupportedSource, match="keys that are not chunks of 5 x 2 x 3"):
        opened(write_json(tmp_path / "refs.json", refs))


# Faults: the date is unreadable, the others are read, and no cell has the fill value.


def cut(path):
    path.write_bytes(path.read_bytes()[:11_400])


def damage(path):
    with path.open("r+b") as file:
        file.seek(11_330)
        file.write(b"\xff" * 2000)


FAULTS = {"gone": Path.unlink, "cut off": cut, "damaged": damage}


@pytest.mark.parametrize("break_file", FAULTS.values(), ids=FAULTS)
def test_date_of_a_broken_file_is_unreadable_and_others_are_read(paths, tmp_path, break_file):
    reader = opened(write_json(tmp_path / "refs.json", references_to(paths)))
    break_file(paths[2])

    with pytest.raises(DateUnreadable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)
    np.testing.assert_array_equal(read_all(reader, [0, 1, 3, 4]), SCENE.cube()[[0, 1, 3, 4]])


def test_file_that_is_replaced_after_it_was_read_is_not_read_at_the_old_places(paths, tmp_path):
    reader = opened(write_json(tmp_path / "refs.json", references_to(paths)), max_bytes=0)
    read_all(reader)
    paths[1].replace(paths[2])

    with pytest.raises(DateUnreadable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)


@pytest.mark.parametrize("size", [100, 10_000_000, 1 << 40])
def test_reference_of_another_size_than_its_chunk_is_an_unreadable_date(paths, tmp_path, size):
    refs = references_to(paths)
    refs["NDVI/2.0.0"][2] = size
    reader = opened(write_json(tmp_path / "refs.json", refs))

    with pytest.raises(DateUnreadable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)


def test_decoded_chunk_larger_than_declared_is_an_unreadable_date(paths, tmp_path):
    refs = references_to(paths)
    refs["NDVI/2.0.0"] = "base64:" + base64.b64encode(zlib.compress(bytes(1 << 24))).decode()
    reader = opened(write_json(tmp_path / "refs.json", refs))

    with pytest.raises(DateUnreadable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)


# Places.


@pytest.mark.parametrize(
    "address", ["s3://bucket/a.nc", "https://example.org/a.nc", "/etc/passwd", "../a.nc", "file:///etc/passwd"]
)
def test_addresses_outside_of_the_folder_of_the_references_are_refused(paths, tmp_path, address):
    (tmp_path / "refs").mkdir()
    refs = references_to(paths, address=lambda path: address if path == paths[0] else path.name)

    with pytest.raises(AddressRefused):
        opened(write_json(tmp_path / "refs" / "refs.json", refs))


def test_link_that_leads_out_of_the_folder_is_refused(paths, tmp_path):
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs" / "inside").symlink_to(tmp_path)

    with pytest.raises(AddressRefused):
        opened(
            write_json(tmp_path / "refs/refs.json", references_to(paths, address=lambda path: f"inside/{path.name}"))
        )


def test_address_that_the_operator_allows_is_read(paths, tmp_path):
    (tmp_path / "refs").mkdir()
    place = write_json(tmp_path / "refs/refs.json", references_to(paths, address=str))

    reader = opened(place, places=AllowedPlaces([str(tmp_path)]))

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())


# States.


def test_files_with_a_checked_state_are_those_of_the_references(paths, tmp_path):
    spec = make_spec("zarr", write_json(tmp_path / "refs.json", references_to(paths)))

    assert kind_of_spec(spec).files(spec) == [str(tmp_path / "refs.json")]


def test_references_that_are_written_again_have_another_revision_once_they_are_opened_again(paths, tmp_path):
    place = write_json(tmp_path / "refs.json", references_to(paths[:4]))
    before = opened(place)
    revision = before.revision("NDVI", 0)
    place.unlink()
    write_json(place, references_to(paths))

    after = opened(place)

    assert before.revision("NDVI", 0) == revision != after.revision("NDVI", 0)
    np.testing.assert_array_equal(read_all(before, range(4)), SCENE.cube()[:4])
    np.testing.assert_array_equal(read_all(after), SCENE.cube())


def test_references_are_not_audited(paths, tmp_path):
    place = write_json(tmp_path / "refs.json", references_to(paths))

    with pytest.raises(UnsupportedSource, match="audit the files behind them"):
        next(kind_of_spec(make_spec("zarr", place)).datasets(place))


# Selections.


def parts(length):
    """Return an index, a range or a list of indexes of a dimension."""
    index = st.integers(0, length - 1)
    ranges = st.tuples(index, st.integers(1, length), st.integers(1, 5)).map(
        lambda each: slice(each[0], min(length, each[0] + each[1]), each[2])
    )
    return st.one_of(index, ranges)


@pytest.fixture(scope="module")
def array(tmp_path_factory):
    folder = tmp_path_factory.mktemp("references")
    store = open_store(str(write_json(folder / "refs.json", references_to(write_files(folder, SCENE)))))
    return store.open_array(store.read_group().arrays["NDVI"], caches=ReaderCaches(1 << 20))


@given(
    times=st.one_of(parts(5), st.lists(st.integers(0, 4), min_size=1, unique=True).map(sorted)),
    rows=parts(30),
    columns=parts(40),
)
@settings(max_examples=60)
def test_any_selection_equals_that_of_the_numbers(array, times, rows, columns):
    picked = SCENE.cube()[times][..., rows, :][..., columns]

    np.testing.assert_array_equal(array.read((times, rows, columns)), picked)


def test_read_of_more_than_one_batch_is_right(paths, tmp_path, monkeypatch):
    monkeypatch.setattr("chronotile.readers.zarr.references.array.BATCH_BYTES", 600)
    reader = opened(write_json(tmp_path / "refs.json", references_to(paths)))

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())


def test_chunks_are_read_once_while_they_are_cached(paths, tmp_path, monkeypatch):
    reader = opened(write_json(tmp_path / "refs.json", references_to(paths)))
    read_all(reader)
    for path in paths:
        path.unlink()

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())


# Parquet.


@pytest.mark.parametrize("record_size", [4, 1000])
def test_references_in_parquet_files_are_read_as_fsspec_reads_them(paths, tmp_path, record_size):
    refs = references_to(paths)
    del refs["NDVI/2.0.1"]
    place = write_parquet(tmp_path / "refs.parquet", refs, record_size)
    expected = SCENE.cube()
    expected[2, :16, 16:32] = 255

    reader = opened(place)

    np.testing.assert_array_equal(read_all(reader), expected)
    np.testing.assert_array_equal(reader.info.variables["NDVI"].times.instants, SCENE.times)
    theirs = LazyReferenceMapper(str(place), engine="pyarrow")
    assert {key: list(theirs[key]) for key in refs if key.startswith("NDVI/") and "/." not in key} == {
        key: each for key, each in refs.items() if key.startswith("NDVI/") and "/." not in key
    }


def test_folder_of_parquet_files_is_found_as_a_source(paths, tmp_path):
    place = write_parquet(tmp_path / "refs.parquet", references_to(paths))

    assert kind_of_path(place).name == "zarr"
    assert str(place / ".zmetadata") in kind_of_spec(make_spec("zarr", place)).files(make_spec("zarr", place))


def test_damaged_file_of_references_is_an_unreadable_date_of_its_chunks_alone(paths, tmp_path):
    place = write_parquet(tmp_path / "refs.parquet", references_to(paths), 6)
    (place / "NDVI" / "refs.2.parq").write_bytes(b"PAR1 no PAR1")
    reader = opened(place)

    with pytest.raises(DateUnreadable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)
    np.testing.assert_array_equal(read_all(reader, [0, 1, 3, 4]), SCENE.cube()[[0, 1, 3, 4]])


def test_references_in_parquet_files_to_places_that_are_not_allowed_are_not_followed(paths, tmp_path):
    refs = references_to(paths, address=lambda path: "/etc/passwd" if path == paths[2] else path.name)
    reader = opened(write_parquet(tmp_path / "refs.parquet", refs))

    with pytest.raises(DateUnreadable):
        reader.read_window("NDVI", index=2, level=0, window=ALL)
    np.testing.assert_array_equal(read_all(reader, [0, 1, 3, 4]), SCENE.cube()[[0, 1, 3, 4]])


@pytest.mark.parametrize("size", [0, -1, "5", None, 10**9])
def test_folder_with_another_number_of_references_a_file_is_refused(paths, tmp_path, size):
    place = write_parquet(tmp_path / "refs.parquet", references_to(paths))
    document = json.loads((place / ".zmetadata").read_text())
    (place / ".zmetadata").write_text(json.dumps(document | {"record_size": size}))

    with pytest.raises(UnsupportedSource, match="are accepted"):
        opened(place)
