"""The values of chosen places at one time, compared with those in the matrix and with the cells."""

from dataclasses import replace

import numpy as np
import orjson
import pytest
import shapely
from pyproj import Transformer

from chronotile.core.errors import DateUnreadable, InvalidParameter, LimitExceeded, SourceUnavailable
from chronotile.core.model.places import PlaceValuesRequest
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.encoders.series.json import encode_place_values_json
from chronotile.pipeline.features.values import extract_place_columns, resolve_place_columns
from chronotile.pipeline.series.places import extract_place_values, resolve_place_values
from tests.places import make_places, square
from tests.protocols import served

NUMBERS = np.array([0, 2])
DAY = "2020-06-11"
"""The third of `served.DEKADS`."""


@pytest.fixture
def services():
    """Layers of all kinds, and four squares."""
    return served.make_services(*served.varied_collections(), places=[make_places(4)])


def request_of(layer="NDVI", time=DAY, numbers=NUMBERS):
    """Return the values of two places."""
    selection = {} if time is None else {"time": parse_time(time)}
    return PlaceValuesRequest(places="squares", layer=layer, numbers=numbers, **selection)


def columns_of(services, *requests):
    """Return the columns of some requests."""
    return extract_place_columns(resolve_place_columns(requests, services), services).columns


def test_values_equal_those_of_the_matrix_and_the_mean_of_the_cells(services):
    matrix_request = replace(request_of(), numbers=None)
    matrix = extract_place_values(resolve_place_values(matrix_request, services), matrix_request, services)

    columns = columns_of(services, request_of(), request_of("HEIGHT"))

    assert list(columns) == ["NDVI", "HEIGHT"]
    assert [[value] for value in columns["NDVI"]] == [
        orjson.loads(encode_place_values_json(matrix))["values"][number] for number in NUMBERS
    ]
    assert columns["NDVI"] == pytest.approx([mean_of_cells(number) for number in NUMBERS])
    assert np.isfinite(columns["HEIGHT"]).all()


def mean_of_cells(number):
    """Return the mean of the cells of NDVI whose centres lie in a square, by the formula of its numbers."""
    variable = served.make_variable()
    grid, encoding = variable.grid, variable.encoding
    rows, columns = np.mgrid[: grid.height, : grid.width]
    x, y = grid.transform @ (columns.ravel() + 0.5, rows.ravel() + 0.5)
    turn = Transformer.from_crs(grid.crs.name, "OGC:CRS84", always_xy=True).transform
    is_inside = shapely.contains_xy(square(number), *turn(x, y))
    numbers = served.number_at(rows.ravel()[is_inside], columns.ravel()[is_inside], 2)
    return float((numbers[numbers != encoding.nodata] * encoding.scale + encoding.offset).mean())


def test_without_a_time_the_default_of_each_layer_is_meant(services):
    target = resolve_place_columns([request_of(time=None), request_of("HEIGHT", time=None)], services)

    assert [str(instant)[:10] for instant in target.time.instants] == ["2020-06-21"]
    assert target.time.is_open


@pytest.mark.parametrize(("time", "count"), [("2020-06-01/2020-06-30", 3), ("2020-06-02/2020-06-03", 0)])
def test_a_mean_over_time_is_not_made_up(services, time, count):
    with pytest.raises(InvalidParameter, match=f"{count} times of layer NDVI are selected; one is accepted") as refusal:
        resolve_place_columns([request_of("HEIGHT"), request_of(time=time)], services)

    assert refusal.value.locator == "time"


def test_an_interval_with_one_instant_is_that_instant(services):
    assert columns_of(services, request_of(time="2020-06-09/2020-06-12")) == columns_of(services, request_of())


def test_a_place_outside_a_layer_has_no_value():
    far = replace(make_places(4), shapes=np.array([square(0), square(0), shapely.box(30, 10, 31, 11), square(1)]))
    services = served.make_services(places=[far])

    assert [value is None for value in columns_of(services, request_of())["NDVI"]] == [False, True]


def test_the_etag_is_of_the_places_layers_and_times(services):
    requests = [
        [request_of()],
        [request_of(numbers=np.array([0, 1]))],
        [request_of(time="2020-06-01")],
        [request_of("HEIGHT")],
        [request_of(), request_of("HEIGHT")],
    ]

    etags = [resolve_place_columns(each, services).etag for each in requests]

    assert len(set(etags)) == len(requests)
    assert etags[0] == resolve_place_columns([request_of()], services).etag


def test_values_of_all_layers_together_are_limited(services):
    limited = replace(services, catalogue=replace(services.catalogue, limits=served.Limits(max_series_values=3)))

    resolve_place_columns([request_of()], limited)
    with pytest.raises(LimitExceeded, match="max_series_values"):
        resolve_place_columns([request_of(), request_of("HEIGHT")], limited)


def test_a_source_that_cannot_be_read_is_an_error():
    services = served.make_services(places=[make_places(4)], broken=["NDVI"])

    with pytest.raises(SourceUnavailable):
        columns_of(services, request_of())


class Damaged(served.FormulaReader):
    """A source with an unreadable date before the last."""

    def read_window(self, variable, *, index, level, window, step=1):
        if index == 2:
            raise DateUnreadable("damaged")
        return super().read_window(variable, index=index, level=level, window=window, step=step)


def test_unreadable_dates_are_reported():
    services = served.make_services(places=[make_places(4)])
    damaged = replace(services, readers={name: Damaged(each.info) for name, each in services.readers.items()})

    found = extract_place_columns(resolve_place_columns([request_of()], damaged), damaged)

    assert found.columns["NDVI"] == (None, None)
    assert [str(instant)[:10] for instant in found.missing.unreadable_times] == [DAY]
