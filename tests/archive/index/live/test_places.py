"""Places in the pages of an API: as clients give them back, or make them up."""

import orjson
import pytest

from chronotile.archive.index.apis import ApiSearch, Request
from chronotile.archive.index.live.positions import PagePlace, place_of, require_within
from chronotile.core.errors import AddressRefused, InvalidParameter

ROOT = "https://api.test/v1"
API = ApiSearch(href=f"{ROOT}/search", is_post=True, collection="c", filters=None, root=ROOT)
FIRST = Request(href=f"{ROOT}/search", body={"limit": 10, "collections": ["c"]})


@pytest.mark.parametrize(
    "request_",
    [
        Request(href=f"{ROOT}/search", body={"limit": 10, "collections": ["c"], "token": "next:1"}),
        Request(href=f"{ROOT}/search", body={"token": "next:1"}),
        Request(href=f"{ROOT}/search?token=next%3A1&limit=10"),
        Request(href=f"{ROOT}/collections/c/items?token=1"),
    ],
)
def test_cursor_is_restored(request_):
    place = PagePlace(request=request_, skipped=3)
    assert place_of(place.text(FIRST, API), FIRST, API) == place


def test_cursor_contains_neither_the_address_of_the_api_nor_data_of_the_first_page():
    text = PagePlace(request=Request(href=FIRST.href, body={**FIRST.body, "token": "t"})).text(FIRST, API)
    assert orjson.loads(text) == ["/search", {"token": "t", "limit": 10}, False, 0]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[", '["/search", null, true]', '["/search", null, 1, 0]', '["/search", [], true, 0]'),
        *('["/search", null, true, -1]', '["/search", null, true, true]', '["/search", null, true, 100001]'),
        *('["https://other.test/search", null, true, 0]', '["//other.test/search", null, true, 0]'),
        *('["@other.test/search", null, true, 0]', '[".other.test/search", null, true, 0]'),
        *('["/../admin", null, true, 0]', '["/%2e%2e/admin", null, true, 0]', '["/search?a=\\n", null, true, 0]'),
        *('["file:///etc/passwd", null, true, 0]', f'["/{"a" * 7000}", null, true, 0]'),
    ],
)
def test_a_place_that_was_made_up_is_refused(text):
    with pytest.raises(InvalidParameter) as refused:
        place_of(text, FIRST, API)
    assert refused.value.locator == "cursor"


@pytest.mark.parametrize(
    "href",
    [
        *("https://other.test/v1/search", "http://api.test/v1/search", "https://api.test:8443/v1/search"),
        *("https://api.test/v2/search", "https://api.test/v1/../v2/search", "https://api.test/v12/search"),
        *("https://user@api.test/v1/search", "file:///etc/passwd", "/etc/passwd", "s3://bucket/key"),
    ],
)
def test_a_link_out_of_the_api_is_not_followed(href):
    with pytest.raises(AddressRefused, match="leads out of the API"):
        require_within(Request(href=href), API)


def test_a_place_that_is_too_long_is_refused():
    with pytest.raises(AddressRefused, match="too long"):
        PagePlace(request=Request(href=f"{ROOT}/search?token={'a' * 7000}")).text(FIRST, API)
