"""Values of each layer at a point."""

import numpy as np
import pytest

from chronotile.core.errors import LimitExceeded, SourceUnavailable, TimeNotAvailable
from chronotile.core.model.collection import TimeRules
from chronotile.core.model.request import IdentifyRequest, MapRequest, Point, SeriesRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.style import Colour, Style, StyleClass
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.identify import InfoFormat, deliver_identified
from chronotile.pipeline.series.point import extract_series
from tests.protocols import served
from tests.protocols.pictures import rgba_of

UTM = crs_of("EPSG:32631")
INSIDE = Point(x=601_037.0, y=5_640_062.0, crs=UTM)
"""In the cell of row 99 and column 10, not at its centre."""
NUMBERS = [(3 * 99 + 7 * 10 + 40 * time) % 250 for time in range(4)]


def found(layer="NDVI", *, point=INSIDE, time=None, services=None, **members):
    request = IdentifyRequest(layer=layer, point=point, time=parse_time(time), **members)
    (one,) = identified([request], services or served.make_services())
    return one


def identified(requests, services):
    """Return the values that a protocol gets to encode."""
    given = []
    form = InfoFormat(media_type="text/plain", encode=lambda each: given.extend(each) or b"")
    deliver_identified(requests, form, services)
    return given


def substitution(services, time=None):
    """Return how the answer's time was chosen."""
    request = IdentifyRequest(layer="NDVI", point=INSIDE, time=parse_time(time))
    payload = deliver_identified([request], InfoFormat(media_type="text/plain", encode=lambda _values: b""), services)
    return payload.layer_times[0].substitution


def services_of(**encoding):
    variable = served.make_variable(**encoding)
    return served.make_services(served.make_collection(served.make_layer(variable=variable)))


def test_the_value_of_the_cell_at_the_default_time():
    one = found()

    assert one.cells[0].numbers.tolist() == [NUMBERS[3]]
    assert one.cells[0].values.tolist() == [NUMBERS[3]]
    assert [str(each)[:10] for each in one.times] == ["2020-06-21"]
    assert substitution(served.make_services()) == "default"


def test_an_interval_gives_the_series():
    one = found(time="2020-06-01/2020-06-30")

    assert one.cells[0].values.tolist() == NUMBERS[1:]
    assert [str(each)[:10] for each in one.times] == ["2020-06-01", "2020-06-11", "2020-06-21"]
    assert [colour.red for colour in one.colours] == NUMBERS[1:]


def test_it_agrees_with_the_point_series_in_full_precision():
    services = services_of(scale=0.004, offset=-0.08)
    point = Point(x=4.7, y=50.85, crs=CRS84)

    one = found(point=point, time="2020", services=services)

    series = extract_series(SeriesRequest(layer="NDVI", point=point), services)
    assert one.cells[0].values.tolist() == series.values.tolist()
    assert one.times.tolist() == series.times.tolist()


def test_centre_is_that_of_the_cell():
    one = found()

    x, y = transformer(CRS84, UTM).transform(*one.cells[0].centre)
    assert (x, y) == pytest.approx((601_050.0, 5_640_050.0), abs=1e-4)


@pytest.mark.parametrize("style", ["steps", "reds"])
def test_colour_is_that_of_the_map(style):
    grid = Grid(crs=UTM, bbox=BBox(601_000.0, 5_640_000.0, 601_100.0, 5_640_100.0), width=1, height=1)
    picture = served.draw_map(MapRequest(layer="NDVI", grid=grid, style=style), services_of())

    one = found(style=style)

    assert [tuple(colour) for colour in one.colours] == [tuple(rgba_of(picture.body)[0, 0])]


def test_a_range_changes_the_colour_and_no_value():
    one = found(range=(0.0, 100.0))

    assert one.colours == (Colour(250, 250, 250),)
    assert one.cells[0].values.tolist() == [NUMBERS[3]]


def test_missing_value_has_a_reason_and_a_flag_its_label():
    services = services_of(flags=((NUMBERS[1], "cloud"),), nodata=NUMBERS[2], valid_range=(0, NUMBERS[3] - 1))

    one = found(time="2020", services=services)

    assert one.cells[0].reasons == (None, "cloud", "nodata", "outside_range")
    assert one.cells[0].labels == (None, "cloud", None, None)
    assert np.isnan(one.cells[0].values[1:]).all()
    assert one.cells[0].numbers.tolist() == NUMBERS


def test_a_class_has_its_label_and_colour():
    green = Colour(0, 128, 0)
    style = Style(id="classes", title="Classes", range=(0, 9), classes=(StyleClass(NUMBERS[3], green, "forest"),))
    services = served.make_services(served.make_collection(served.make_layer(styles=(style,))))

    one = found(time="2020-06-11/..", services=services)

    assert one.cells[0].labels == (None, "forest")
    assert one.colours == (Colour(0, 0, 0, 0), green)


def test_a_composite_has_the_values_of_its_variables():
    services = served.make_services(*served.varied_collections())

    one = found("TRUE_COLOUR", services=services)

    assert [cell.variable for cell in one.cells] == ["RED", "GREEN", "BLUE"]
    assert [cell.values.tolist() for cell in one.cells] == [[NUMBERS[3]]] * 3
    assert one.colours == (Colour(*[round(NUMBERS[3] / 250 * 255)] * 3),)


def test_a_layer_without_time_has_one_value():
    one = found("HEIGHT", services=served.make_services(*served.varied_collections()), time="2020-06-11")

    assert np.isnat(one.times).all()
    assert one.cells[0].values.tolist() == [NUMBERS[0]]


def test_outside_the_layer_there_is_nothing():
    one = found(point=Point(x=0.0, y=0.0))

    assert (one.cells, one.colours) == ((), ())
    assert (one.longitude, one.latitude) == (0.0, 0.0)


def test_another_time_is_substituted_only_if_the_rules_allow():
    rules = TimeRules(match="nearest", tolerance=np.timedelta64(3, "D"))
    services = served.make_services(served.make_collection(served.make_layer(time_rules=rules)))

    one = found(time="2020-06-12", services=services)

    assert one.cells[0].numbers.tolist() == [NUMBERS[2]]
    assert substitution(services, "2020-06-12") == "nearest"
    with pytest.raises(TimeNotAvailable):
        found(time="2020-06-12")


def test_too_many_values_together_are_refused_before_any_is_read():
    services = served.make_services()
    request = IdentifyRequest(layer="NDVI", point=INSIDE, time=parse_time("2020"))

    with pytest.raises(LimitExceeded, match="10004 requested"):
        identified([request] * 2501, services)

    assert services.readers["s2"].cells_read == []


def test_removed_source_is_reported():
    services = served.make_services(*served.varied_collections(), broken=["GONE"])

    with pytest.raises(SourceUnavailable, match="GONE"):
        found("GONE", services=services)


def test_matching_etag_is_confirmed_without_reading():
    services = served.make_services()
    request, form = IdentifyRequest(layer="NDVI", point=INSIDE), InfoFormat(media_type="text/plain", encode=repr)
    first = deliver_identified([request], form, services)
    services.readers["s2"].cells_read.clear()

    second = deliver_identified([request], form, services, client_etags={first.etag})

    assert second.unchanged
    assert services.readers["s2"].cells_read == []


def test_a_new_revision_is_another_answer():
    services = served.make_services()
    request, form = IdentifyRequest(layer="NDVI", point=INSIDE), InfoFormat(media_type="text/plain", encode=repr)
    first = deliver_identified([request], form, services)
    services.readers["s2"].revisions["NDVI"] = "r2"

    assert deliver_identified([request], form, services).etag != first.etag
