"""GetStyles, DescribeLayer, GetLegendGraphic, and maps in colours of the request."""

import io

import numpy as np
import pytest
from lxml import etree
from PIL import Image

from chronotile.core.model.style import Colour, Style, StyleClass
from chronotile.pipeline.styling.read_sld import read_sld
from tests.protocols import served
from tests.protocols.maps.wms.exceptions import fault_of
from tests.protocols.pictures import rgba_of

BLUES = """<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld">
<NamedLayer><Name>NDVI</Name>
<UserStyle><Name>blues</Name><FeatureTypeStyle><Rule><RasterSymbolizer><ColorMap>
<ColorMapEntry color="#000000" quantity="0"/><ColorMapEntry color="#0000fa" quantity="250"/>
</ColorMap></RasterSymbolizer></Rule></FeatureTypeStyle></UserStyle>
<UserStyle><Name>greens</Name><FeatureTypeStyle><Rule><RasterSymbolizer><ColorMap>
<ColorMapEntry color="#000000" quantity="0"/><ColorMapEntry color="#00fa00" quantity="250"/>
</ColorMap></RasterSymbolizer></Rule></FeatureTypeStyle></UserStyle>
</NamedLayer></StyledLayerDescriptor>"""


def ask(client, request, **params):
    return client.get("/wms", params={"REQUEST": request, "VERSION": "1.3.0", **params})


@pytest.mark.parametrize(
    ("params", "version"),
    [
        ({"VERSION": "1.1.1"}, "1.0.0"),
        ({}, "1.1.0"),
        ({"SLDVER": "1.0.0"}, "1.0.0"),
        ({"VERSION": "1.1.1", "SLDVER": "1.1.0"}, "1.1.0"),
    ],
)
def test_styles_of_layers(client, validate_ogc, params, version):
    answer = ask(client, "GetStyles", LAYERS="NDVI,TRUE_COLOUR,S2_NDVI", **params)

    document = etree.fromstring(answer.content)
    assert (answer.headers["Content-Type"], document.get("version")) == ("application/vnd.ogc.sld+xml", version)
    assert validate_ogc(answer.content) == []
    assert [each.findtext("{*}Name") for each in document] == ["NDVI", "TRUE_COLOUR", "S2_NDVI"]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_returned_styles_can_be_sent_back(client, get_map, version):
    (layer,) = read_sld(ask(client, "GetStyles", LAYERS="NDVI", SLDVER=version).content)
    sent = ask(client, "GetStyles", LAYERS="NDVI", SLDVER=version).text

    by_body = get_map(client, SLD_BODY=sent, STYLES="reds", TIME="2020-06-11")

    assert [each.name for each in layer.styles] == ["steps", "reds"]
    assert np.array_equal(rgba_of(by_body.content), rgba_of(get_map(client, STYLES="reds", TIME="2020-06-11").content))


@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_layers_are_described(client, validate_ogc, version):
    answer = ask(client, "DescribeLayer", LAYERS="NDVI,HEIGHT", VERSION=version)

    schema = None if version == "1.1.1" else "sld/1.1.0/DescribeLayer.xsd"
    assert validate_ogc(answer.content, schema) == []
    root = etree.fromstring(answer.content)
    address = root.xpath("//@owsURL | //*[local-name() = 'OnlineResource']/@*[local-name() = 'href']")
    names = root.xpath("//@typeName | //*[local-name() = 'CoverageName']/text()")
    assert names == ["NDVI", "HEIGHT"]
    described = client.get(f"{address[0]}SERVICE=WCS&VERSION=2.0.1&REQUEST=DescribeCoverage&COVERAGEID={names[1]}")
    assert "CoverageDescription " in described.text


@pytest.mark.parametrize("request_name", ["GetStyles", "DescribeLayer"])
@pytest.mark.parametrize(
    ("params", "code", "locator"),
    [
        ({}, "MissingParameterValue", "LAYERS"),
        ({"LAYERS": "NOPE"}, "LayerNotDefined", "LAYERS"),
        ({"LAYERS": "NDVI", "VERSION": "9"}, "InvalidParameterValue", "VERSION"),
    ],
)
def test_invalid_values_are_reported(client, validate_ogc, request_name, params, code, locator):
    answer = ask(client, request_name, **params)

    assert fault_of(answer) == (200, code, locator)
    assert validate_ogc(answer.content) == []


def test_unknown_version_of_sld_is_reported(client):
    assert fault_of(ask(client, "GetStyles", LAYERS="NDVI", SLDVER="2.0")) == (200, "InvalidParameterValue", "SLDVER")


@pytest.mark.parametrize(
    ("style", "band"), [("", 2), ("default", 2), ("blues", 2), ("greens", 1), ("reds", 0)], ids=str
)
def test_map_has_the_colours_of_its_document(client, get_map, style, band):
    numbers = rgba_of(get_map(client, STYLES="steps", TIME="2020-06-11").content)[..., 0]

    picture = rgba_of(get_map(client, SLD_BODY=BLUES, STYLES=style, TIME="2020-06-11").content)

    expected = np.zeros((*numbers.shape, 3), dtype=np.uint8)
    expected[..., band] = numbers
    assert np.array_equal(picture[1:, :, :3], expected[1:])


def test_layers_may_be_those_of_the_document(client, get_map):
    with_name = get_map(client, SLD_BODY=BLUES, TIME="2020-06-11")

    assert get_map(client, SLD_BODY=BLUES, LAYERS=None, TIME="2020-06-11").content == with_name.content


def test_an_alias_is_the_layer_that_the_document_names(client, get_map):
    by_alias = get_map(client, SLD_BODY=BLUES, LAYERS="S2_NDVI", TIME="2020-06-11")

    assert by_alias.content == get_map(client, SLD_BODY=BLUES, TIME="2020-06-11").content


def test_two_documents_are_two_answers(client, get_map):
    first = get_map(client, SLD_BODY=BLUES, TIME="2020-06-11")
    second = get_map(client, SLD_BODY=BLUES.replace("0000fa", "0000fb"), TIME="2020-06-11")

    assert first.headers["ETag"] != second.headers["ETag"]


def test_feature_info_has_the_colour_of_the_document(client, get_map):
    place = {
        "REQUEST": "GetFeatureInfo",
        "QUERY_LAYERS": "NDVI",
        "I": "37",
        "J": "52",
        "INFO_FORMAT": "application/json",
    }

    answer = get_map(client, SLD_BODY=BLUES, TIME="2020-06-11", **place)

    (feature,) = answer.json()["features"]
    assert feature["properties"]["colour"] == f"#0000{feature['properties']['number']:02x}"


@pytest.mark.parametrize(
    ("body", "layers"),
    [
        ("<a", "NDVI"),
        (BLUES.replace("250", "x"), "NDVI"),
        (BLUES, "HEIGHT"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + BLUES.replace("blues", "&b;"), "NDVI"),
        (BLUES.replace("<Name>NDVI", "<Name>TRUE_COLOUR"), "TRUE_COLOUR"),
    ],
    ids=["no XML", "no number", "another layer", "document type", "composite"],
)
def test_unusable_document_is_reported(client, get_map, validate_ogc, body, layers):
    answer = get_map(client, SLD_BODY=body, LAYERS=layers)

    assert fault_of(answer) == (200, "InvalidParameterValue", "SLD_BODY")
    assert validate_ogc(answer.content) == []


def legend(client, **params):
    return ask(client, "GetLegendGraphic", LAYER="NDVI", **params)


def picture(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content)).convert("RGB")


def test_legend_is_the_advertised_one(client):
    assert legend(client, STYLE="reds").content == client.get("/tiles/NDVI/legend.png?style=reds").content


@pytest.mark.parametrize("media_type", ["image/png", "image/svg+xml", "application/json"])
def test_every_format_of_a_legend_is_returned(client, media_type):
    answer = legend(client, FORMAT=media_type)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)


@pytest.mark.parametrize("layout", ["vertical", "horizontal"])
@pytest.mark.parametrize("size", [(300, 200), (60, 400), (64, 64), (64, 1), (1, 400)])
def test_legend_has_the_requested_size(client, layout, size):
    options = {"WIDTH": str(size[0]), "HEIGHT": str(size[1]), "LEGEND_OPTIONS": f"fontSize:9;layout:{layout}"}

    drawn = etree.fromstring(legend(client, FORMAT="image/svg+xml", **options).content)

    assert picture(legend(client, **options)).size == size
    assert (drawn.get("width"), drawn.get("height")) == tuple(map(str, size))


@pytest.fixture
def classed(make_client):
    """A client of a layer with classes, and of a ramp."""
    each = tuple(StyleClass(value, Colour(0, 0, 40 * value), f"class {value}") for value in range(1, 6))
    style = Style(id="c", title="Classes", range=(1, 5), classes=each)
    return make_client(served.make_services(served.make_collection(served.make_layer(styles=(style, served.REDS)))))


def drawn_as_svg(client, **params):
    return etree.fromstring(legend(client, FORMAT="image/svg+xml", **params).content)


def sizes_of(svg, *, fill=""):
    """Return widths and heights of the colours in an SVG legend."""
    boxes = [each for each in svg.iter("{*}rect") if each.get("fill").startswith(fill) and each.get("stroke")]
    return {(int(each.get("width")), int(each.get("height"))) for each in boxes}


@pytest.mark.parametrize("layout", ["vertical", "horizontal"])
@pytest.mark.parametrize(
    ("asked", "swatch"),
    [
        ({"WIDTH": "20", "HEIGHT": "20"}, (20, 20)),
        ({"WIDTH": "63", "HEIGHT": "9"}, (63, 9)),
        ({"WIDTH": "1", "HEIGHT": "1"}, (1, 1)),
        ({"WIDTH": "20"}, (20, 12)),
        ({"HEIGHT": "20"}, (12, 20)),
        ({}, (12, 12)),
    ],
    ids=str,
)
def test_size_too_small_for_a_legend_is_that_of_a_swatch(classed, layout, asked, swatch):
    """GeoServer's clients request 20 x 20, the size of one colour there."""
    options = {"LEGEND_OPTIONS": f"layout:{layout}", **asked}

    svg, shown = drawn_as_svg(classed, **options), picture(legend(classed, **options))

    assert shown.size == (int(svg.get("width")), int(svg.get("height")))
    assert [text.text for text in svg.iter("{*}text")][-5:] == [f"class {value}" for value in range(1, 6)]
    assert sizes_of(svg, fill="#0000") == ({swatch} if min(swatch) > 1 else set())
    blue = (np.asarray(shown) == (0, 0, 200)).all(axis=2)
    assert blue.sum() == max(0, swatch[0] - 2) * max(0, swatch[1] - 2)


@pytest.mark.parametrize(("layout", "bar"), [("vertical", (30, 160)), ("horizontal", (160, 20))])
def test_a_bar_is_as_thick_as_a_swatch(classed, layout, bar):
    svg = drawn_as_svg(classed, STYLE="reds", WIDTH="30", HEIGHT="20", LEGEND_OPTIONS=f"layout:{layout}")

    assert sizes_of(svg, fill="url") == {bar}


def test_labels_of_high_swatches_stand_apart(classed):
    svg = drawn_as_svg(classed, WIDTH="20", HEIGHT="40")

    middles = [int(text.get("y")) for text in svg.iter("{*}text")][-5:]
    assert set(np.diff(middles)) == {44}


@pytest.mark.parametrize("style", ["c", "reds"])
@pytest.mark.parametrize(("dpi", "scale"), [("91", 1), ("181.43", 2), ("300", 3.307), ("45.36", 0.5)])
def test_dots_per_inch_scale_the_whole_legend(classed, style, dpi, scale):
    own, larger = (
        drawn_as_svg(classed, STYLE=style, LEGEND_OPTIONS=options) for options in ("", f"antialias:on;DPI:{dpi}")
    )
    shown = picture(legend(classed, STYLE=style, LEGEND_OPTIONS=f"dpi:{dpi}"))

    assert shown.size == (int(larger.get("width")), int(larger.get("height")))
    assert shown.height == pytest.approx(int(own.get("height")) * scale, abs=2)
    assert shown.width == pytest.approx(int(own.get("width")) * scale, rel=0.15)
    for before, after in zip(own.iter("{*}text"), larger.iter("{*}text"), strict=True):
        assert int(after.get("y")) == pytest.approx(int(before.get("y")) * scale, abs=2)
        assert int(after.get("font-size")) == pytest.approx(int(before.get("font-size")) * scale, abs=0.6)


@pytest.mark.parametrize("layout", ["vertical", "horizontal"])
def test_legend_with_an_explicit_size_has_it_at_any_resolution(classed, layout):
    options = {"WIDTH": "400", "HEIGHT": "500", "LEGEND_OPTIONS": f"dpi:180;layout:{layout}"}

    assert picture(legend(classed, STYLE="reds", **options)).size == (400, 500)


@pytest.mark.parametrize(("font_size", "title_size"), [("9", "10"), ("20", "21"), ("12", "13")])
def test_letters_have_the_requested_size(classed, font_size, title_size):
    svg = drawn_as_svg(classed, LEGEND_OPTIONS=f"fontName:Serif;fontSize:{font_size}")

    sizes = [text.get("font-size") for text in svg.iter("{*}text")]
    assert (sizes[0], set(sizes[-5:])) == (title_size, {font_size})


def test_a_legend_larger_than_memory_allows_is_refused(make_client):
    each = tuple(StyleClass(value, Colour(0, 0, 200), f"class {value} with a long name") for value in range(250))
    style = Style(id="c", title="Classes", range=(0, 250), classes=each)
    client = make_client(served.make_services(served.make_collection(served.make_layer(styles=(style,)))))

    refused = legend(client, LEGEND_OPTIONS="dpi:600")

    assert fault_of(refused)[2] == "LEGEND_OPTIONS"
    assert "4194304" in refused.text
    assert picture(legend(client)).height > 4000
    assert drawn_as_svg(client, LEGEND_OPTIONS="dpi:600") is not None


def test_horizontal_legend_goes_from_left_to_right(client):
    pixels = np.asarray(picture(legend(client, STYLE="reds", LEGEND_OPTIONS="layout:horizontal", WIDTH="300")))

    reds = (pixels[..., 0] > pixels[..., 1]) & (pixels[..., 1] == 0)
    row = pixels[np.argmax(reds.sum(axis=1))]
    bar = row[reds[np.argmax(reds.sum(axis=1))]][:, 0].astype(int)
    assert len(bar) > 200
    assert (np.diff(bar) >= 0).all()


def test_a_horizontal_legend_has_its_classes_side_by_side(make_client):
    each = tuple(StyleClass(value, Colour(0, 0, 40 * value), f"class {value}") for value in range(1, 6))
    style = Style(id="c", title="Classes", range=(1, 5), classes=each)
    client = make_client(served.make_services(served.make_collection(served.make_layer(styles=(style,)))))

    across, upright = picture(legend(client, LEGEND_OPTIONS="layout:horizontal")), picture(legend(client))

    assert across.width > upright.width
    assert across.height < upright.height


def test_requested_range_is_shown(client):
    assert legend(client, FORMAT="application/json", COLORSCALERANGE="10,20").json()["range"] == [10, 20]


def test_legend_has_the_colours_of_its_document(client):
    told = legend(client, FORMAT="application/json", SLD_BODY=BLUES, STYLE="greens").json()

    assert told["stops"][-1] == {"value": 250.0, "color": "#00fa00"}


def test_a_scale_changes_nothing(client):
    assert legend(client, SCALE="5000").content == legend(client).content


@pytest.mark.parametrize(
    ("params", "code", "locator"),
    [
        ({"LAYER": "NOPE"}, "LayerNotDefined", "LAYERS"),
        ({"LAYER": ""}, "MissingParameterValue", "LAYER"),
        ({"STYLE": "nope"}, "StyleNotDefined", "STYLES"),
        ({"FORMAT": "image/bmp"}, "InvalidFormat", "FORMAT"),
        ({"WIDTH": "0"}, "InvalidParameterValue", "WIDTH"),
        ({"HEIGHT": "5000"}, "InvalidParameterValue", "HEIGHT"),
        ({"SCALE": "x"}, "InvalidParameterValue", "SCALE"),
        ({"LEGEND_OPTIONS": "layout:round"}, "InvalidParameterValue", "LEGEND_OPTIONS"),
        ({"LEGEND_OPTIONS": "dpi:high"}, "InvalidParameterValue", "LEGEND_OPTIONS"),
        ({"LEGEND_OPTIONS": "dpi:601"}, "InvalidParameterValue", "LEGEND_OPTIONS"),
        ({"LEGEND_OPTIONS": "dpi:nan"}, "InvalidParameterValue", "LEGEND_OPTIONS"),
        ({"LEGEND_OPTIONS": "fontSize:5"}, "InvalidParameterValue", "LEGEND_OPTIONS"),
    ],
    ids=str,
)
def test_invalid_values_of_a_legend_are_reported(client, params, code, locator):
    assert fault_of(ask(client, "GetLegendGraphic", **{"LAYER": "NDVI", **params})) == (200, code, locator)


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_capabilities_describe_the_operations(client, validate_ogc, version):
    answer = client.get(f"/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION={version}")

    request = etree.fromstring(answer.content).find(".//{*}Request")
    names = {etree.QName(each).localname for each in request}
    assert {"GetFeatureInfo", "GetLegendGraphic", "DescribeLayer"} <= names
    assert validate_ogc(answer.content) == []
