"""Public items: they contain no location of a file, for any content of the original."""

import json

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.items import FoundItem, ItemRef
from chronotile.core.model.space.boxes import BBox
from chronotile.pipeline.search.public_item import public_item

REF = ItemRef(1, "a", np.datetime64("2024-05-01", "ns"), 1, BBox(4, 50, 5, 51))


def found(document):
    return FoundItem(ref=REF, collection="s2", document=orjson.dumps(document))


def item(**members):
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "a",
        "geometry": {"type": "Point", "coordinates": [4, 50]},
        "bbox": [4, 50, 4, 50],
        "properties": {"datetime": "2024-05-01T00:00:00Z"},
        "links": [{"rel": "self", "href": "https://elsewhere.test/a"}],
        "assets": {},
        **members,
    }


def test_descriptive_fields_stay():
    asset = {
        "href": "/data/B04.tif",
        "title": "Red",
        "type": "image/tiff",
        "roles": ["data"],
        "bands": [{"name": "B04", "nodata": 0}],
        "proj:transform": [10, 0, 5e5, 0, -10, 56e5],
        "file:size": 3,
        "file:checksum": "1220",
    }
    extensions = ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"]
    shown = public_item(found(item(assets={"B04": asset}, stac_extensions=extensions, collection="theirs")))

    del asset["href"]
    assert shown == {
        **{name: value for name, value in item().items() if name != "links"},
        "collection": "s2",
        "stac_extensions": extensions,
        "assets": {"B04": asset},
    }


@pytest.mark.parametrize(
    "hidden",
    [
        {"alternate": {"s3": {"href": "https://bucket.test/a"}}},
        {"storage:refs": ["main"]},
        {"auth:refs": ["main"]},
        {"file:local_path": "a/b.tif"},
        {"their:path": "s3://bucket/a.tif"},
        {"their:paths": ["x", "gs://bucket/a.tif"]},
        {"their:nested": {"deep": [{"place": "file:///data/a.tif"}]}},
        {"their:link": {"href": "https://inside.test/a"}},
        {"their:links": [1, {"href": "https://inside.test/a"}]},
        {"their:gdal": "/vsis3/bucket/a.tif"},
        {"s3://bucket/a.tif": "Red"},
        {"their:sizes": {"file:///data/a.tif": 3}},
        {"source": "/mnt/archive/secret/x.tif"},
        {"source": " /mnt/archive/x.tif"},
        {"source": "C:\\archive\\x.tif"},
        {"their:path": "S3://Bucket/a.tif"},
        {"their:path": "read from sftp://host/a.tif"},
        {"their:path": "https://user:secret@host.test/a.tif"},
        {"their:path": "https://host.test/a.tif?X-Amz-Signature=ab&X-Amz-Expires=9"},
        {"their:path": "https://host.test/a.tif?sv=2&sig=ab"},
    ],
)
def test_fields_with_paths_of_files_are_removed(hidden):
    document = item(assets={"B04": {"href": "x", "title": "Red", **hidden}})
    document["properties"] |= hidden

    shown = public_item(found(document))

    assert shown["assets"] == {"B04": {"title": "Red"}}
    assert shown["properties"] == item()["properties"]


@pytest.mark.parametrize(
    ("href", "text"),
    [
        ("/data/été/B04.tif", "made of /data/été/B03.tif"),
        ("/data/B04.tif", "made of /DATA/B04.TIF"),
        ("https://host.test/a/B04.tif?key=1", "see host.test/a/other.txt"),
        ("https://host.test/B04.tif", "made of https://host.test/B04.tif"),
        ("s3://bucket/B04.tif", "in bucket/B03.tif"),
    ],
)
def test_texts_with_the_folder_of_a_file_are_removed(href, text):
    document = item(assets={"B04": {"href": href, "description": text}})
    document["properties"]["their:text"] = text

    shown = public_item(found(document))

    assert shown["assets"] == {"B04": {}}
    assert shown["properties"] == item()["properties"]


@pytest.mark.parametrize(
    ("source", "text", "is_shown"),
    [
        ("/data/s2/catalog.json", "made of /data/s2/other/B03.tif", False),
        ("/data/s2/*/S2_{variable}.tif", "in /DATA/S2/raw", False),
        ("/data/s2.zarr", "in /data/s2.zarr/c/0", False),
        ("/data/s2.zarr", "see https://host.test/data/a", True),
        ("s3://bucket/s2/catalog.json", "in bucket/s2/raw", False),
        ("https://host.test/stac/s2", "see https://host.test/stac/s2/about", True),
        (None, "made of /data/s2/other/B03.tif", True),
    ],
)
def test_texts_with_the_source_of_the_collection_are_removed(source, text, is_shown):
    document = item()
    document["properties"]["their:text"] = text

    assert ("their:text" in public_item(found(document), source)["properties"]) == is_shown


@pytest.mark.parametrize(
    "text",
    [
        *("https://host.test/terms", "a/b", "W / m2 / sr", "/m2", "someone@host.test", "10 km @ nadir"),
        *("see https://host.test/a?b=1 and http://other.test", "sensor s3:a"),
    ],
)
def test_other_texts_stay(text):
    document = item(assets={"B04": {"href": "https://host.test/B04.tif", "s3:mode": "a"}, "rel": {"href": "./a/x.tif"}})
    document["properties"]["their:text"] = text

    shown = public_item(found(document))

    assert shown["properties"]["their:text"] == text
    assert shown["assets"] == {"B04": {"s3:mode": "a"}, "rel": {}}


def test_extensions_of_hidden_fields_are_removed():
    kept = "https://stac-extensions.github.io/eo/v2.0.0/schema.json"
    names = ["storage/v2.0.0", "authentication/v1.1.0", "alternate-assets/v1.2.0"]
    extensions = [f"https://stac-extensions.github.io/{name}/schema.json" for name in names]

    assert public_item(found(item(stac_extensions=[*extensions, kept])))["stac_extensions"] == [kept]


RING = [[4, 50], [5, 50], [5, 51], [4, 50]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        (POLYGON | {"crs": {"type": "link", "properties": {"href": "s3://bucket/a.prj"}}}, POLYGON),
        (
            {"type": "GeometryCollection", "geometries": [POLYGON | {"their:path": "s3://bucket/a"}, "s3://bucket/b"]},
            {"type": "GeometryCollection", "geometries": [POLYGON]},
        ),
        ({"type": "Polygon", "coordinates": [RING, "s3://bucket/a"]}, None),
        ({"type": "s3://bucket/a", "coordinates": [RING]}, None),
        (None, None),
    ],
)
def test_a_geometry_has_no_members_but_its_own(geometry, expected):
    assert public_item(found(item(geometry=geometry)))["geometry"] == expected


def test_assets_named_like_paths_and_other_members_with_paths_are_removed():
    place = "s3://bucket/a.tif"
    document = item(assets={place: {"href": place}}, type=[place], stac_version=place, stac_extensions=[place])

    shown = public_item(found(document))

    assert (shown["assets"], shown["type"], shown["stac_version"], shown["stac_extensions"]) == (
        {},
        "Feature",
        "1.0.0",
        [],
    )


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5), st.just("s3://bucket/secret")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=5) | st.just("s3://bucket/key"), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_bucket_is_never_shown(fields):
    document = item(assets={"B04": {"href": "s3://bucket/secret", **fields}}, **{"their:member": fields})
    document["properties"] |= fields
    document["geometry"] |= fields

    assert "s3://bucket" not in json.dumps(public_item(found(document)))


@pytest.mark.parametrize("document", [{}, {"properties": []}])
def test_invalid_item_is_a_fault_of_the_index(document):
    with pytest.raises(SourceUnavailable, match="item a cannot be read"):
        public_item(found(document))


anything = st.one_of(values, st.lists(values, max_size=7), st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=6))


@given(box=anything, assets=anything, extensions=anything, links=anything)
def test_invalid_member_removes_no_other(box, assets, extensions, links):
    document = item(
        bbox=box, stac_extensions=extensions, links=links, assets={"B04": {"title": "Red"}, "odd": assets, "none": None}
    )

    shown = public_item(found(document))

    assert shown["properties"] == item()["properties"]
    assert shown["assets"]["B04"] == {"title": "Red"}
    assert all(isinstance(each, dict) for each in shown["assets"].values())
    assert all(isinstance(each, str) for each in shown["stac_extensions"])
    assert shown["bbox"] == box or shown["bbox"] == [4, 50, 5, 51]
    assert len(shown["bbox"]) in {4, 6}
    assert all(isinstance(each, int | float) and abs(each) <= 1000 for each in shown["bbox"])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([4, 50, 0, 5, 51, 100], [4, 50, 0, 5, 51, 100]),
        ([179, 50, -179, 51], [179, 50, -179, 51]),
        ([4, 51, 5, 50], [4, 50, 5, 51]),
        ([5e5, 56e5, 6e5, 57e5], [4, 50, 5, 51]),
        (["4", 50, 5, 51], [4, 50, 5, 51]),
        ([4, 50, 5], [4, 50, 5, 51]),
        (None, [4, 50, 5, 51]),
    ],
)
def test_invalid_box_is_replaced_by_that_of_the_footprint(box, expected):
    assert public_item(found(item(bbox=box)))["bbox"] == expected
