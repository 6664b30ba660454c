"""Ranges of answers in memory; `ogcapi/coverages/test_coverage.py` tests ranges of files."""

import pytest

from tests.places import make_places
from tests.protocols import served

IDENTITY = {"Accept-Encoding": "identity"}
PART = {"Range": "bytes=2-40"}
TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343"
IN_PARTS = [
    *(f"{TILE}.tif?datetime=2020-06-11", f"{TILE}.npy?datetime=2020-06-11", "/places/squares"),
    *("/places/squares?format=geojson", "/places/squares/values?layer=NDVI"),
    *("/places/squares/values?layer=NDVI&format=csv", "/places/squares/tiles/WebMercatorQuad/9/262/171.mvt"),
]


@pytest.fixture
def client(make_client):
    return make_client(served.make_services(places=[make_places()]))


@pytest.mark.parametrize("url", IN_PARTS)
def test_range_equals_that_part_of_the_whole(client, url):
    told, whole = client.head(url, headers=IDENTITY), client.get(url, headers=IDENTITY)
    part, again = (client.get(url, headers=PART) for _ in range(2))

    size = len(whole.content)
    assert (told.headers["content-length"], told.headers["accept-ranges"]) == (str(size), "bytes")
    assert (part.status_code, part.content) == (206, whole.content[2:41])
    assert part.headers["content-range"] == f"bytes 2-40/{size}"
    assert (part.headers["content-length"], part.headers["etag"]) == ("39", whole.headers["etag"])
    assert told.headers.get("vary") == part.headers.get("vary") == whole.headers.get("vary")
    assert (again.status_code, again.content) == (206, part.content)


@pytest.mark.parametrize("url", IN_PARTS)
def test_range_is_never_returned_for_the_whole(client, url):
    """Possible fault: the next request for a tile gets the cached part of the previous one."""
    first_part = client.get(url, headers=PART)
    whole = client.get(url, headers=IDENTITY)
    other_part = client.get(url, headers={"Range": "bytes=0-0"})
    again = client.get(url, headers=IDENTITY)

    assert [each.status_code for each in (first_part, whole, other_part, again)] == [206, 200, 206, 200]
    assert again.content == whole.content
    assert other_part.content == whole.content[:1]


def test_range_beyond_the_end_is_refused(client):
    answer = client.get(IN_PARTS[0], headers={"Range": "bytes=99999999-"})

    assert answer.status_code == 416
    assert answer.headers["content-range"].startswith("bytes */")


def test_pages_elsewhere_may_read_which_part_they_got(client):
    exposed = client.get(IN_PARTS[0], headers=PART).headers["access-control-expose-headers"].split(", ")

    assert {"Accept-Ranges", "Content-Range", "ETag"} <= set(exposed)


@pytest.mark.parametrize(
    ("asked", "status"),
    [("bytes=-0", 416), ("bytes=99999999999999999999-", 200), ("bytes=0-0,2-3", 200), ("lines=1-2", 200)],
)
def test_ranges_of_no_bytes_do_no_harm(client, asked, status):
    assert client.get(IN_PARTS[0], headers={"Range": asked}).status_code == status
