"""Negotiation: the offered type that a client prefers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.http.negotiation import preferred_language, preferred_type

TYPES = ("application/json", "text/html")
LANGUAGES = ("en", "nl", "pt-BR")
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        (FIREFOX, "text/html"),
        ("text/html", "text/html"),
        ("TEXT/HTML;Q=0.9, application/json;q=0.8", "text/html"),
        ("text/*, application/json;q=0.1", "text/html"),
        ("application/json, text/html", "application/json"),
        ("application/json;q=0, */*", "text/html"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("image/png", "application/json"),
        (";;,,q=1", "application/json"),
    ],
)
def test_media_type_with_the_greatest_weight_is_returned(header, media_type):
    assert preferred_type(header, TYPES) == media_type


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("nl", "nl"),
        ("nl-BE, fr;q=0.9", "nl"),
        ("de, nl;q=0.2, en;q=0.1", "nl"),
        ("PT-br", "pt-BR"),
        ("pt", "en"),
        ("nl;q=0, *", "en"),
        ("*", "en"),
        ("", "en"),
        ("nl" + 20_000 * "-x", "nl"),
    ],
)
def test_language_is_looked_up_by_its_beginning(header, language):
    assert preferred_language(header, LANGUAGES) == language


@given(st.text(alphabet="aenlq=0.1;,*/- ", max_size=60))
def test_any_header_has_an_answer(header):
    assert preferred_type(header, TYPES) in TYPES
    assert preferred_language(header, LANGUAGES) in LANGUAGES
