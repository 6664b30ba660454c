"""Places of files, as each library spells them."""

import pytest

from chronotile.readers.hrefs import base_name, gdal_path, kvstore, local_path, shown_href


@pytest.mark.parametrize(
    ("href", "gdal", "store"),
    [
        ("/data/a.zarr", "/data/a.zarr", {"driver": "file", "path": "/data/a.zarr"}),
        ("file:///data/a%20b.tif", "/data/a b.tif", {"driver": "file", "path": "/data/a b.tif"}),
        ("s3://bucket/a/b.tif", "/vsis3/bucket/a/b.tif", {"driver": "s3", "bucket": "bucket", "path": "a/b.tif"}),
        ("gs://bucket/b.tif", "/vsigs/bucket/b.tif", {"driver": "gcs", "bucket": "bucket", "path": "b.tif"}),
        (
            "https://example.org/a.zarr",
            "/vsicurl/https://example.org/a.zarr",
            {"driver": "http", "base_url": "https://example.org/a.zarr/"},
        ),
        (
            "https://example.org/a.zarr.zip",
            "/vsicurl/https://example.org/a.zarr.zip",
            {"driver": "zip", "base": {"driver": "http", "base_url": "https://example.org/a.zarr.zip"}},
        ),
    ],
)
def test_place_is_spelled_for_each_library(href, gdal, store):
    assert (gdal_path(href), kvstore(href)) == (gdal, store)


@pytest.mark.parametrize("href", ["s3://bucket/a", "https://example.org/a", "gs://bucket/a"])
def test_place_elsewhere_has_no_path(href):
    assert local_path(href) is None


@pytest.mark.parametrize("href", ["/data/a.zarr/", "/data/a.zarr", "s3://bucket/a.zarr"])
def test_base_name_is_the_last_part(href):
    assert base_name(href) == "a.zarr"


@pytest.mark.parametrize(
    ("href", "shown"),
    [
        ("/data/NDVI_*.tif", "/data/NDVI_*.tif"),
        ("file:///data/a%20b.tif", "/data/a b.tif"),
        ("s3://bucket/a/b.zarr", "s3://bucket/a/b.zarr"),
        ("https://user:secret@example.org:8443/a.tif?sig=secret#x", "https://example.org:8443/a.tif"),
    ],
)
def test_place_is_shown_without_secrets(href, shown):
    assert shown_href(href) == shown
