"""Cached fingerprints of remote files."""

import pytest

from chronotile.readers.remote.files import RemoteStates
from chronotile.readers.remote.requests import ObjectState

MARKED, UNMARKED = ObjectState(1, 8, '"a"'), ObjectState(0, 8, "")


@pytest.mark.parametrize(
    ("source", "is_of_it"),
    [
        ("https://h/ndvi2", True),
        ("https://h/ndvi2/", True),
        ("https://h/ndvi2/.zmetadata", True),
        ("https://h/ndvi{year}/.zmetadata", True),
        ("https://h/{variable}/.zmetadata", True),
        ("https://h/ndvi", False),
        ("https://h/ndvi/", False),
        ("https://h/ndvi/{year}.nc", False),
        ("https://h/ndvi2/.zmeta", False),
    ],
)
def test_file_without_etag_and_time_counts_for_its_own_source_alone(source, is_of_it):
    looks = RemoteStates()
    looks.note("https://h/ndvi/.zmetadata", MARKED)
    looks.note("https://h/ndvi2/.zmetadata", UNMARKED)

    assert looks.has_unmarked(source) == is_of_it
