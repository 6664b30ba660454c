"""Tile indexes of GDAL as sources of tiles: which files they list, and that they open no other file."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pyogrio.raw
import pytest
import rasterio
import shapely
from affine import Affine

from chronotile.archive.index.tile_indexes import (
    MAX_BYTES,
    MAX_FILES,
    TileIndexSource,
    is_tile_index,
    locations_of,
    table_of,
)
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from tests.scenes import make_spec
from tests.walk.serving import served

pytestmark = pytest.mark.slow
SIDE, CELL = 40, 20.0
PLACES = {"a": (600_000.0, 5_600_000.0), "b": (600_000.0 + SIDE * CELL / 2, 5_600_000.0)}
"""Corners of two overlapping tiles."""
DRIVERS = {"gpkg": "GPKG", "fgb": "FlatGeobuf"}


def write_tile(path: Path, corner: tuple[float, float], value: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"width": SIDE, "height": SIDE, "count": 1, "dtype": "uint8", "crs": "EPSG:32631", "nodata": 0}
    with rasterio.open(
        path, "w", driver="GTiff", transform=Affine(CELL, 0, corner[0], 0, -CELL, corner[1]), **shape
    ) as file:
        file.write(np.full((1, SIDE, SIDE), value, "uint8"))
    return path


def write_index(path: Path, locations: list[str], column: str = "location") -> Path:
    """Write a tile index with boxes that are wrong on purpose: only the locations count."""
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pa.table({column: locations}), path)
        return path
    boxes = np.array([shapely.to_wkb(shapely.box(0, 0, 1, 1))] * len(locations), dtype=object)
    values = [np.array(locations, dtype=object)]
    crs, driver = "EPSG:32631", DRIVERS[path.suffix[1:]]
    pyogrio.raw.write(path, boxes, values, [column], driver=driver, crs=crs, geometry_type="Polygon")
    return path


def write_xml(path: Path, index: str, column: str = "location") -> Path:
    fields = f"<IndexDataset>{index}</IndexDataset><LocationField>{column}</LocationField>"
    path.write_text(f"<GDALTileIndexDataset>{fields}</GDALTileIndexDataset>")
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with two tiles of a day, and a file outside of it."""
    for value, (name, corner) in enumerate(PLACES.items(), start=1):
        write_tile(tmp_path / "archive" / "tiles" / f"{name}_20200601.tif", corner, value)
    write_tile(tmp_path / "outside" / "c_20200601.tif", PLACES["a"], 9)
    return tmp_path / "archive"


def configure(folder: Path, index: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f'collections:\n  t:\n    source: {{kind: cog, href: "{index}", tiles: true}}\n'
        "    variables:\n      V: {layer: V}\n"
    )
    return path


LOCATIONS = ["tiles/a_20200601.tif", "tiles/b_20200601.tif"]


@pytest.mark.parametrize("end", ["gti.gpkg", "gti.fgb", "gti.parquet", "gti"])
def test_listed_files_are_one_map(folder, tmp_path, end):
    index = write_index(folder / f"index.{'gpkg' if end == 'gti' else end}", LOCATIONS)
    if end == "gti":
        index = write_xml(folder / "index.gti", index.name)

    with served(configure(folder, index.name), tmp_path / "state") as client:
        west, east = (600_000 + CELL * 2.5, 600_000 + SIDE * CELL * 1.5 - CELL * 2.5)
        values = [value_at(client, x, 5_600_000 - CELL * 2.5) for x in (west, east)]

    assert values == [1, 2]


def value_at(client, x: float, y: float) -> float:
    box = f"{x - 5},{y - 5},{x + 5},{y + 5}"
    answer = client.get(
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=V&QUERY_LAYERS=V&STYLES=&CRS=EPSG:32631"
        f"&BBOX={box}&WIDTH=1&HEIGHT=1&I=0&J=0&INFO_FORMAT=application/json&TIME=2020-06-01"
    )
    return answer.json()["features"][0]["properties"]["value"]


def test_locations_outside_of_the_folder_are_refused(folder, tmp_path):
    outside = tmp_path / "outside" / "c_20200601.tif"
    (folder / "tiles" / "link_20200601.tif").symlink_to(outside)
    hostile = [str(outside), "../outside/c_20200601.tif", "tiles/link_20200601.tif", f"/vsizip/{outside}/x_20200601"]
    hostile += ["https://example.org/d_20200601.tif", f"file://{outside}", "vrt://tiles/a_20200601.tif?bands=1"]
    write_index(folder / "index.gti.gpkg", [*hostile, LOCATIONS[1]])

    with served(configure(folder, "index.gti.gpkg"), tmp_path / "state") as client:
        items = client.get("/stac/collections/t/items").json()["features"]

    assert [item["id"] for item in items] == ["tiles--b_20200601"]


def test_other_column_is_named_by_the_xml(folder):
    write_index(folder / "index.gpkg", LOCATIONS, "path")
    write_xml(folder / "index.gti", "index.gpkg", "path")

    assert locations_of(table_of(folder / "index.gti")) == LOCATIONS
    with pytest.raises(UnsupportedSource, match="LocationField"):
        locations_of(table_of(folder / "index.gpkg"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "<GDALTileIndexDataset><IndexDataset>../o/i.gpkg</IndexDataset></GDALTileIndexDataset>",
            "in its folder",
        ),
        ("<GDALTileIndexDataset><IndexDataset>PG:dbname=x</IndexDataset></GDALTileIndexDataset>", "in its folder"),
        ("<VRTDataset/>", "not an XML document"),
        ("<GDALTileIndexDataset>", "not an XML document"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><GDALTileIndexDataset/>', "not an XML document"),
    ],
)
def test_xml_that_names_another_source_is_refused(folder, text, message):
    (folder / "index.gti").write_text(text)

    with pytest.raises(UnsupportedSource, match=message):
        locations_of(table_of(folder / "index.gti"))


@pytest.mark.parametrize("end", ["gpkg", "fgb", "parquet"])
def test_damaged_index_is_refused(folder, end):
    path = write_index(folder / f"index.{end}", LOCATIONS)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])

    with pytest.raises(UnsupportedSource):
        locations_of(table_of(path))


def test_changed_index_and_files_are_noticed(folder):
    index = write_index(folder / "index.gti.parquet", LOCATIONS)
    source = TileIndexSource(make_spec("cog", index, variables={}), lambda address: address, "")
    assert len(source._group_files()) == 2
    source._groups = source._group_files()
    assert not source.has_changed(most_files=10)

    os.utime(folder / LOCATIONS[0], ns=(1, 1))
    assert any(source.has_changed(most_files=10) for _time in range(2))
    write_index(index, LOCATIONS[:1])
    assert source.has_changed(most_files=0)


def source_of(index: Path, **keys) -> TileIndexSource:
    return TileIndexSource(make_spec("cog", index, variables={}, **keys), lambda address: address, "")


def test_remote_location_is_not_a_change(folder):
    source = source_of(write_index(folder / "index.gti.parquet", ["https://example.org/d_20200601.tif", "absent.tif"]))
    source._groups = source._group_files()

    assert not any(source.has_changed(most_files=10) for _time in range(3))


def test_location_with_control_characters_is_refused_alone(folder):
    source = source_of(write_index(folder / "index.gti.parquet", ["tiles/a\0_20200601.tif", LOCATIONS[1]]))

    assert list(source._group_files()) == [r"'tiles/a\x00_20200601.tif'", str(folder / LOCATIONS[1])]


def test_files_of_without_are_skipped(folder):
    left_out = (str(folder / LOCATIONS[0]),)

    groups = source_of(write_index(folder / "index.gti.parquet", LOCATIONS), left_out=left_out)._group_files()

    assert list(groups) == [str(folder / LOCATIONS[1])]


def test_change_of_the_named_index_is_noticed(folder):
    index = write_index(folder / "index.parquet", LOCATIONS)
    source = source_of(write_xml(folder / "index.gti", index.name))
    source._group_files()
    assert not source.has_changed(most_files=0)

    write_index(index, LOCATIONS[:1])

    assert source.has_changed(most_files=0)


@pytest.mark.parametrize("length", [100, 1 << 20])
def test_repeated_texts_in_parquet_are_limited_in_total(folder, length):
    rows = 1000
    table = pa.table({"location": pa.DictionaryArray.from_arrays(pa.array([0] * rows, "int32"), ["x" * length])})
    pyarrow.parquet.write_table(table, folder / "index.parquet", store_schema=False)

    if rows * length <= MAX_BYTES:
        assert len(locations_of(table_of(folder / "index.parquet"))) == rows
    else:
        with pytest.raises(UnsupportedSource, match="more than"):
            locations_of(table_of(folder / "index.parquet"))


@pytest.mark.parametrize("values", [[1, 2], [["a"], ["b"]], [b"\xff", b"\xfe"]])
def test_column_without_texts_is_refused(folder, values):
    column = pa.array(values)
    if column.type == pa.binary():
        column = pa.Array.from_buffers(pa.string(), 2, column.buffers())  # not UTF-8
    pyarrow.parquet.write_table(pa.table({"location": column}), folder / "index.parquet")

    with pytest.raises(UnsupportedSource):
        locations_of(table_of(folder / "index.parquet"))


def test_other_column_of_parquet_is_not_read(folder):
    write_index(folder / "index.parquet", LOCATIONS, "path")

    with pytest.raises(UnsupportedSource, match="no column location"):
        locations_of(table_of(folder / "index.parquet"))


def varint(number: int) -> bytes:
    """Return a number as Thrift's compact protocol writes it."""
    low, rest = number * 2 & 127, number * 2 >> 7
    groups = [low]
    while rest:
        groups.append(rest & 127)
        rest >>= 7
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def write_false_size(path: Path, claimed: int) -> Path:
    """Write a Parquet file of one page whose header claims another unpacked size."""
    table = pa.table({"location": [f"tiles/{number:05d}.tif" for number in range(5000)]})
    pyarrow.parquet.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    content, column = path.read_bytes(), pyarrow.parquet.read_metadata(path).row_group(0).column(0)
    size, packed = column.total_uncompressed_size, column.total_compressed_size
    start = content.index(b"\x15") + 3  # the type of the page is first
    end = content.index(b"\x15", start)
    longer = len(varint(claimed)) - (end - start)
    sizes = [b"\x16" + varint(size) + b"\x16" + varint(number) for number in (packed, packed + longer)]
    assert content.count(sizes[0]) == 1
    footer = content[-8 - int.from_bytes(content[-8:-4], "little") : -8]
    pages = content[4 : -8 - len(footer)]
    pages = pages[: start - 4] + varint(claimed) + pages[end - 4 :]
    footer = footer.replace(*sizes)
    path.write_bytes(b"PAR1" + pages + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path


def test_false_size_of_parquet_takes_no_memory_here(folder):
    index = write_false_size(folder / "index.parquet", 2_000_000_000)
    before = pa.default_memory_pool().max_memory()

    with pytest.raises(UnsupportedSource, match=r"locations in index.parquet .* takes more than 1024 MB of memory"):
        locations_of(table_of(index))

    assert pa.default_memory_pool().max_memory() == before


def test_index_of_too_many_rows_is_refused(folder):
    index = write_index(folder / "index.parquet", ["a.tif"] * (MAX_FILES + 1))

    with pytest.raises(UnsupportedSource, match=r"index.parquet .* at most 200000"):
        locations_of(table_of(index))


def test_missing_index_is_unavailable(folder):
    with pytest.raises(SourceUnavailable):
        locations_of(table_of(folder / "index.parquet"))


def test_patterns_are_no_tile_index():
    assert is_tile_index("a/b.GTI")
    assert not is_tile_index("a/*.tif")
