"""From an area to its series."""

import numpy as np
import pytest

from chronotile.catalog.catalogue import Limits
from chronotile.errors import InvalidParameter, LimitExceeded, SourceUnavailable
from chronotile.model.area import Area
from chronotile.model.crs import crs_of
from chronotile.model.request import AREA_REDUCERS, AreaSeriesRequest
from chronotile.model.time import parse_time
from chronotile.pipeline.extract_area_series import extract_area_series
from tests.protocols import served

UTM = crs_of("EPSG:32631")


def square(row=10, column=20, cells=8):
    """Over `cells` by `cells` cells of the formula's grid."""
    left, top = 600_000 + 100.0 * column, 5_650_000 - 100.0 * row
    right, bottom = left + 100.0 * cells, top - 100.0 * cells
    ring = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    return Area(polygons=((ring,),), crs=UTM)


def series(area=None, *, services=None, time=None, reducers=AREA_REDUCERS, layer="NDVI"):
    request = AreaSeriesRequest(layer=layer, area=area or square(), time=parse_time(time), reducers=reducers)
    return extract_area_series(request, services or served.make_services())


def values_of(time, *, row=10, column=20, cells=8):
    rows, columns = np.mgrid[row : row + cells, column : column + cells]
    numbers = served.number_at(rows, columns, time)
    return numbers[numbers != served.NODATA].astype(float)


@pytest.mark.parametrize("reducer", ["mean", "min", "max", "std"])
def test_reducers_are_numpys_of_the_cells(reducer):
    found = series()

    expected = [getattr(np, reducer)(values_of(time)) for time in range(4)]

    assert found.reduced[reducer] == pytest.approx(expected, rel=1e-12)


def test_cells_without_a_value_are_not_counted():
    found = series(square(row=0))

    assert found.total == 64
    assert found.valid.tolist() == found.reduced["count"].tolist() == [56] * 4
    assert found.reduced["mean"] == pytest.approx([values_of(time, row=0).mean() for time in range(4)], rel=1e-12)


def test_a_date_without_a_value_is_told_as_such():
    variable = served.make_variable(valid_range=(251, 252))

    found = series(services=served.make_services(served.make_collection(served.make_layer(variable=variable))))

    assert found.valid.tolist() == [0] * 4
    assert np.isnan(found.reduced["mean"]).all()


def test_means_are_of_values_in_float64():
    variable = served.make_variable(scale=0.004, offset=-0.08)
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))

    assert series(services=services).reduced["mean"][0] == pytest.approx(
        (values_of(0) * 0.004 - 0.08).mean(), rel=1e-12
    )


def test_an_interval_and_none():
    assert [str(instant)[:10] for instant in series(time="2020-06-05/..").times] == ["2020-06-11", "2020-06-21"]
    assert series(time="2019/2019").reduced["mean"].size == 0


def test_an_area_outside_says_how_far_the_layer_reaches():
    with pytest.raises(InvalidParameter, match="longitude") as caught:
        series(square(row=-100))

    assert caught.value.locator == "geometry"


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        pytest.param({"max_pixels": 63}, "max_pixels", id="cells"),
        pytest.param({"max_series_values": 3}, "max_series_values", id="times"),
        pytest.param({"max_cube_values": 255}, "max_cube_values", id="cells over times"),
    ],
)
def test_too_much_is_refused_before_it_is_read(limits, name):
    services = served.make_services(limits=Limits(**limits))

    with pytest.raises(LimitExceeded) as caught:
        series(services=services)

    assert caught.value.limit == name
    assert services.readers["s2"].windows_read == []


def test_a_source_that_is_gone_is_unavailable():
    with pytest.raises(SourceUnavailable, match="NDVI"):
        series(services=served.make_services(broken=["NDVI"]))
