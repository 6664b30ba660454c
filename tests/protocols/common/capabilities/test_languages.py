"""Negotiation of the language of answers."""

import pytest

from chronotile.protocols.common.capabilities.languages import capabilities_language, inspire_code
from chronotile.protocols.common.query.kvp import Kvp


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "en"),
        ({"LANGUAGE": "nl"}, "nl"),
        ({"language": "dut"}, "nl"),
        ({"LANGUAGE": "NL-be"}, "nl"),
        ({"LANGUAGE": "fre"}, "en"),
        ({"LANGUAGE": "*"}, "en"),
        ({"AcceptLanguages": "fr,nl"}, "nl"),
        ({"AcceptLanguages": "eng"}, "en"),
    ],
)
def test_language_is_the_first_that_is_offered(parameters, expected):
    assert capabilities_language(Kvp(parameters.items()), ("en", "nl")) == expected


@pytest.mark.parametrize(("tag", "code"), [("nl", "dut"), ("de-AT", "ger"), ("tlh", "tlh")])
def test_languages_have_bibliographic_codes(tag, code):
    assert inspire_code(tag) == code
