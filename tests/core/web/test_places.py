"""Places that the operator allows, and addresses that clients name."""

import pytest

from chronotile.core.errors import ConfigurationError, InvalidParameter
from chronotile.core.web.places import AllowedPlaces, web_places


@pytest.mark.parametrize("address", ["/etc/passwd", "file:///etc/passwd", "a.xml", "s3://bucket/a.xml", "ftp://h/a"])
def test_places_of_the_web_have_no_files_and_no_buckets(address):
    places = web_places(["https://example.org/"], setting="CHRONOTILE_SLD_PREFIXES")

    with pytest.raises(InvalidParameter, match="is not a plain URL") as caught:
        places.require_allowed(address, locator="SLD")
    assert caught.value.locator == "SLD"


@pytest.mark.parametrize("prefix", ["/data", "s3://bucket/", "file:///data"])
def test_prefixes_of_the_web_are_urls_of_the_web(prefix):
    with pytest.raises(ConfigurationError, match="accepted are https:// and http:// URLs"):
        web_places([prefix], setting="CHRONOTILE_SLD_PREFIXES")


@pytest.mark.parametrize(
    ("address", "opened"),
    [
        ("https://example.org/a/", "https://example.org/a/"),
        ("https://example.org/a", "https://example.org/a"),
        ("https://example.org", "https://example.org/"),
        ("http://[0:0::1]:80/a", "http://[::1]/a"),
        ("s3://1.2.3/a", "s3://1.2.3/a"),
    ],
)
def test_an_address_has_one_spelling(address, opened):
    places = AllowedPlaces(["https://example.org", "http://[::1]/", "s3://1.2.3"])

    assert places.find(address) == opened


def test_an_address_outside_is_refused_by_its_parameter():
    with pytest.raises(InvalidParameter, match="not below a prefix that the operator allows"):
        web_places(["https://example.org/a"]).require_allowed("https://example.org/ab", locator="href")


def test_without_prefixes_there_are_no_places():
    assert not AllowedPlaces()
    assert AllowedPlaces(["/data"])
