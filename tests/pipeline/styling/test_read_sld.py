"""SLD as clients write it, and as nobody should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError, InvalidParameter
from chronotile.core.model.style import Colour, Stop, StyleClass
from chronotile.core.xml_text import MAX_BYTES, MAX_ELEMENTS
from chronotile.pipeline.styling.colours import colours_of_values
from chronotile.pipeline.styling.load import load_styles
from chronotile.pipeline.styling.read_sld import read_sld

RED, GREEN, BLUE, CLEAR = Colour(255, 0, 0), Colour(0, 128, 0), Colour(0, 0, 255), Colour(0, 0, 0, 0)
SLD = """<?xml version="1.0" encoding="UTF-8"?>
<sld:StyledLayerDescriptor xmlns:sld="http://www.opengis.net/sld" version="1.0.0">
  <sld:NamedLayer><sld:Name>NDVI</sld:Name>
    <sld:UserStyle><sld:Name>mine</sld:Name><sld:Title>My colours</sld:Title>
      <sld:FeatureTypeStyle><sld:Rule><sld:RasterSymbolizer>
        <sld:Opacity>OPACITY</sld:Opacity>COLOURMAP
      </sld:RasterSymbolizer></sld:Rule></sld:FeatureTypeStyle>
    </sld:UserStyle>
  </sld:NamedLayer>
</sld:StyledLayerDescriptor>"""
ENTRIES = """
  <sld:ColorMapEntry color="#ff0000" quantity="1" label="one"/>
  <sld:ColorMapEntry color="#008000" quantity="2"/>
  <sld:ColorMapEntry color="#0000ff" quantity="4" opacity="0.5" label="four"/>
"""


def document(colour_map, opacity="1"):
    return SLD.replace("COLOURMAP", colour_map).replace("OPACITY", opacity).encode()


def of_type(kind, entries=ENTRIES):
    return document(f'<sld:ColorMap type="{kind}">{entries}</sld:ColorMap>')


def style(text):
    (layer,) = read_sld(text)
    return layer.styles[0].style


def painted(text, *values):
    return [Colour(*each) for each in colours_of_values(style(text), np.array(values, dtype=float)).tolist()]


def test_a_ramp_is_the_default():
    found = style(document(f"<sld:ColorMap>{ENTRIES}</sld:ColorMap>"))

    assert found.ramp == (Stop(1, RED), Stop(2, GREEN), Stop(4, BLUE._replace(alpha=128)))
    assert (found.below, found.above, found.range) == (RED, BLUE._replace(alpha=128), (1, 4))
    assert (found.title, found.labels) == ("My colours", (1.0, 4.0))


def test_values_are_classes():
    found = style(of_type("values"))

    assert found.classes == (
        StyleClass(1, RED, "one"),
        StyleClass(2, GREEN, "2"),
        StyleClass(4, BLUE._replace(alpha=128), "four"),
    )


def test_an_interval_has_the_colour_of_its_upper_quantity():
    half = BLUE._replace(alpha=128)

    assert painted(of_type("intervals"), 0, 1, 1.5, 2, 3.9, 4, 9) == [RED, GREEN, GREEN, half, half, CLEAR, CLEAR]


def test_the_last_interval_may_have_no_end():
    entries = ENTRIES.replace('quantity="4"', 'quantity="inf"')

    assert painted(of_type("intervals", entries), 0, 1.5, 1000) == [RED, GREEN, BLUE._replace(alpha=128)]


def test_opacity_of_the_symbolizer_fades_all():
    found = style(document(f"<sld:ColorMap>{ENTRIES}</sld:ColorMap>", opacity="0.5"))

    assert [stop.colour.alpha for stop in found.ramp] == [128, 128, 64]


SE = """<StyledLayerDescriptor xmlns="http://www.opengis.net/sld" xmlns:se="http://www.opengis.net/se" version="1.1.0">
  <NamedLayer><se:Name>NDVI</se:Name><UserStyle><se:Name>mine</se:Name>
    <se:Description><se:Title>My colours</se:Title></se:Description>
    <se:CoverageStyle><se:Rule><se:RasterSymbolizer><se:ColorMap>FUNCTION</se:ColorMap></se:RasterSymbolizer>
    </se:Rule></se:CoverageStyle></UserStyle></NamedLayer></StyledLayerDescriptor>"""


def test_se_interpolate():
    points = "".join(
        f"<se:InterpolationPoint><se:Data>{at}</se:Data><se:Value>{colour}</se:Value></se:InterpolationPoint>"
        for at, colour in ((0, "#ff0000"), (10, "#0000ff"))
    )
    function = (
        f'<se:Interpolate fallbackValue="#00ff00" mode="linear"><se:LookupValue>Rasterdata</se:LookupValue>{points}'
    )

    found = style(SE.replace("FUNCTION", f"{function}</se:Interpolate>").encode())

    assert found.ramp == (Stop(0, RED), Stop(10, BLUE))
    assert (found.title, found.nodata) == ("My colours", Colour(0, 255, 0))


def test_se_categorize():
    function = (
        '<se:Categorize fallbackValue="none"><se:LookupValue>Rasterdata</se:LookupValue><se:Value>#ff0000</se:Value>'
        "<se:Threshold>3</se:Threshold><se:Value>#008000</se:Value><se:Threshold>5</se:Threshold>"
        "<se:Value>#0000ff</se:Value></se:Categorize>"
    )

    assert painted(SE.replace("FUNCTION", function).encode(), 2, 3, 4.9, 5, 6) == [RED, GREEN, GREEN, BLUE, BLUE]


def test_named_and_default_styles_are_listed():
    text = SLD.replace("<sld:UserStyle>", "<sld:NamedStyle><sld:Name>greys</sld:Name></sld:NamedStyle><sld:UserStyle>")
    text = text.replace("</sld:Title>", "</sld:Title><sld:IsDefault>1</sld:IsDefault>")
    text = text.replace("COLOURMAP", f"<sld:ColorMap>{ENTRIES}</sld:ColorMap>").replace("OPACITY", "1")

    (layer,) = read_sld(text.encode())

    assert [(each.name, each.is_default, each.style is None) for each in layer.styles] == [
        ("greys", False, True),
        ("mine", True, False),
    ]


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
RAMP = f"<sld:ColorMap>{ENTRIES}</sld:ColorMap>"


NESTED = (
    f"<StyledLayerDescriptor><NamedLayer><UserStyle>{'<RasterSymbolizer>' * 200}{'<a/>' * 50_000}"
    f"{'</RasterSymbolizer>' * 200}</UserStyle></NamedLayer></StyledLayerDescriptor>"
).encode()
"""Each symbolizer holds all others: a minute's work, before there was a bound."""


def styles_of(count):
    styles = "<NamedStyle/>" * count
    return f"<StyledLayerDescriptor><NamedLayer>{styles}</NamedLayer></StyledLayerDescriptor>".encode()


def with_prologue(prologue, title="My colours"):
    head, _, rest = SLD.partition("?>")
    text = f"{head}?>{prologue}{rest}".replace("My colours", title)
    return text.replace("COLOURMAP", RAMP).replace("OPACITY", "1").encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "not well-formed XML"),
        (b"<a", "not well-formed XML"),
        (b"<a/>", "StyledLayerDescriptor"),
        (b"<StyledLayerDescriptor/>", "no NamedLayer"),
        (with_prologue(BOMB, "&b;"), "document type"),
        (with_prologue(OUTSIDE, "&a;"), "document type"),
        (with_prologue('<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd">'), "document type"),
        (document(RAMP) + b" " * MAX_BYTES, "bytes"),
        (
            b"<StyledLayerDescriptor>" + b"<a/>" * MAX_ELEMENTS + b"</StyledLayerDescriptor>",
            f"more than {MAX_ELEMENTS} elements",
        ),
        (NESTED, "elements"),
        (styles_of(257), "257 styles"),
        (b"<StyledLayerDescriptor>" + b"<NamedLayer/>" * 257 + b"</StyledLayerDescriptor>", "257 layers"),
        (document("<sld:ColorMap/>"), "no entries"),
        (document(""), "no RasterSymbolizer with a ColorMap"),
        (of_type("other"), "type other"),
        (document(RAMP.replace("#008000", "grün")), "not a colour"),
        (document(RAMP.replace('quantity="2"', "")), "quantity"),
        (document(RAMP.replace('quantity="2"', 'quantity="nan"')), "not finite"),
        (document(RAMP.replace('quantity="2"', 'quantity="9"')), "ascend"),
        (document(RAMP.replace('opacity="0.5"', 'opacity="7"')), "opacity"),
        (document(RAMP, opacity="-1"), "opacity"),
        (document(RAMP.replace('"1"', '"-1e308"').replace('"4"', '"1e308"')), "too far apart"),
        (of_type("values", ENTRIES.replace('"4"', '"2"')), "two colours"),
        (of_type("ramp", ENTRIES.replace('"4"', '"inf"')), "not finite"),
        (of_type("ramp", ENTRIES * 400), "entries"),
        (SE.replace("FUNCTION", '<se:Interpolate mode="cubic"/>').encode(), "linear"),
        (SE.replace("FUNCTION", '<se:Categorize thresholdsBelongTo="preceding"/>').encode(), "succeeding"),
        (SE.replace("FUNCTION", "<se:Categorize/>").encode(), "threshold"),
    ],
)
def test_unreadable_style_has_a_reason(text, says):
    with pytest.raises(InvalidParameter, match=says) as caught:
        read_sld(text)

    assert "passwd" not in caught.value.message


@given(st.integers(0, 1200), st.integers(0, 1200), st.text(max_size=5))
def test_any_text_gives_a_style_or_an_explained_error(start, length, other):
    text = document(RAMP).decode()

    try:
        found = read_sld((text[:start] + other + text[start + length :]).encode("utf-8", "surrogatepass"))
    except ChronotileError as error:
        found = error

    assert found


def test_a_file_in_the_styles_folder_is_a_style(tmp_path):
    (tmp_path / "mine.sld").write_bytes(document(RAMP))

    styles = load_styles([tmp_path])

    assert (styles["mine"].id, styles["mine"].title, styles["mine"].ramp[0]) == ("mine", "My colours", Stop(1, RED))


def test_yaml_goes_before_sld_of_one_name(tmp_path):
    (tmp_path / "mine.sld").write_bytes(document(RAMP))
    (tmp_path / "mine.yaml").write_text('ramp: {0: "#000000", 1: "#ffffff"}')

    assert load_styles([tmp_path])["mine"].title == "mine"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("mine.sld", b"<a/>", "StyledLayerDescriptor"),
        ("default.sld", document(RAMP), "cannot be the id"),
        ("none.sld", b"<StyledLayerDescriptor><NamedLayer/></StyledLayerDescriptor>", "no UserStyle"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path, name, text, says):
    (tmp_path / name).write_bytes(text)

    with pytest.raises(ChronotileError, match=says):
        load_styles([tmp_path])
