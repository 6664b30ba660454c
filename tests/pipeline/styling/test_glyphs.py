# ruff: noqa: RUF001 -- letters that look alike are the matter here
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.pipeline.styling.glyphs import OWN_SIGNS, drawable, font_of, text_width

NO_GLYPH = bytes(font_of(12).getmask("\ufffe"))


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("m² m⁻²", "m2 m-2"),
        ("Végétation, één à Île", "Vegetation, een a Ile"),
        ("Łódź – straße", "Lodz - strasse"),
        ("µg m⁻³", "ug m-3"),
        ("21 °C ± 1", "21 °C ± 1"),
        ("≥ 5 ×", ">= 5 x"),
        ("日本", "??"),
        ("a\tb\x00c", "a b c"),
    ],
)
def test_text_is_spelled_in_letters_the_font_has(text, drawn):
    assert drawable(text) == drawn


@given(st.text())
def test_any_text_can_be_drawn(text):
    letters = set(drawable(text)) - {" "}

    assert all(bytes(font_of(12).getmask(letter)) != NO_GLYPH for letter in letters)


@pytest.mark.parametrize("sign", sorted(OWN_SIGNS))
def test_listed_signs_are_in_the_font(sign):
    assert bytes(font_of(12).getmask(sign)) != NO_GLYPH


def test_longer_text_is_wider():
    assert text_width("NDVI", 12) < text_width("NDVI 2", 12) < text_width("NDVI 2", 24)
