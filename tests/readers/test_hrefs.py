"""Places of files, as each library spells them."""

import pytest

from chronotile.readers.hrefs import base_name, is_pattern_elsewhere, kvstore, local_path, names_among, shown_href
from chronotile.readers.library_errors import one_line


@pytest.mark.parametrize(
    ("href", "store"),
    [
        ("/data/a.zarr", {"driver": "file", "path": "/data/a.zarr"}),
        ("file:///data/a%20b.zarr", {"driver": "file", "path": "/data/a b.zarr"}),
        ("https://example.org/a.zarr", {"driver": "http", "base_url": "https://example.org/a.zarr/"}),
        (
            "https://example.org/a.zarr.zip",
            {"driver": "zip", "base": {"driver": "http", "base_url": "https://example.org/a.zarr.zip"}},
        ),
    ],
)
def test_place_is_spelled_for_tensorstore(href, store):
    assert kvstore(href) == store


@pytest.mark.parametrize("href", ["s3://bucket/a", "https://example.org/a"])
def test_place_elsewhere_has_no_path(href):
    assert local_path(href) is None


@pytest.mark.parametrize(
    "href", ["/data/a.zarr/", "/data/a.zarr", "s3://bucket/a.zarr", "https://example.org/a.zarr?signature=5/7"]
)
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
def test_path_is_shown_without_secrets(href, shown):
    assert shown_href(href) == shown


def test_names_are_without_signatures():
    assert names_among(["https://me:secret@a.example/x/1.tif?s=5/7", "https://me:secret@a.example/x/2.tif?s=5/8"]) == [
        "1.tif",
        "2.tif",
    ]


@pytest.mark.parametrize(
    ("href", "is_pattern"),
    [
        ("https://example.org/a.tif?signature=a*b[5]", False),
        ("http://[::1]:8000/a.tif", False),
        ("https://example.org/a_*.tif", True),
        ("https://example.org/[ab].tif?key=1", True),
        ("s3://bucket/a_?.tif", True),
        ("s3://bucket/a.tif", False),
    ],
)
def test_a_query_is_no_pattern(href, is_pattern):
    assert is_pattern_elsewhere(href) == is_pattern


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'Error opening "https://me:se@cret@a.example:80/x.zarr?s=5/7": 403',
            'Error opening "https://a.example:80/x.zarr": 403',
        ),
        ("GET http://a.example/x?y=z failed, was it there?", "GET http://a.example/x failed, was it there?"),
        ("mail me@a.example?", "mail me@a.example?"),
        ("'/vsichronotile/1f/.zmetadata' not recognized", "'.zmetadata' not recognized"),
    ],
)
def test_lines_of_libraries_are_without_passwords_and_signatures(said, told):
    assert one_line(OSError(said)) == told
