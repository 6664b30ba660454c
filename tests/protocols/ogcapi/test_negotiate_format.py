"""Format of an answer by `f` or by the client's preference."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import InvalidParameter, NotAcceptable
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format

OFFERED = {
    "GTiff": "image/tiff; application=geotiff",
    "json": "application/prs.coverage+json",
    "old": "application/vnd.ogc.sld+xml;version=1.0",
    "new": "application/vnd.ogc.sld+xml;version=1.1",
}
ALIASES = {"geotiff": "GTiff", "application/json": "json", "application/vnd.cov+json": "json"}
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def format_of(f: str | None = None, accept: str = "") -> str:
    return negotiate_format(Kvp([] if f is None else [("f", f)]), accept, OFFERED, aliases=ALIASES)


@pytest.mark.parametrize(
    ("f", "name"),
    [
        *(("GTiff", "GTiff"), ("gtiff", "GTiff"), ("GeoTIFF", "GTiff"), ("JSON", "json")),
        *(("application/prs.coverage+json", "json"), ("application/prs.coverage json", "json"), ("", "GTiff")),
    ],
)
def test_f_names_a_format_in_any_case(f, name):
    assert format_of(f) == name


def test_f_goes_before_the_header():
    assert format_of("json", "image/tiff") == "json"


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", "GTiff"),
        ("*/*", "GTiff"),
        (FIREFOX, "GTiff"),
        ("image/tiff", "GTiff"),
        ("image/tiff;application=geotiff;profile=cloud-optimized", "GTiff"),
        ("application/prs.coverage+json", "json"),
        ("application/json;charset=utf-8", "json"),
        ("APPLICATION/VND.COV+JSON;Q=0.5", "json"),
        ("application/*", "json"),
        ("*/*, application/json", "json"),
        ("image/tiff;q=0.2, application/json;q=0.9", "json"),
        ("image/tiff;q=0, */*;q=0.1", "json"),
        ("application/vnd.ogc.sld+xml", "old"),
        ('application/vnd.ogc.sld+xml; version="1.1"', "new"),
        ("application/vnd.ogc.sld+xml;q=0.5, application/vnd.ogc.sld+xml;version=1.1;q=0.9", "new"),
    ],
)
def test_header_names_a_format(accept, name):
    assert format_of(accept=accept) == name


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "image/tiff;application=other", ";;,,q=1"])
def test_nothing_acceptable_is_refused_with_the_offered_formats(accept):
    with pytest.raises(NotAcceptable, match="geotiff"):
        format_of(accept=accept)


def test_unknown_f_is_refused_naming_the_accepted_ones():
    with pytest.raises(InvalidParameter, match="use GTiff, json, old, new") as refused:
        format_of("xml")

    assert refused.value.locator == "f"


@given(st.text(max_size=60), st.text(alphabet='aimage/tf*;,=q01. "', max_size=60))
def test_any_text_gives_a_format_or_a_refusal(f, accept):
    with suppress(InvalidParameter, NotAcceptable):
        assert format_of(f, accept) in OFFERED
