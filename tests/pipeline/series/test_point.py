"""From a series request to the values of one cell."""

import numpy as np
import pytest

from chronotile.catalog.limits import Limits
from chronotile.core.errors import InvalidParameter, LimitExceeded, SourceUnavailable
from chronotile.core.model.request import Point, SeriesRequest
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.native_cell import SWAPPED, outside_hints
from chronotile.pipeline.series.point import extract_series
from tests.protocols import served

UTM = crs_of("EPSG:32631")
INSIDE = Point(x=601_050.0, y=5_640_050.0, crs=UTM)
"""The middle of the cell in row 99, column 10."""


def series(layer="NDVI", *, point=INSIDE, time=None, services=None):
    request = SeriesRequest(layer=layer, point=point, time=parse_time(time))
    return extract_series(request, services or served.make_services())


def test_a_series_has_the_numbers_of_the_cell_under_the_point():
    found = series()

    assert found.values.tolist() == [(3 * 99 + 7 * 10 + 40 * time) % 250 for time in range(4)]
    assert [str(instant)[:10] for instant in found.times] == ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]
    assert found.reasons == (None,) * 4


def test_values_are_number_times_scale_plus_offset_in_float64():
    variable = served.make_variable(scale=0.004, offset=-0.08)
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))

    found = series(services=services)

    assert found.values[0] == ((3 * 99 + 7 * 10) % 250) * 0.004 + -0.08


def test_gap_has_a_reason():
    numbers = [(3 * 99 + 7 * 10 + 40 * time) % 250 for time in range(4)]
    variable = served.make_variable(flags=((numbers[1], "cloud"),), nodata=numbers[2], valid_range=(0, numbers[3] - 1))
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))

    found = series(services=services)

    assert found.reasons[1:] == ("cloud", "nodata", "outside_range")
    assert np.isnan(found.values[1:]).all()


def test_an_interval_and_its_order():
    assert [str(instant)[:10] for instant in series(time="2020-06-05/..").times] == ["2020-06-11", "2020-06-21"]


def test_an_interval_without_times_is_empty():
    found = series(time="2019/2019")

    assert found.times.size == found.values.size == len(found.reasons) == 0


def test_point_outside_is_refused_with_the_extent_of_the_layer():
    with pytest.raises(InvalidParameter, match=r"longitude.*latitude") as caught:
        series(point=Point(x=10.0, y=10.0))

    assert caught.value.locator == "point"


def test_point_in_the_box_of_a_tilted_grid_but_outside_the_grid_has_a_reason():
    west, _south, _east, north = served.BELGIUM_31N.bbox_in(CRS84)
    message = (
        "the point lies outside layer NDVI, which reaches from 4.41673 to 4.99459 in longitude and from 50.7149 to "
        "50.9929 in latitude; the area is not a rectangle in longitude and latitude and does not fill this box"
    )

    with pytest.raises(InvalidParameter, match=f"^{message}$"):
        series(point=Point(x=west + 0.001, y=north - 0.001))
    with pytest.raises(InvalidParameter, match=r"in latitude$"):
        series(point=Point(x=west - 0.001, y=north - 0.001))


def test_the_area_of_a_geographic_grid_is_its_box():
    layer = served.make_layer(variable=served.make_variable(grid=served.FLANDERS_4326))

    assert outside_hints(np.array([(10.0, 10.0), (50.9, 4.5)]), layer) == ["", SWAPPED]


def test_swapped_latitude_and_longitude_are_hinted_at():
    with pytest.raises(InvalidParameter, match="swapped"):
        series(point=Point(x=50.9, y=4.5))


def test_a_composite_has_no_values():
    services = served.make_services(served.make_collection(served.make_composite()))

    with pytest.raises(InvalidParameter, match="RED, GREEN, BLUE"):
        series("TRUE_COLOUR", services=services)


def test_a_series_past_the_limit_is_refused():
    with pytest.raises(LimitExceeded, match="max_series_values"):
        series(services=served.make_services(limits=Limits(max_series_values=3)))


def test_a_source_that_fails_names_the_layer():
    with pytest.raises(SourceUnavailable, match="layer NDVI"):
        series(services=served.make_services(broken=["NDVI"]))
