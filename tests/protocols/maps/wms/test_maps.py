"""Maps that GetMap composes, colours and encodes, compared with the formula."""

import io
from urllib.parse import urlencode

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from chronotile.catalog.limits import Limits
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.style import Colour, Stop, Style
from tests.protocols import served
from tests.protocols.pictures import rgba_of, share_differing

GRID = Grid(crs=served.BELGIUM_31N.crs, bbox=BBox(600000, 5640000, 610000, 5650000), width=100, height=100)
"""The cells of `get_map`."""
HALF = Style(
    id="half",
    title="Half",
    range=(0.0, 250.0),
    ramp=(Stop(0.0, Colour(0, 0, 0, 128)), Stop(250.0, Colour(250, 0, 0, 128))),
)


def numbers(time):
    return served.expected_numbers(served.BELGIUM_31N, GRID, time).astype(float)


@pytest.fixture
def overlaid(make_client):
    """Client of NDVI and of TOP, with the same numbers in half transparent red."""
    layers = (served.make_layer(), served.make_layer("TOP", styles=(HALF,)))
    return make_client(served.make_services(served.make_collection(*layers)))


def test_layers_are_overlaid_with_the_first_at_the_bottom(overlaid, get_map):
    pixels = rgba_of(get_map(overlaid, LAYERS="NDVI,TOP", TIME="2020-06-11").content)

    number, share = numbers(2), 128 / 255
    has_value = number != served.NODATA
    red = np.rint(number)[has_value]
    other = np.rint(number * (1 - share))[has_value]
    assert np.abs(pixels[has_value][:, 0] - red).max() <= 1
    assert np.abs(pixels[has_value][:, 1] - other).max() <= 1
    assert not pixels[~has_value].any()


def test_the_last_layer_hides_those_below(overlaid, get_map):
    above = get_map(overlaid, LAYERS="TOP,NDVI", TIME="2020-06-11")

    assert share_differing(above.content, served.expected_rgba(served.BELGIUM_31N, GRID, 2)) == 0


def test_each_layer_has_its_own_style(client, get_map):
    layers = {"LAYERS": "NDVI,RECENT", "STYLES": ",reds"}
    swapped = {"LAYERS": "RECENT,NDVI", "STYLES": "reds,"}

    on_top, below = (rgba_of(get_map(client, TIME="2020-06-11", **asked).content) for asked in (layers, swapped))

    assert not on_top[..., 1].any()
    assert on_top[..., 0].any()
    assert np.array_equal(below[..., 0], below[..., 1])


@pytest.mark.parametrize("styles", ["", ",", "default,", "default", ",default", None])
def test_omitted_styles_are_the_first(client, get_map, styles):
    named = get_map(client, LAYERS="NDVI,HEIGHT", STYLES="steps,steps")

    assert get_map(client, LAYERS="NDVI,HEIGHT", STYLES=styles).content == named.content


def test_layer_without_time_is_drawn_together_with_one_at_a_time(client, get_map):
    answer = get_map(client, LAYERS="NDVI,HEIGHT", TIME="2020-06-11")

    assert share_differing(answer.content, served.expected_rgba(served.BELGIUM_31N, GRID, 0)) == 0
    assert answer.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z"


def test_each_layer_without_its_time_is_warned_of(client, get_map):
    answer = get_map(client, LAYERS="NDVI,TIMED")

    assert answer.headers.get_list("Warning") == [
        "99 Default value used: time=2020-06-21 ISO8601",
        "99 Default value used: time=2020-06-30T10:50:31.024Z ISO8601",
    ]


@pytest.mark.parametrize(
    ("name", "meant"), [("TIMES", "TIME"), ("DATETIME", "TIME"), ("STYLE", "STYLES"), ("BBOXX", "BBOX")]
)
def test_a_name_that_is_nearly_a_parameter_is_ignored_with_a_warning(client, get_map, name, meant):
    answer = get_map(client, LAYERS="NDVI", TIME="2020-06-11", **{name: "2020-06-01"})

    assert answer.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z"
    assert answer.headers["Warning"] == f'199 - "{name} is not a parameter here and is ignored; {meant} is one"'


def test_a_warning_has_the_beginning_of_a_long_name(client, get_map):
    answer = get_map(client, LAYERS="NDVI", TIME="2020-06-11", **{f"TIME{'_' * 4000}": "2020"})

    assert len(answer.headers["Warning"]) < 200


def test_usual_additions_of_map_clients_are_ignored_without_a_warning(client, get_map):
    habits = {"DPI": "96", "MAP_RESOLUTION": "96", "FORMAT_OPTIONS": "dpi:96", "TILED": "true", "_OLSALT": "0.1"}

    assert "Warning" not in get_map(client, LAYERS="NDVI", TIME="2020-06-11", **habits).headers


def test_a_warning_has_no_character_of_the_client_that_a_header_lacks(client, get_map):
    answer = get_map(client, LAYERS="NDVI", TIME="2020-06-11", **{"TIME\n": "2020"})

    assert answer.headers["Warning"] == '199 - "TIME is not a parameter here and is ignored; TIME is one"'


@pytest.mark.parametrize(
    ("version", "crs", "box", "told"),
    [
        ("1.3.0", "EPSG:4326", "4.5,50.8,4.7,50.9", "in EPSG:4326 of WMS 1.3.0 latitude comes first"),
        ("1.1.1", "EPSG:4326", "50.8,4.5,50.9,4.7", "in EPSG:4326 of WMS 1.1.1 longitude comes first"),
        ("1.3.0", "CRS:84", "50.8,4.5,50.9,4.7", "in CRS:84 of WMS 1.3.0 longitude comes first"),
        ("1.3.0", "EPSG:3035", "3930000,3080000,3960000,3110000", "in EPSG:3035 of WMS 1.3.0 y comes first"),
        ("1.3.0", "EPSG:4326", "50.8,4.5,50.9,4.7", None),
        ("1.3.0", "EPSG:4326", "10,20,11,21", None),
        ("1.3.0", "EPSG:3857", "6580000,500000,6610000,550000", None),
    ],
)
def test_box_outside_the_layers_hints_at_the_other_axis_order_if_it_would_fit(client, get_map, version, crs, box, told):
    named = {"1.3.0": "CRS", "1.1.1": "SRS"}[version]
    answer = get_map(client, LAYERS="NDVI,HEIGHT", TIME="2020-06-11", VERSION=version, **{named: crs, "BBOX": box})

    expected = [] if told is None else [f'199 - "BBOX lies outside of the layers; {told}"']
    assert answer.headers.get_list("Warning") == expected


def test_matching_etag_of_a_map_of_several_layers_reads_nothing(client, get_map):
    etag = get_map(client, LAYERS="NDVI,HEIGHT").headers["ETag"]

    answer = get_map(client, LAYERS="NDVI,HEIGHT", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_order_of_layers_is_part_of_the_etag(client, get_map):
    assert (
        get_map(client, LAYERS="NDVI,HEIGHT").headers["ETag"] != get_map(client, LAYERS="HEIGHT,NDVI").headers["ETag"]
    )


def test_layers_together_are_limited(make_client, get_map):
    layers = (served.make_layer(), served.make_layer("TOP"))
    services = served.make_services(served.make_collection(*layers), limits=Limits(max_cube_values=15_000))

    answer = get_map(make_client(services), LAYERS="NDVI,TOP")

    assert "max_cube_values: at most 15000" in answer.text


def test_failing_source_is_reported_with_any_other_layers(client, get_map):
    assert get_map(client, LAYERS="NDVI,GONE").status_code == 503


def test_difference_is_the_change_since_then(client, get_map):
    answer = get_map(client, TIME="2020-06-11", DIFFERENCE="2020-05-21")

    change = numbers(2) - numbers(0)
    pixels = rgba_of(answer.content)
    has_value = numbers(0) != served.NODATA
    share = np.clip(change / 125, -1, 1)[has_value]
    red = np.rint(250 * np.minimum(1, 1 + share))
    blue = np.rint(250 * np.minimum(1, 1 - share))
    assert np.abs(pixels[has_value][:, 0] - red).max() <= 1
    assert np.abs(pixels[has_value][:, 2] - blue).max() <= 1
    assert not pixels[~has_value].any()


def test_both_times_of_a_difference_are_reported(client, get_map):
    answer = get_map(client, TIME="2020-06-11", DIFFERENCE="2020-05-21")

    assert answer.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z;difference=2020-05-21T00:00:00Z"


def test_difference_with_itself_is_zero(client, get_map):
    pixels = rgba_of(get_map(client, TIME="2020-06-11", DIFFERENCE="2020-06-11").content)

    assert (pixels[1:] == (250, 250, 250, 255)).mean() > 0.98


def test_difference_has_a_separate_range_and_ramp(client, get_map):
    pixels = rgba_of(
        get_map(
            client, TIME="2020-06-11", DIFFERENCE="2020-05-21", STYLES="steps/reds", COLORSCALERANGE="0,160"
        ).content
    )

    assert set(np.unique(pixels[1:, :, 0]).tolist()) <= {0, 124, 125, 126}
    assert not pixels[..., 1:3].any()


def test_default_and_nearest_times_of_a_difference_are_warned_of(client, get_map):
    answer = get_map(client, LAYERS="RECENT", TIME="2020-06-11", DIFFERENCE="2020-06-03")

    assert answer.headers["Warning"] == "99 Nearest value used: difference=2020-06-01 ISO8601"


def test_a_layer_without_time_ignores_difference(client, get_map):
    plain = get_map(client, LAYERS="HEIGHT")

    assert get_map(client, LAYERS="HEIGHT", DIFFERENCE="2020-06-11").content == plain.content


def test_intervals_on_both_sides_of_a_difference_are_reduced(client, get_map):
    answer = get_map(
        client, TIME="2020-06-11/2020-06-21", DIFFERENCE="2020-05-21/2020-06-01", REDUCER="mean", COLORSCALERANGE="auto"
    )

    assert answer.headers["Chronotile-Time"].count("T00:00:00Z") == 4
    assert answer.status_code == 200


def test_auto_stretches_the_ramp_over_the_values_of_the_picture(client, get_map):
    number = numbers(2)[1:]
    low, high = number.min(), number.max()

    pixels = rgba_of(get_map(client, TIME="2020-06-11", COLORSCALERANGE="auto").content)

    expected = (number - low) / (high - low) * 250
    assert np.abs(pixels[1:, :, 0] - expected).max() <= 1


def test_auto_keeps_the_range_without_any_value(client, get_map):
    answer = get_map(client, BBOX="0,0,100,100", COLORSCALERANGE="auto")

    assert not rgba_of(answer.content)[..., 3].any()


@pytest.mark.parametrize(
    "changes", [{"COLORSCALERANGE": "default"}, {"STYLES": "steps/default"}, {"LOGSCALE": "false"}], ids=str
)
def test_defaults_of_ncwms_change_nothing(client, get_map, changes):
    assert get_map(client, **changes).content == get_map(client).content


@pytest.mark.parametrize("family", ["boxfill", "default-scalar", "raster", "default", ""])
def test_ramps_have_their_names_of_ncwms(client, get_map, family):
    pixels = rgba_of(get_map(client, STYLES=f"{family}/reds").content)

    assert not pixels[..., 1:3].any()
    assert pixels[..., 0].any()


def test_bands_make_a_picture_of_few_colours(client, get_map):
    pixels = rgba_of(get_map(client, NUMCOLORBANDS="5").content)

    assert set(np.unique(pixels[1:, :, 0]).tolist()) == {0, 62, 125, 188, 250}


def test_logarithmic_scale_spreads_small_values(client, get_map):
    pixels = rgba_of(get_map(client, TIME="2020-06-11", COLORSCALERANGE="1,250", LOGSCALE="true").content)

    number = np.maximum(numbers(2), 1)[1:]
    expected = np.log(number) / np.log(250) * 250
    inside = numbers(2)[1:] >= 1
    assert np.abs(pixels[1:, :, 0] - expected)[inside].max() <= 2


def test_values_beyond_the_range_have_the_requested_colours(client, get_map):
    pixels = rgba_of(
        get_map(
            client, TIME="2020-06-11", COLORSCALERANGE="50,100", BELOWMINCOLOR="transparent", ABOVEMAXCOLOR="0x80FF0000"
        ).content
    )

    number = numbers(2)[1:]
    assert not pixels[1:][number < 50].any()
    assert (pixels[1:][number > 100] == (255, 0, 0, 128)).all()


def test_extended_colours_are_those_of_the_ends(client, get_map):
    extended = get_map(client, COLORSCALERANGE="50,100", BELOWMINCOLOR="extend", ABOVEMAXCOLOR="extend")

    assert extended.content == get_map(client, COLORSCALERANGE="50,100").content


FORMATS = [
    ("image/png", "image/png", "PNG"),
    ("image/png8", "image/png; mode=8bit", "PNG"),
    ("image/png; mode=8bit", "image/png; mode=8bit", "PNG"),
    ("image/png;mode=8bit", "image/png; mode=8bit", "PNG"),
    ("image/jpeg", "image/jpeg", "JPEG"),
    ("image/jpg", "image/jpeg", "JPEG"),
    ("image/webp", "image/webp", "WEBP"),
    ("image/gif", "image/gif", "GIF"),
    ("image/tiff", "image/tiff", "TIFF"),
    ("image/geotiff", "image/tiff", "TIFF"),
]


@pytest.mark.parametrize("layers", ["NDVI", "NDVI,TRUE_COLOUR"])
@pytest.mark.parametrize(("asked", "told", "written"), FORMATS)
def test_formats_match_their_media_types(client, get_map, layers, asked, told, written):
    answer = get_map(client, FORMAT=asked, LAYERS=layers)

    assert answer.headers["Content-Type"] == told
    assert Image.open(io.BytesIO(answer.content)).format == written


def test_eight_bit_png_has_a_palette_also_of_several_layers(client, get_map):
    answer = get_map(client, FORMAT="image/png; mode=8bit", LAYERS="TRUE_COLOUR,NDVI")

    assert Image.open(io.BytesIO(answer.content)).mode == "P"


@pytest.mark.parametrize("transparent", ["TRUE", "FALSE"])
def test_geotiff_is_the_map_with_its_place(client, get_map, transparent):
    answer = get_map(client, FORMAT="image/tiff", TRANSPARENT=transparent, TIME="2020-06-11", BGCOLOR="0x102030")

    with rasterio.MemoryFile(answer.content) as memory, memory.open() as dataset:
        assert dataset.crs.to_epsg() == 32631
        assert tuple(dataset.bounds) == tuple(GRID.bbox)
        bands = dataset.read()
        assert dataset.colorinterp[3:] == (ColorInterp.alpha,) * (len(bands) - 3)
    png = get_map(client, TRANSPARENT=transparent, TIME="2020-06-11", BGCOLOR="0x102030")
    assert np.array_equal(np.moveaxis(bands, 0, -1), rgba_of(png.content)[..., : len(bands)])
    assert len(bands) == (4 if transparent == "TRUE" else 3)


def test_pixels_need_not_be_square(client, get_map):
    answer = get_map(client, WIDTH="50", HEIGHT="200", TIME="2020-06-11")

    grid = Grid(crs=GRID.crs, bbox=GRID.bbox, width=50, height=200)
    assert rgba_of(answer.content).shape == (200, 50, 4)
    assert share_differing(answer.content, served.expected_rgba(served.BELGIUM_31N, grid, 2)) <= 0.02


@pytest.mark.parametrize(
    "changes", [{"DPI": "192"}, {"MAP_RESOLUTION": "96"}, {"FORMAT_OPTIONS": "dpi:300;antialias:on"}], ids=str
)
def test_resolution_of_the_screen_does_not_change_a_raster(client, get_map, changes):
    assert get_map(client, **changes).content == get_map(client).content


def test_a_form_may_be_posted(client, get_map):
    url = get_map(client, TIME="2020-06-11").request.url

    answer = client.post(
        url.path, content=url.query, headers={"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    )

    assert answer.content == get_map(client, TIME="2020-06-11").content


def test_a_form_adds_to_the_address(client, get_map):
    url = get_map(client, TIME=None).request.url

    answer = client.post(str(url), data={"TIME": "2020-06-11"})

    assert answer.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"<GetMap/>", "text/xml"),
        (b"\xff\xfe=1", "application/x-www-form-urlencoded"),
        (b"a&" * 1001, "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_form_is_refused(client, body, media_type):
    answer = client.post("/wms?EXCEPTIONS=JSON", content=body, headers={"Content-Type": media_type})

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json()["exceptions"][0]["code"] == "InvalidParameterValue"


def test_a_body_beyond_the_limit_is_413(make_client):
    client = make_client(served.make_services(limits=Limits(max_body_bytes=100)))

    answer = client.post("/wms", data={"REQUEST": "GetMap", "X": "x" * 200})

    assert answer.status_code == 413
    assert "max_body_bytes: at most 100" in answer.text


def test_too_large_form_is_413(client):
    answer = client.post("/wms", data={"REQUEST": "GetMap", "LAYERS": "NDVI," * 210_000})

    assert answer.status_code == 413
    assert "bytes of a body: at most 1048576" in answer.text


@pytest.mark.parametrize(("version", "text"), [("1.3.0", "INIMAGE"), ("1.1.1", "application/vnd.ogc.se_inimage")])
def test_exceptions_are_written_into_the_picture(client, get_map, version, text):
    answer = get_map(client, VERSION=version, EXCEPTIONS=text, LAYERS="NDVX", TRANSPARENT="FALSE")

    pixels = rgba_of(answer.content)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert answer.headers["Cache-Control"] == "no-store"
    assert pixels.shape == (100, 100, 4)
    assert (pixels == (160, 0, 0, 255)).all(axis=2).sum() > 100
    assert (pixels == (255, 255, 255, 255)).all(axis=2).sum() > 5000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"TRANSPARENT": "FALSE", "BGCOLOR": "0xFF0000"}, (255, 0, 0, 255)), ({"TRANSPARENT": "TRUE"}, (0, 0, 0, 0))],
)
@pytest.mark.parametrize("text", ["BLANK", "application/vnd.ogc.se_blank"])
def test_exceptions_may_be_blank(client, get_map, text, changes, expected):
    answer = get_map(client, EXCEPTIONS=text, STYLES="nonesuch", **changes)

    assert (rgba_of(answer.content) == expected).all()


@pytest.mark.parametrize("text", ["JSON", "application/json"])
def test_exceptions_may_be_json(client, get_map, text):
    answer = get_map(client, EXCEPTIONS=text, LAYERS="NDVX")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["version"] == "1.3.0"
    assert answer.json()["exceptions"][0]["code"] == "LayerNotDefined"
    assert answer.json()["exceptions"][0]["locator"] == "LAYERS"


@pytest.mark.parametrize(
    "changes",
    [{"WIDTH": "x"}, {"FORMAT": "image/bmp"}, {"FORMAT": "image/tiff", "LAYERS": "NDVX"}, {"WIDTH": "999999999"}],
    ids=str,
)
def test_exceptions_that_cannot_be_drawn_are_xml(client, get_map, changes):
    assert get_map(client, EXCEPTIONS="INIMAGE", **changes).headers["Content-Type"].startswith("text/xml")


@pytest.mark.parametrize("text", ["BLANK", "INIMAGE"])
def test_a_source_that_fails_is_never_a_picture(client, get_map, text):
    answer = get_map(client, LAYERS="GONE", EXCEPTIONS=text)

    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/xml")


def test_map_needs_no_service_parameter_in_any_case_of_its_name(client, get_map):
    query = str(get_map(client).request.url.query, "ascii")
    swapped = urlencode([(name.swapcase(), value) for name, value in (part.split("=") for part in query.split("&"))])

    assert "sERVICE" not in swapped
    assert client.get(f"/wms?{swapped.replace('%25', '%')}").headers["Content-Type"] == "image/png"
