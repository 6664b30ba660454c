"""Paths that commands treat as STAC catalogues."""

import pytest

from chronotile.cli.opening import is_catalogue


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("https://stac.example.org/v1", True),
        ("s3://bucket/catalog.json", True),
        ("catalog.json", True),
        ("file:///data/Items.GeoJSON", True),
        ("config/chronotile.yaml", False),
        ("data", False),
        ("file:///data/a.tif", False),
    ],
)
def test_urls_and_json_files_are_catalogues(place, expected):
    assert is_catalogue(place) is expected
