"""Requirements of OGC's test suite for GetMap, over its own data; `checklist` names its tests."""

import numpy as np
import pytest
import shapefile
from numpy.lib.stride_tricks import sliding_window_view

from chronotile.core.model.collection import TimeRules
from tests.protocols import served
from tests.protocols.maps.wms.cite import LAKE, MAP, WHITE, WMS, drawn, is_blank, named_layers

checklist = pytest.mark.checklist


@checklist("extra-GetMap-param")
def test_unknown_parameters_of_a_map_are_ignored(cite):
    assert np.array_equal(cite.pixels(BoGuS="1"), cite.pixels())


@checklist("escaped-chars")
def test_percent_encoded_names_and_values_are_decoded(cite):
    query = "".join(f"%{ord(letter):02X}" for letter in "LAYERS")
    plain = "&".join(f"{name}={value}" for name, value in MAP.items() if name != "LaYeRs")

    answer = cite.client.get(f"/wms?{plain}&{query}=%4C%61%6B%65%73%2CPonds")

    assert answer.content == cite.get(MAP, LaYeRs="Lakes,Ponds").content


@checklist("escaped-space")
def test_plus_is_a_space(cite):
    plain = "&".join(f"{name}={value}" for name, value in MAP.items() if name != "FoRmAt")

    answer = cite.client.get(f"/wms?{plain}&FoRmAt=image/png;+mode=8bit")

    assert answer.headers["content-type"] == "image/png; mode=8bit"


@checklist("no-version")
def test_map_without_version_is_an_exception(cite):
    assert cite.code(MAP, VeRsIoN=None) == "MissingParameterValue"


@checklist("each-layer", "each-crs", "bbox-direct", "bbox-inherited", "crs-direct", "crs-inherited")
@pytest.mark.parametrize("crs", ["CRS:84", "EPSG:4326", "EPSG:3857"])
def test_every_layer_is_drawn_in_every_crs_over_its_advertised_box(cite, crs):
    layers = named_layers(cite.capabilities())

    assert len(layers) == 14  # 13, and the collection of Blue Lake
    boxes = {layer.findtext(f"{WMS}Name"): layer.find(f"{WMS}BoundingBox[@CRS='{crs}']").attrib for layer in layers}
    pictures = {
        name: cite.pixels(LaYeRs=name, CrS=crs, BbOx=f"{box['minx']},{box['miny']},{box['maxx']},{box['maxy']}")
        for name, box in boxes.items()
    }
    assert [name for name, pixels in pictures.items() if is_blank(pixels)] == []


@checklist("each-style", "styles-direct", "styles-inherited")
def test_every_advertised_style_is_drawn_as_the_default_is(cite):
    layers = named_layers(cite.capabilities())
    asked = [
        (layer.findtext(f"{WMS}Name"), style.findtext(f"{WMS}Name"))
        for layer in layers
        for style in layer.findall(f"{WMS}Style")
    ]

    named = [cite.get(MAP, LaYeRs=layer, StYlEs=style).content for layer, style in asked]
    default = [cite.get(MAP, LaYeRs=layer, StYlEs="").content for layer, _style in asked]

    assert len(asked) >= 13
    assert named == default


@checklist("each-format", "gif-or-png")
def test_every_advertised_format_is_returned(cite):
    formats = [each.text for each in cite.capabilities().findall(f".//{WMS}GetMap/{WMS}Format")]

    told = [cite.get(MAP, FoRmAt=each).headers["content-type"] for each in formats]

    assert told == formats
    assert "image/png" in formats


@checklist("bbox-minx-gt-maxx", "bbox-minx-eq-maxx", "bbox-miny-gt-maxy", "bbox-miny-eq-maxy")
@pytest.mark.parametrize(
    "box",
    [
        "0.0042,-0.0024,-0.0042,0.0024",
        "0.0042,-0.0024,0.0042,0.0024",
        "-0.0042,0.0024,0.0042,-0.0024",
        "-0.0042,0.0024,0.0042,0.0024",
    ],
)
def test_a_box_without_area_is_an_exception(cite, box):
    assert cite.code(MAP, BbOx=box) == "InvalidParameterValue"


@checklist("bbox-no-overlap", "bbox-outside-crs")
@pytest.mark.parametrize(("crs", "box"), [("CRS:84", "10,10,20,20"), ("CRS:84", "250,100,300,150")])
def test_box_outside_the_data_is_blank(cite, crs, box):
    assert is_blank(cite.pixels(CrS=crs, BbOx=box))


@checklist("bbox-below-scale", "bbox-above-scale")
@pytest.mark.parametrize("box", ["-180,-90,180,90", "0,0,0.0000001,0.0000001"])
def test_any_scale_is_a_picture(cite, box):
    assert cite.pixels(BbOx=box).shape == (240, 420, 4)


@checklist(
    *("invalid-crs", "invalid-format", "invalid-layer", "first-layer-invalid", "second-layer-invalid"),
    *("invalid-style", "first-style-invalid", "second-style-invalid"),
)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"CrS": "CRS:0"}, "InvalidCRS"),
        ({"FoRmAt": "image/bogus"}, "InvalidFormat"),
        ({"LaYeRs": "bogus"}, "LayerNotDefined"),
        ({"LaYeRs": "bogus,Lakes", "StYlEs": ","}, "LayerNotDefined"),
        ({"LaYeRs": "Lakes,bogus", "StYlEs": ","}, "LayerNotDefined"),
        ({"StYlEs": "bogus"}, "StyleNotDefined"),
        ({"LaYeRs": "Lakes,Ponds", "StYlEs": "bogus,"}, "StyleNotDefined"),
        ({"LaYeRs": "Lakes,Ponds", "StYlEs": ",bogus"}, "StyleNotDefined"),
    ],
)
def test_unknown_name_has_its_code(cite, changes, code):
    assert cite.code(MAP, **changes) == code


@checklist("two-layers", "three-layers", "two-styles", "three-styles")
@pytest.mark.parametrize(
    ("layers", "styles"),
    [
        ("Lakes,Ponds", ""),
        ("Lakes,Ponds", ","),
        ("Lakes,Ponds", "Lakes,Ponds"),
        ("Lakes,Ponds,Streams", ""),
        ("Lakes,Ponds,Streams", ",,"),
        ("Lakes,Ponds,Streams", "Lakes,,Streams"),
        ("Lakes,Ponds,Streams", "Lakes,Ponds,Streams"),
    ],
)
def test_layers_are_drawn_together_with_omitted_styles(cite, layers, styles):
    together = drawn(cite.pixels(LaYeRs=layers, StYlEs=styles))

    each = [drawn(cite.pixels(LaYeRs=layer)) for layer in layers.split(",")]
    assert np.array_equal(together, np.logical_or.reduce(each))


@checklist("exceptions-default", "exceptions-xml")
@pytest.mark.parametrize("exceptions", [None, "XML"])
def test_exceptions_are_valid_xml(cite, exceptions):
    assert cite.code(MAP, ExCePtIoNs=exceptions, LaYeRs="bogus") == "LayerNotDefined"


@checklist("exceptions-inimage-mime", "exceptions-blank-mime")
@pytest.mark.parametrize("exceptions", ["INIMAGE", "BLANK"])
@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg"])
def test_pictures_of_exceptions_have_the_requested_format(cite, exceptions, media_type):
    answer = cite.get(MAP, ExCePtIoNs=exceptions, FoRmAt=media_type, LaYeRs="bogus")

    assert answer.headers["content-type"] == media_type


@checklist("exceptions-blank-red", "exceptions-blank-transparent")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"TrAnSpArEnT": "FALSE", "BgCoLoR": "0xFF0000"}, (255, 0, 0, 255)), ({"TrAnSpArEnT": "TRUE"}, (0, 0, 0, 0))],
    ids=["red", "transparent"],
)
def test_blank_exceptions_are_the_background(cite, changes, expected):
    assert (cite.pixels(ExCePtIoNs="BLANK", LaYeRs="bogus", **changes) == expected).all()


@checklist("transparent-default", "transparent-false", "no-bgcolor", "blue-bgcolor")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, WHITE), ({"TrAnSpArEnT": "FALSE"}, WHITE), ({"BgCoLoR": "0x0000FF"}, (0, 0, 255, 255))],
    ids=["default", "false", "blue"],
)
def test_uncovered_pixels_are_the_background(cite, changes, expected):
    pixels = cite.pixels(**changes)

    assert (pixels[~drawn(cite.pixels())] == expected).all()
    assert (pixels[..., 3] == 255).all()


@checklist("transparent-true", "transparent-opaque-layer")
@pytest.mark.parametrize("layer", ["Lakes", "Terrain"])
def test_uncovered_pixels_may_be_transparent(cite, layer):
    pixels = cite.pixels(LaYeRs=layer, TrAnSpArEnT="TRUE")

    assert np.array_equal(pixels[..., 3] == 255, drawn(cite.pixels(LaYeRs=layer)))


@checklist("large-size", "small-size", "aspect-ratio")
@pytest.mark.parametrize(("width", "height"), [(1024, 768), (8, 5), (100, 400)])
def test_maps_have_the_requested_size_for_any_box(cite, width, height):
    assert cite.pixels(WiDtH=str(width), HeIgHt=str(height)).shape == (height, width, 4)


@checklist("layerlimit")
def test_number_of_layers_is_limited_exactly(cite):
    limit = int(cite.capabilities().findtext(f".//{WMS}LayerLimit"))

    assert cite.get(MAP, LaYeRs=",".join(["Lakes"] * limit)).headers["content-type"] == "image/png"


@checklist("bbox-exponential")
def test_numbers_may_have_exponents(cite):
    query = "&".join(f"{name}={value}" for name, value in MAP.items() if name != "BbOx")

    answer = cite.client.get(f"/wms?{query}&BbOx=-.0005E1,-25E-4,%2B05E-3,.00025E%2B1")

    assert answer.content == cite.get(MAP, BbOx="-0.005,-0.0025,0.005,0.0025").content


@checklist("bbox-pixel-interpretation")
def test_a_box_is_the_outer_edge_of_its_pixels(cite):
    """Ten by seven pixels within a single lake: no pixel may be white."""
    lake = drawn(cite.pixels(WiDtH="840", HeIgHt="480"))
    row, column = np.argwhere(sliding_window_view(lake, (9, 12)).all(axis=(2, 3)))[0] + 1
    west, east = -0.0042 + column * 1e-5, -0.0042 + (column + 10) * 1e-5
    south, north = 0.0024 - (row + 7) * 1e-5, 0.0024 - row * 1e-5

    pixels = cite.pixels(BbOx=f"{west},{south},{east},{north}", WiDtH="10", HeIgHt="7")

    assert drawn(pixels).all()


@checklist("layer-order")
@pytest.mark.parametrize(("layers", "on_top"), [("Lakes,NamedPlaces", "NamedPlaces"), ("NamedPlaces,Lakes", "Lakes")])
def test_the_first_layer_is_drawn_at_the_bottom(cite, layers, on_top):
    alone = cite.pixels(LaYeRs=on_top)

    assert (cite.pixels(LaYeRs=layers) == alone)[drawn(alone)].all()


def autos(shared):
    """Return the cars by the last digits of their time, as positions in a map of 420 by 240."""
    with shapefile.Reader(str(shared / "ogc" / "cite-wms13-data" / "shapefile" / "Autos.shp")) as reader:
        return [(each.record["TIME"], *pixel_of(*each.shape.points[0])) for each in reader.iterShapeRecords()]


def pixel_of(x, y):
    return int((0.0024 - y) / 2e-5), int((x + 0.0042) / 2e-5)


INSTANTS = [f"2000-01-01T00:{second // 60:02}:{second % 60:02}Z" for second in range(0, 65, 5)]


def shown(cite, shared, time):
    """Return the instants with all their cars in the map, in order."""
    picture = drawn(cite.pixels(LaYeRs="Autos", TiMe=time))
    places = {}
    for instant, row, column in autos(shared):
        places.setdefault(instant, []).append((min(row, 239), min(column, 419)))
    return [instant for instant, cars in sorted(places.items()) if all(picture[car] for car in cars)]


@checklist("time-each-instant")
@pytest.mark.parametrize("instant", INSTANTS)
def test_each_instant_shows_its_cars(cite, shared, instant):
    assert instant in shown(cite, shared, instant)
    assert len(shown(cite, shared, instant)) <= 2


@checklist("time-interval", "time-interval-and-instant", "time-interval-list", "time-instant-list")
@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (f"{INSTANTS[2]}/{INSTANTS[4]}", INSTANTS[2:5]),
        (f"{INSTANTS[2]}/{INSTANTS[4]}/PT5S", INSTANTS[2:5]),
        (f"{INSTANTS[0]}/{INSTANTS[1]}/PT5S,{INSTANTS[8]}", [*INSTANTS[:2], INSTANTS[8]]),
        (f"{INSTANTS[0]}/{INSTANTS[1]},{INSTANTS[7]}/{INSTANTS[9]}", [*INSTANTS[:2], *INSTANTS[7:10]]),
        (f"{INSTANTS[0]},{INSTANTS[5]},{INSTANTS[12]}", [INSTANTS[0], INSTANTS[5], INSTANTS[12]]),
    ],
    ids=["interval", "period", "interval and instant", "intervals", "instants"],
)
def test_several_times_are_overlaid(cite, shared, time, expected):
    each = [drawn(cite.pixels(LaYeRs="Autos", TiMe=instant)) for instant in expected]

    together = drawn(cite.pixels(LaYeRs="Autos", TiMe=time))

    assert np.array_equal(together, np.logical_or.reduce(each))
    assert set(expected) <= set(shown(cite, shared, time))


@checklist("time-current-instant", "time-current-interval")
@pytest.mark.parametrize(
    ("time", "same"), [("current", INSTANTS[12]), (f"{INSTANTS[10]}/current", f"{INSTANTS[10]}/..")]
)
def test_current_is_the_newest(cite, time, same):
    assert np.array_equal(cite.pixels(LaYeRs="Autos", TiMe=time), cite.pixels(LaYeRs="Autos", TiMe=same))


@checklist("time-default")
def test_default_time_is_reported_in_a_warning(cite):
    dimension = cite.capabilities().find(f".//{WMS}Dimension")

    answer = cite.get(MAP, LaYeRs="Autos")

    assert answer.headers["Warning"] == f"99 Default value used: time={dimension.get('default')} ISO8601"


@checklist("time-nearest", "geometry-nearest-value")
def test_the_nearest_time_is_warned_of(cite):
    answer = cite.get(MAP, LaYeRs="Autos", TiMe="2000-01-01T00:00:06Z")

    assert answer.headers["Warning"] == "99 Nearest value used: time=2000-01-01T00:00:05Z ISO8601"


@checklist("time-and-other-layer", "elevation-and-other-layer")
def test_layer_without_time_is_drawn_together_with_one_that_has_it(cite):
    together = drawn(cite.pixels(LaYeRs="Lakes,Autos", TiMe=INSTANTS[3]))

    alone = [drawn(cite.pixels(LaYeRs="Lakes")), drawn(cite.pixels(LaYeRs="Autos", TiMe=INSTANTS[3]))]
    assert np.array_equal(together, np.logical_or.reduce(alone))


@checklist("missing-no-default")
def test_time_without_default_must_be_given(make_client, get_map):
    client = make_client(
        served.make_services(served.make_collection(served.make_layer(time_rules=TimeRules(default="none"))))
    )

    answer = get_map(client)

    assert 'code="MissingDimensionValue"' in answer.text
    assert answer.headers["content-type"] == "text/xml"


def test_the_data_lie_in_the_box_of_the_suite(cite):
    root = cite.capabilities()
    layer = next(each for each in named_layers(root) if each.findtext(f"{WMS}Title") == "cite:Lakes")

    box = layer.find(f"{WMS}BoundingBox[@CRS='CRS:84']")

    edges = [float(box.get(name)) for name in ("minx", "miny", "maxx", "maxy")]
    assert edges == pytest.approx([float(edge) for edge in LAKE.split(",")])
