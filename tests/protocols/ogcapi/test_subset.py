"""Parts of coverages along their axes, as `subset` names them."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError, InvalidParameter, UnsupportedCrs
from chronotile.core.model.coverage import Trim
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, LATEST
from chronotile.protocols.common.query.axes import query_of
from chronotile.protocols.ogcapi.subset import CoveragePart, requested_subset
from tests.protocols import served

INF = math.inf
BLANKS = 19_000 * " "
UTM = served.make_layer()
DEGREES = served.make_layer("FAPAR", variable=served.make_variable("FAPAR", grid=served.FLANDERS_4326))
CATALOGUE = served.make_services(served.make_collection(UTM, DEGREES)).catalogue


def subset_of(*texts: str, layer=UTM, has_time: bool = True, **others: str) -> CoveragePart:
    pairs = [("subset", text) for text in texts] + [(name.replace("_", "-"), text) for name, text in others.items()]
    return requested_subset(query_of(pairs), layer, CATALOGUE, has_time=has_time)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("Lat(40:50),Lon(10:20)", BBox(10, 40, 20, 50)),
        ("lon(10:20),LAT(40:50)", BBox(10, 40, 20, 50)),
        ("Latitude( 40 : 50 ) , Longitude(1e1:2E1)", BBox(10, 40, 20, 50)),
        ('Long("10":"20")', BBox(10, -INF, 20, INF)),
        ("Lat(40:*)", BBox(-INF, 40, INF, INF)),
        ("Lat(*:50)", BBox(-INF, -INF, INF, 50)),
        ("Lat(..:50)", BBox(-INF, -INF, INF, 50)),
        ("Lat(*:*)", BBox(-INF, -INF, INF, INF)),
        ("Lat(45)", BBox(-INF, 45, INF, 45)),
        ("Lat(45),Lon(-3.5)", BBox(-3.5, 45, -3.5, 45)),
        ("Lon(170:-170)", BBox(170, -INF, -170, INF)),
    ],
)
@pytest.mark.parametrize("layer", [UTM, DEGREES], ids=["projected", "geographic"])
def test_latitudes_and_longitudes_are_in_crs84(text, box, layer):
    assert subset_of(text, layer=layer).trim == Trim(box=box, crs=CRS84, locator="subset")


@pytest.mark.parametrize(
    "text", ["x(6e5:610000),y(*:5640000)", "E(6e5:610000),N(*:5640000)", "Easting(6e5:610000),Y(:564e4)"]
)
def test_x_and_y_are_in_the_projected_crs_of_the_layer(text):
    box = BBox(600_000, -INF, 610_000, 5_640_000)

    assert subset_of(text).trim == Trim(box=box, crs=crs_of("EPSG:32631"), locator="subset")


@pytest.mark.parametrize(
    ("text", "crs", "name"),
    [
        ("Lat(40:50)", "http://www.opengis.net/def/crs/EPSG/0/4326", "EPSG:4326"),
        ("N(40:50)", "[EPSG:3035]", "EPSG:3035"),
        ("y(40:50)", "EPSG:3857", "EPSG:3857"),
    ],
)
def test_axes_are_those_of_the_requested_crs(text, crs, name):
    trim = Trim(box=BBox(-INF, 40, INF, 50), crs=crs_of(name), locator="subset")

    assert subset_of(text, subset_crs=crs).trim == trim


def test_several_subsets_equal_one_with_commas():
    together = subset_of('Lat(40:50),Lon(10:20),time("2020-06")')

    assert subset_of("Lat(40:50)", "Lon(10:20)", 'time("2020-06")') == together


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ('time("2020-06-01")', "2020-06-01"),
        ("time(2020-06)", "2020-06"),
        ("TIME(2020)", "2020"),
        ('time("2020-06-01T10:50:00Z")', "2020-06-01T10:50:00Z"),
        ("time(2020-06-01T10:50:00Z)", "2020-06-01T10:50:00Z"),
        ("time(2020-06-01T10:50:00+02:00)", "2020-06-01T10:50:00+02:00"),
        ('time("2020-06-01","2020-06-11")', "2020-06-01,2020-06-11"),
        ('time("2020-01-01":"2020-02-01")', "2020-01-01/2020-02-01"),
        ("time(2020-01-01:2020-02-01)", "2020-01-01/2020-02-01"),
        ('time("2020-01-01T10:00:00Z" : "2020-02-01T12:30:00Z")', "2020-01-01T10:00:00Z/2020-02-01T12:30:00Z"),
        ("time(2020-01-01T10:00:00Z:2020-02-01T12:30:00Z)", "2020-01-01T10:00:00Z/2020-02-01T12:30:00Z"),
        ('time(*:"2020-02-01")', "../2020-02-01"),
        ('time("2020-02-01":*)', "2020-02-01/.."),
        ("time(2020-02-01T00:00:00Z:*)", "2020-02-01T00:00:00Z/.."),
        ("time(..:2020-02-01)", "../2020-02-01"),
        ('time("2020-01-01/2020-02-01")', "2020-01-01/2020-02-01"),
    ],
)
def test_times_are_read_as_datetime_reads_them(text, time):
    assert subset_of(text) == CoveragePart(time=parse_time(time))


@pytest.mark.parametrize(("text", "time"), [("time(*:*)", ABSENT), ("time(*)", LATEST)])
def test_open_times_are_all_and_one_asterisk_the_latest(text, time):
    assert subset_of(text).time == time


def test_subset_in_space_and_time_has_both():
    subset = subset_of('Lat(40:50),time("2020-06-01")')

    assert (subset.trim.box.ymin, subset.time) == (40, parse_time("2020-06-01"))


def test_subset_is_optional():
    assert subset_of() == CoveragePart()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("height(1:2)", "names an axis 'height', which is not there; use Lon, Lat, x, y, time"),
        ("Lat(1:2),x(1:2)", "axis 'x'"),
        ("x(1:2),Lat(1:2)", "axis 'Lat'"),
        ("Lat(1:2),lat(3:4)", "repeats an axis: Lat and lat"),
        ("Lat(1:2),Latitude(3:4)", "repeats an axis: Lat and Latitude"),
        ("Lat", "list of up to 16 axes"),
        ("Lat(", "list of up to 16 axes"),
        ("Lat(1:2", "list of up to 16 axes"),
        ("(1:2)", "list of up to 16 axes"),
        ("Lat(1:2),", "list of up to 16 axes"),
        ("Lat(1:2);Lon(1:2)", "where a comma or the end is expected"),
        ("Lat(1:2)Lon(1:2)", "list of up to 16 axes|comma"),
        ("Lat()", "subset of Lat takes a number"),
        ("Lat(*)", "subset of Lat takes a number"),
        ("Lat(a:b)", "subset of Lat takes a number"),
        ("Lat(1:2:3)", "subset of Lat takes a number"),
        ("Lat(1,2)", "subset of Lat takes a number"),
        ("Lat(nan:2)", "subset of Lat takes a number"),
        ("Lat(1:inf)", "subset of Lat takes a number"),
        ("Lat(1:1e999)", "subset of Lat takes a number"),
        ("Lat(50:40)", "subset of Lat goes from low to high"),
        ("x(2:1)", "subset of x goes from low to high"),
        ("time()", "subset of time: .* is not a valid time"),
        ("time(yesterday)", "subset of time: 'yesterday' is not a valid time"),
        ('time("2020-13-01")', "subset of time: '2020-13-01' is not a valid time"),
        ('time("2020-02-01":"2020-01-01")', "ends before it starts"),
        ("time(2020-02-01:2020-01-01)", "ends before it starts"),
    ],
)
def test_invalid_subset_is_refused_with_a_reason(text, message):
    with pytest.raises(InvalidParameter, match=message) as refused:
        subset_of(text)

    assert refused.value.locator == "subset"


@pytest.mark.parametrize(
    ("layer", "crs", "text", "accepted"),
    [
        (DEGREES, {}, "x(1:2)", "use Lat, Lon, time"),
        (UTM, {"subset_crs": "EPSG:3035"}, "Lat(1:2)", "use x, y, time"),
        (UTM, {"subset_crs": "CRS84"}, "x(1:2)", "use Lon, Lat, time"),
    ],
)
def test_unknown_axis_is_refused_with_the_existing_ones(layer, crs, text, accepted):
    with pytest.raises(InvalidParameter) as refused:
        subset_of(text, layer=layer, **crs)

    assert set(refused.value.message.partition("use ")[2].split(", ")) == set(accepted.removeprefix("use ").split(", "))


def test_timeless_data_have_no_time_axis():
    with pytest.raises(InvalidParameter, match=r"use Lon, Lat, x, y$"):
        subset_of("time(2020)", has_time=False)


def test_unknown_crs_of_a_subset_is_refused():
    with pytest.raises(UnsupportedCrs) as refused:
        subset_of("Lat(1:2)", subset_crs="EPSG:1")

    assert refused.value.locator == "subset-crs"


@given(st.text(alphabet='LatLonxytime(:*."),0123456789-TZ/ ', max_size=60))
def test_any_text_gives_a_subset_or_a_refusal(text):
    with suppress(ChronotileError):
        assert subset_of(text) is not None


@given(st.floats(-90, 90), st.floats(-90, 90))
def test_numbers_are_parsed_exactly(first, second):
    low, high = sorted((first, second))

    assert subset_of(f"Lat({low!r}:{high!r})").trim.box[1::2] == (low, high)


@pytest.mark.parametrize(
    "text",
    [
        *(f"Lat({BLANKS}", f"Lat(1{BLANKS}", f"Lat{BLANKS}", f'time("{BLANKS})', f'time({BLANKS}")'),
        *(f'time("a"{BLANKS}x)', f"time({19_000 * ':'})"),
    ],
    ids=["content", "end", "name", "quoted", "before a quote", "after a quote", "colons"],
)
def test_long_text_that_is_no_list_is_refused_in_the_time_it_takes_to_read_it(text):
    """Reading the text repeatedly would take minutes, and all other requests would wait."""
    with pytest.raises(InvalidParameter) as refused:
        subset_of(text)

    assert refused.value.locator == "subset"
