"""Licences as documents state them."""

import re

import pytest

from chronotile.core.licence import Licence, append_licence, licence_of, rights_of

STAC = re.compile(r"^[\w\-\.\+]+$")
"""Licences accepted by STAC 1.1 (`licensing` of its common metadata)."""


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (None, Licence()),
        (" ", Licence()),
        ("CC-BY-4.0", Licence(spdx="CC-BY-4.0")),
        ("https://a.test/terms", Licence(page="https://a.test/terms")),
        ("CC BY 4.0", Licence(words="CC BY 4.0")),
        ("Frei für alle", Licence(words="Frei für alle")),
        ("frei(er)", Licence(words="frei(er)")),
        ("proprietary", Licence(words="proprietary")),
        ("https://a.test/a b", Licence(words="https://a.test/a b")),
    ],
)
def test_a_licence_is_an_identifier_an_address_or_words(text, licence):
    found = licence_of(text)

    assert found == licence
    assert STAC.fullmatch(found.stac)


def test_words_are_in_the_description_and_in_the_rights():
    words, page = licence_of("CC BY 4.0"), licence_of("https://a.test/terms")

    assert append_licence("Of leaves", words) == "Of leaves\n\nLicence: CC BY 4.0"
    assert append_licence("Of leaves", page) == "Of leaves"
    assert rights_of(words, "A maker") == {"rights": "A maker; CC BY 4.0"}
    assert rights_of(page, None) == {"license": "other"}
