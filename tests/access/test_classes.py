"""Request classes of quotas: every operation that searches or writes files has one, in all spellings."""

import random

import pytest

from chronotile.access.classes import kind_of
from chronotile.catalog.service_info import ServiceInfo
from chronotile.protocols.common.query.kvp import Kvp

ITEMS = "/ogcapi/collections/fields/items"


def class_of(url: str, method: str = "GET", accept: str = "") -> str:
    path, _mark, query = url.partition("?")
    headers = [(b"accept", accept.encode())]
    scope = {"method": method, "query_string": query.encode(), "headers": headers}
    return kind_of(path, scope, ServiceInfo()).class_


@pytest.mark.parametrize("seed", range(20))
def test_value_in_any_spelling_is_of_class_series(seed: int) -> None:
    draw = random.Random(seed)
    letters = [draw.choice([each, each.upper(), f"%{ord(each):02x}", f"%{ord(each.upper()):02X}"]) for each in "value"]
    name = "".join(letters)
    assert class_of(f"{ITEMS}?limit=2&{name}=NDVI") == "series"


def test_f_is_read_as_the_handler_reads_it() -> None:
    assert Kvp([("F", "GPKG")]).optional("f") == "GPKG"
    assert class_of(f"{ITEMS}?F=GPKG") == "downloads"
    assert class_of(f"{ITEMS}?%46=fgb") == "downloads"
    assert class_of(f"{ITEMS}?f=GeoJSON", accept="application/flatgeobuf") == "searches"


@pytest.mark.parametrize(
    ("accept", "class_"),
    [
        ("", "searches"),
        ("*/*", "searches"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "searches"),
        ("application/geo+json", "searches"),
        ("application/flatgeobuf", "downloads"),
        ("Application/GeoPackage+SQLite3", "downloads"),
        ("application/*;q=0.9, application/geo+json;q=0", "downloads"),
        ("application/geo+json;q=0.1, */*", "downloads"),
    ],
)
def test_features_by_accept_are_a_page_or_a_file(accept: str, class_: str) -> None:
    assert class_of(ITEMS, accept=accept) == class_


@pytest.mark.parametrize(
    ("url", "method", "class_"),
    [
        ("/stac/search", "GET", "searches"),
        ("/stac/search", "POST", "searches"),
        ("/stac/aggregate", "POST", "searches"),
        ("/stac/collections/s2/aggregate", "GET", "searches"),
        ("/stac/collections/s2/items", "GET", "searches"),
        ("/stac/collections/s2/items", "POST", "documents"),
        ("/stac/collections/s2/items/a", "GET", "documents"),
        ("/stac/changes", "GET", "searches"),
        ("/odata/v1/Products", "GET", "searches"),
        ("/odata/v1/Products/$count", "GET", "searches"),
        ("/odata/v1/Products(1)", "GET", "documents"),
        ("/odata/v1/Products(1)/a\nb/$value", "GET", "downloads"),
        ("/opensearch/products", "GET", "searches"),
        ("/products", "GET", "searches"),
        ("/ogcapi/collections/_items/items", "GET", "searches"),
        ("/places/shapes", "POST", "series"),
        ("/ogcapi/processes/export/estimate", "POST", "jobs"),
        ("/ogcapi/processes/export/execution", "POST", "jobs"),
    ],
)
def test_searches_and_estimates_have_a_class(url: str, method: str, class_: str) -> None:
    assert class_of(url, method) == class_
