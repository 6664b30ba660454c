"""STAC items as values of the model: their metadata, and reasons why one cannot be served."""

import json
import math

import numpy as np
import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pystac.extensions.projection import ProjectionExtension

from chronotile.core.errors import InvalidItem
from chronotile.core.model.items import AssetBand
from chronotile.core.model.space.crs import crs_of
from chronotile.readers.stac.fields import MAX_BYTES
from chronotile.readers.stac.items import item_of
from tests.readers.stac.documents import TILE, asset, box, item, polygon

BASE = "https://example.org/s2/item.json"


def only_asset(document, base=BASE):
    """Return the one asset of an item."""
    (found,) = item_of(document, base).assets
    return found


def instant(text):
    """Return an instant."""
    return np.datetime64(text, "ns")


@pytest.fixture(scope="module")
def real_items(shared_data):
    """Return all items of ../shared/data/stac with rasters, by file name, unchanged."""
    documents = {path.name: json.loads(path.read_text()) for path in (shared_data / "stac").rglob("*.json")}
    return {name: each for name, each in documents.items() if each.get("type") == "Feature" and "labels" not in name}


@pytest.mark.data
def test_all_real_items_are_read(real_items):
    assert len(real_items) == 18
    assert all(item_of(document, f"/stac/{name}").assets for name, document in real_items.items())


@pytest.mark.data
def test_the_boxes_of_real_items_hold_their_geometries_and_little_more(real_items):
    for name, document in real_items.items():
        positions = np.array(document["geometry"]["coordinates"][0])[:, :2]
        west, south, east, north = item_of(document, f"/stac/{name}").bbox
        low, high = positions.min(axis=0), positions.max(axis=0)
        wider = [low[0] - west, low[1] - south, east - high[0], north - high[1]]

        assert min(wider) >= 0, name
        assert max(wider) < 0.02 * max(high - low) + 2e-5, name


@pytest.mark.data
def test_times_of_real_items_equal_those_of_pystac(real_items):
    for name, document in real_items.items():
        reference = pystac.Item.from_dict(document)
        time = reference.datetime or reference.common_metadata.start_datetime
        assert item_of(document, f"/stac/{name}").start == instant(time.isoformat().removesuffix("+00:00")), name


@pytest.mark.data
def test_grids_of_real_items_equal_those_of_pystac(real_items):
    for name, document in real_items.items():
        reference = pystac.Item.from_dict(document, migrate=True)
        for found in item_of(document, f"/stac/{name}").assets:
            stated = ProjectionExtension.ext(reference.assets[found.name], add_if_missing=True)
            if found.grid is not None:
                assert [found.grid.height, found.grid.width] == stated.shape, name
                assert list(found.grid.transform)[:6] == pytest.approx(stated.transform[:6]), name
                assert found.grid.crs.name == stated.code, name


def test_item_has_the_values_of_its_document():
    document = item(properties={"updated": "2022-06-02T00:00:00Z"})

    found = item_of(document, BASE)

    assert (found.id, found.properties["eo:cloud_cover"]) == ("S2A_31UFS_20220601_0_L2A", 12.5)
    assert (found.start, found.end) == (instant("2022-06-01T10:50:31.024"), instant("2022-06-01T10:50:31.024000001"))
    assert found.updated == instant("2022-06-02")
    assert json.loads(found.document) == document


def test_the_grid_of_an_asset():
    grid = only_asset(item()).grid

    assert (grid.crs.name, grid.width, grid.height) == ("EPSG:32631", 10980, 10980)
    assert tuple(grid.bbox) == (600000, 5590200, 709800, 5700000)


@pytest.mark.parametrize(
    "crs",
    [
        {"proj:code": "EPSG:32631"},
        {"proj:epsg": 32631},
        {"proj:wkt2": crs_of("EPSG:32631").definition.to_wkt()},
        {"proj:projjson": crs_of("EPSG:32631").definition.to_json_dict()},
        {"proj:code": None, "proj:epsg": 32631},
    ],
    ids=["code", "epsg", "wkt2", "projjson", "code null"],
)
@pytest.mark.parametrize("transform", [TILE["proj:transform"], [*TILE["proj:transform"], 0, 0, 1]], ids=["6", "9"])
@pytest.mark.parametrize("is_of_asset", [True, False], ids=["asset", "item"])
def test_the_spellings_of_a_grid(crs, transform, is_of_asset):
    fields = {"proj:shape": [10980, 10980], "proj:transform": transform, **crs}
    empty = dict.fromkeys(TILE)
    document = item(
        properties={**empty, **({} if is_of_asset else fields)},
        assets={"red": asset(**(fields if is_of_asset else {}))},
    )

    assert only_asset(document).grid == only_asset(item()).grid


def test_a_box_and_a_shape_are_a_grid():
    document = item(
        properties={"proj:transform": None, "proj:shape": None, "proj:bbox": [600000, 5590200, 709800, 5700000]},
        assets={"red": asset(**{"proj:shape": [5490, 5490]})},
    )

    assert list(only_asset(document).grid.transform)[:6] == [20, 0, 600000, 0, -20, 5700000]


CONTRADICTIONS = {
    "shape of the asset, transform of the item": {"proj:shape": [5490, 5490]},
    "transform of the asset, shape of the item": {"proj:transform": [20, 0, 600000, 0, -20, 5700000]},
    "another box": {
        "proj:shape": [5490, 5490],
        "proj:transform": [10, 0, 600000, 0, -10, 5700000],
        "proj:bbox": [600000, 5590200, 709800, 5700000],
    },
    "a quarter of the geometry": {"proj:shape": [5490, 5490], "proj:transform": [10, 0, 600000, 0, -10, 5700000]},
    "elsewhere": {"proj:shape": [10980, 10980], "proj:transform": [10, 0, 300000, 0, -10, 5700000]},
    "another resolution": {"raster:spatial_resolution": 20},
    "another resolution of the band": {"raster:bands": [{"spatial_resolution": 20}]},
    "no square pixels": {"proj:shape": [10980, 5490], "proj:bbox": [600000, 5590200, 709800, 5700000]},
}


@pytest.mark.parametrize("fields", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradicted_grid_is_left_to_the_file(fields):
    assert only_asset(item(assets={"red": asset(**fields)})).grid is None


def test_most_frequent_grid_size_of_the_assets_is_used():
    wrong = {"proj:shape": [10980, 10980], "proj:transform": [20, 0, 600000, 0, -20, 5700000]}
    right = {"proj:shape": [5490, 5490], "proj:transform": [20, 0, 600000, 0, -20, 5700000]}
    document = item(assets={"a": asset(), "b": asset(**right), "c": asset(**wrong), "d": asset(**right)})

    grids = {each.name: each.grid for each in item_of(document, BASE).assets}

    assert [name for name, grid in grids.items() if grid is None] == ["c"]
    assert grids["b"].resolution == 20


def test_bands_of_stac_1_1_inherit_the_fields_of_their_asset():
    document = item(
        assets={
            "red": asset(
                **{"data_type": "uint16", "nodata": 0, "raster:scale": 0.0001, "raster:offset": -0.1},
                bands=[{"name": "B04"}, {"name": "B08", "raster:offset": 0, "unit": "1", "nodata": "nan"}],
            )
        }
    )

    first, second = only_asset(document).bands

    assert first == AssetBand(name="B04", dtype="uint16", scale=0.0001, offset=-0.1, nodata=0)
    assert (second.name, second.offset, second.unit, math.isnan(second.nodata)) == ("B08", 0, "1", True)


def test_an_asset_of_stac_1_1_without_bands_is_one():
    document = item(assets={"red": asset(data_type="uint8", nodata=255)})

    assert only_asset(document).bands == (AssetBand(dtype="uint8", nodata=255),)


def test_raster_bands_of_stac_1_0():
    bands = [{"data_type": "int16", "scale": 0.1, "offset": 2, "nodata": -1, "unit": "K"}, {"scale": 0}]
    document = item(assets={"red": asset(**{"raster:bands": bands, "eo:bands": [{"name": "B10"}]})})

    assert only_asset(document).bands == (
        AssetBand(name="B10", dtype="int16", scale=0.1, offset=2, nodata=-1, unit="K"),
        AssetBand(),
    )


def test_positions_of_bands_before_stac_1_0():
    document = item(properties={"eo:bands": [{"name": "a"}, {"name": "b"}]}, assets={"x": asset(**{"eo:bands": [1]})})

    assert only_asset(document).bands == (AssetBand(name="b"),)


@pytest.mark.parametrize(
    ("properties", "offset"),
    [
        ({}, -0.1),
        ({"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"}, 0),
        ({"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.09"}, -0.1),
        ({"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "02.14"}, 0),
        ({"sentinel:boa_offset_applied": True}, 0),
        ({"s2:processing_baseline": "02.14"}, -0.1),
    ],
)
def test_offset_already_applied_in_the_file_is_ignored(properties, offset):
    bands = [{"scale": 0.0001, "offset": -0.1}]
    document = item(properties=properties, assets={"red": asset(**{"raster:bands": bands})})

    (band,) = only_asset(document).bands

    assert (band.scale, band.offset) == (0.0001, offset)


@pytest.mark.parametrize(
    ("base", "href", "address"),
    [
        ("https://example.org/s2/a/item.json", "./red.tif", "https://example.org/s2/a/red.tif"),
        ("https://example.org/s2/a/item.json", "../b/red.tif?x=1", "https://example.org/s2/b/red.tif?x=1"),
        ("https://example.org/s2/a/item.json", "s3://bucket/red.tif", "s3://bucket/red.tif"),
        ("s3://bucket/s2/a/item.json", "../b/red.tif", "s3://bucket/s2/b/red.tif"),
        ("s3://bucket/item.json", "../../../red.tif", "s3://bucket/red.tif"),
        ("/data/s2/item.json", "red.tif", "/data/s2/red.tif"),
        ("/data/s2/item.json", "../red.tif", "/data/red.tif"),
        ("/data/s2/item.json", "/other/red.tif", "/other/red.tif"),
        ("/data/s2/item.json", "file:///other/a%20red.tif", "/other/a red.tif"),
        ("/data/s2/item.json", "https://example.org/red.tif", "https://example.org/red.tif"),
        ("https://example.org/s2/item.json", "é/red.tif", "https://example.org/s2/%C3%A9/red.tif"),
        ("s3://bucket/s2/item.json", "//other/red.tif", "s3://bucket/other/red.tif"),
        ("file:///data/a%20b/item.json", "./red.tif", "/data/a b/red.tif"),
    ],
)
def test_hrefs_count_from_the_document(base, href, address):
    assert only_asset(item(assets={"red": asset(href)}), base).href == address


def test_alternate_places_of_an_asset_do_not_count():
    found = asset("s3://bucket/red.tif", alternate={"https": {"href": "https://example.org/red.tif"}})

    assert only_asset(item(assets={"red": found})).href == "s3://bucket/red.tif"


def test_thumbnails_and_documents_are_no_rasters():
    assets = {
        "red": asset(),
        "thumbnail": {"href": "a.jpg", "type": "image/jpeg"},
        "small": asset(roles=["thumbnail"]),
        "metadata": {"href": "a.xml", "type": "application/xml"},
        "bare": {"href": "b.TIF"},
        "other": {"href": "c.json"},
        "null": None,
    }

    assert [each.name for each in item_of(item(assets=assets), BASE).assets] == ["red", "bare"]


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        ({"start_datetime": "2022-01-01T00:00:00Z", "end_datetime": "2022-01-11T00:00:00Z"}, "2022-01-01",
         "2022-01-11"),
        ({"start_datetime": "2022-01-01T00:00:00Z", "end_datetime": "2022-01-10T23:59:59Z"}, "2022-01-01",
         "2022-01-11"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("nominal", [None, "2022-01-05T12:00:00Z"], ids=["null", "datetime"])
def test_periods(times, start, end, nominal):
    found = item_of(item(properties={"datetime": nominal, **times}), BASE)

    assert (found.start, found.end) == (instant(start), instant(end))


def test_a_period_without_length_is_an_instant():
    same = "2022-01-01T00:00:00Z"
    found = item_of(item(properties={"datetime": None, "start_datetime": same, "end_datetime": same}), BASE)

    assert (found.start, found.end) == (instant("2022-01-01"), instant("2022-01-01T00:00:00.000000001"))


def test_scene_of_some_seconds_has_its_datetime():
    times = {"start_datetime": "2022-06-01T10:50:20Z", "end_datetime": "2022-06-01T10:50:40Z"}

    assert item_of(item(properties=times), BASE).start == instant("2022-06-01T10:50:31.024")


def test_an_offset_from_utc_is_no_part_of_a_time():
    assert item_of(item(properties={"datetime": "2022-06-01T12:00:00+02:00"}), BASE).start == instant("2022-06-01T10")


WRONG = {
    "it has no id": {"id": None},
    "it has no geometry": {"geometry": None},
    "the geometry must be a polygon, got 'Point'": {"geometry": {"type": "Point", "coordinates": [1, 2]}},
    "the geometry is empty": {"geometry": {"type": "MultiPolygon", "coordinates": []}},
    "a ring of the geometry must be a list of": {"geometry": {"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}},
    "a ring of the geometry has members": {"geometry": {"type": "Polygon", "coordinates": [[[1, 2], "b", [3, 4]]]}},
    "the geometry is not in longitudes and": {"geometry": box(600000, 5590200, 709800, 5700000)},
    "it has neither datetime nor": {"properties": {"datetime": None}},
    "datetime 'yesterday' is not a time": {"properties": {"datetime": "yesterday"}},
    "end_datetime is before start_datetime": {
        "properties": {"datetime": None, "start_datetime": "2022-01-02T00:00:00Z", "end_datetime": "2022-01-01"}
    },
    "proj:code is not known": {"properties": {**TILE, "datetime": "2022-01-01", "proj:code": "EPSG:0"}},
    "proj:shape is not a pair": {"properties": {**TILE, "datetime": "2022-01-01", "proj:shape": [0, 5]}},
    "proj:transform is not an affine": {"properties": {**TILE, "datetime": "2022-01-01", "proj:transform": [0] * 6}},
    "it has no asset that is a raster": {"assets": {}},
    "it has no asset that is a raster that can be read: an href begins with ftp:": {
        "assets": {"a": asset("ftp://b/c")}
    },
    "an href begins with file:": {"assets": {"a": asset("file:///etc/passwd")}},
    "it has 1001 assets": {"assets": {f"a{number}": {} for number in range(1001)}},
}


@pytest.mark.parametrize(("reason", "fields"), WRONG.items(), ids=WRONG)
def test_an_item_that_cannot_be_served(reason, fields):
    with pytest.raises(InvalidItem) as caught:
        item_of({**item(), **fields}, BASE)

    assert reason in caught.value.message


def test_first_reason_of_several_refused_assets_is_given():
    document = item() | {"assets": {"a": asset("ftp://b/c"), "b": asset("file:///etc/passwd"), "c": asset("ftp://b/d")}}
    with pytest.raises(
        InvalidItem,
        match=r"^it has no asset .* that can be read: an href begins with ftp:; accepted are https://, http://, ",
    ):
        item_of(document, BASE)


@pytest.mark.parametrize("levels", [2000, 250])  # 250 can be written, but not within a page of items
def test_a_document_that_is_too_deep_to_be_stored_is_refused(levels):
    deep = []
    for _ in range(levels):
        deep = [deep]

    with pytest.raises(InvalidItem, match="cannot be stored"):
        item_of({**item(), "deep": deep}, BASE)


def test_a_document_that_is_too_large_to_be_stored_is_refused():
    with pytest.raises(InvalidItem, match=f"at most {MAX_BYTES} are accepted"):
        item_of({**item(), "filling": " " * MAX_BYTES}, BASE)


def test_a_geometry_of_many_vertices_is_refused():
    ring = [[x / 100_000, 0] for x in range(100_001)]

    with pytest.raises(InvalidItem, match="at most 100000"):
        item_of({**item(), "geometry": polygon(*ring)}, BASE)


PLACES = [
    ("id",), ("geometry",), ("geometry", "type"), ("geometry", "coordinates"), ("geometry", "coordinates", 0),
    ("geometry", "coordinates", 0, 1), ("properties",), ("properties", "datetime"), ("properties", "start_datetime"),
    ("properties", "end_datetime"), ("properties", "updated"), ("properties", "proj:code"),
    ("properties", "proj:epsg"), ("properties", "proj:wkt2"), ("properties", "proj:projjson"),
    ("properties", "proj:shape"), ("properties", "proj:transform"), ("properties", "proj:bbox"),
    ("properties", "eo:bands"), ("properties", "s2:processing_baseline"),
    ("properties", "earthsearch:boa_offset_applied"), ("assets",), ("assets", "red"), ("assets", "red", "href"),
    ("assets", "red", "type"), ("assets", "red", "roles"), ("assets", "red", "bands"), ("assets", "red", "nodata"),
    ("assets", "red", "raster:bands"), ("assets", "red", "eo:bands"), ("assets", "red", "proj:transform"),
]  # fmt: skip

numbers = st.integers() | st.floats() | st.sampled_from([10**400, -1e308, 1e-320, 180.0, -180.0])
words = st.text(max_size=20) | st.sampled_from(
    ["EPSG:4326", "2022-01-01T00:00:00Z", "Polygon", "GeometryCollection", "nan", "http://[", "s3://", "//", "+proj=a"]
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


def replaced(document, path, value):
    """A document with another value in one place, if that place is still there."""
    *above, last = path
    for step in above:
        document = document[step] if isinstance(document, dict | list) and _has(document, step) else {}
    if isinstance(document, dict) or (isinstance(document, list) and _has(document, last)):
        document[last] = value


def _has(document, step):
    if isinstance(document, dict):
        return step in document
    return isinstance(step, int) and step < len(document)


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from(PLACES), json_values), min_size=1, max_size=4), st.sampled_from([BASE, "/a/b"])
)
def test_an_odd_document_is_an_item_or_is_refused(changes, base):
    document = item(assets={"red": asset(bands=[{"name": "B04"}], **{"raster:bands": [{"scale": 2}]})})
    for path, value in changes:
        replaced(document, path, value)

    try:
        found = item_of(document, base)
    except InvalidItem:
        pass
    else:
        assert all(math.isfinite(edge) for edge in found.bbox)
        assert found.start < found.end


@pytest.mark.parametrize(
    ("href", "media_type", "base", "is_read"),
    [
        ("./a.nc", None, BASE, False),
        ("./a.nc", "application/x-netcdf", BASE, False),
        ("./a.nc", None, "/stac/item.json", True),
        ("file:///stac/a.nc", "application/netcdf; version=4", "/stac/item.json", True),
        ("file:///stac/a.nc", None, "/stac/item.json", True),
        ("./a.hdf", "application/x-hdf", "/stac/item.json", False),
    ],
)
def test_netcdf_is_read_from_this_machine(href, media_type, base, is_read):
    written = {"href": href} | ({} if media_type is None else {"type": media_type})
    document = item(assets={"data": written})

    if is_read:
        assert only_asset(document, base).href == "/stac/a.nc"
    else:
        with pytest.raises(InvalidItem, match="no asset that is a raster"):
            item_of(document, base)
