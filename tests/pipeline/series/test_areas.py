"""From an area to its series."""

import numpy as np
import pytest

from chronotile.catalog.limits import Limits
from chronotile.core.errors import ClientGone, InvalidParameter, LimitExceeded, SourceUnavailable
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.request import AreaSeriesRequest
from chronotile.core.model.series.reducers import parse_reducers
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.series import area_cells
from chronotile.pipeline.series import areas as extract_area_series_module
from chronotile.pipeline.series.areas import cost_of_area_series, extract_area_series
from tests.protocols import served

UTM = crs_of("EPSG:32631")


def square(row=10, column=20, cells=8):
    """Over `cells` by `cells` cells of the formula's grid."""
    left, top = 600_000 + 100.0 * column, 5_650_000 - 100.0 * row
    right, bottom = left + 100.0 * cells, top - 100.0 * cells
    ring = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    return Area(polygons=((ring,),), crs=UTM)


REDUCERS = ("mean", "min", "max", "std", "median", "p10", "count", "valid_share", "sum", "histogram:5:0:250")


def all_series(*areas, services=None, time=None, reducers=REDUCERS, layer="NDVI", **asked):
    request = AreaSeriesRequest(
        layer=layer, areas=areas, time=parse_time(time), reducers=parse_reducers(reducers), **asked
    )
    return extract_area_series(request, services or served.make_services())


def series(area=None, **asked):
    return all_series(area or square(), **asked).areas[0]


def values_of(time, *, row=10, column=20, cells=8):
    rows, columns = np.mgrid[row : row + cells, column : column + cells]
    numbers = served.number_at(rows, columns, time)
    return numbers[numbers != served.NODATA].astype(float)


@pytest.mark.parametrize(
    ("reducer", "numpys"),
    [
        *((name, getattr(np, name)) for name in ("mean", "min", "max", "std", "median", "sum")),
        ("p10", lambda values: np.percentile(values, 10)),
        ("valid_share", lambda _values: 1),
        ("histogram:5:0:250", lambda values: np.histogram(values, 5, (0, 250))[0]),
    ],
)
def test_reducers_are_numpys_of_the_cells(reducer, numpys):
    found = series()

    expected = np.array([numpys(values_of(time)) for time in range(4)])

    assert found.reduced[reducer] == pytest.approx(expected, rel=1e-12)


def test_reasons_are_counted_if_there_are_any():
    assert series().reasons == {}
    assert {name: counts.tolist() for name, counts in series(square(row=0)).reasons.items()} == {"nodata": [8] * 4}


def test_too_few_cells_with_a_value_give_none():
    found = series(square(row=0), min_valid=0.9)

    assert np.isnan(found.reduced["mean"]).all()
    assert found.reduced["valid_share"].tolist() == [56 / 64] * 4


def test_each_area_has_its_own_cells():
    one, other = square(), square(row=12, column=22)

    both = all_series(one, other).areas

    assert [each.reduced["mean"].tolist() for each in both] == [
        series(area).reduced["mean"].tolist() for area in (one, other)
    ]


def test_cells_without_a_value_are_not_counted():
    found = series(square(row=0))

    assert found.total == 64
    assert found.valid.tolist() == found.reduced["count"].tolist() == [56] * 4
    assert found.reduced["mean"] == pytest.approx([values_of(time, row=0).mean() for time in range(4)], rel=1e-12)


def test_date_without_a_value_is_reported():
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
    assert [str(instant)[:10] for instant in all_series(square(), time="2020-06-05/..").times] == [
        "2020-06-11",
        "2020-06-21",
    ]
    assert series(time="2019/2019").reduced["mean"].size == 0


def test_area_outside_is_refused_with_the_extent_of_the_layer():
    with pytest.raises(InvalidParameter, match="longitude") as caught:
        series(square(row=-100))

    assert caught.value.locator == "geometry"


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        pytest.param({"max_series_values": 3}, "max_series_values", id="times"),
        pytest.param({"max_series_values": 55}, "max_series_values", id="columns"),
        pytest.param({"max_area_values": 255}, "max_area_values", id="numbers read"),
    ],
)
def test_too_much_is_refused_before_it_is_read(limits, name):
    services = served.make_services(limits=Limits(**limits))

    with pytest.raises(LimitExceeded) as caught:
        series(services=services)

    assert caught.value.limit == name
    assert services.readers["s2"].windows_read == []


def test_cells_of_overlapping_areas_count_once_per_area():
    services = served.make_services(limits=Limits(max_area_values=10**6))

    with pytest.raises(LimitExceeded, match="smaller areas") as caught:
        all_series(*[square(cells=100)] * 30, services=services, reducers=("mean",))

    assert (caught.value.limit, caught.value.needed) == ("max_area_values", 30 * 100 * 100 * 4)
    assert services.readers["s2"].windows_read == []


def test_overlapping_areas_are_processed_separately(monkeypatch):
    areas = [*(square(row=row) for row in range(10, 15)), square(row=-100), square(row=200, cells=2)]
    at_once = all_series(*areas, services=(whole := served.make_services()))
    monkeypatch.setattr(area_cells, "RUN_CELLS", 2 * 8 * 8)

    services = served.make_services()
    in_runs = all_series(*areas, services=services)

    assert len(services.readers["s2"].windows_read) > len(whole.readers["s2"].windows_read)
    for one, other in zip(at_once.areas, in_runs.areas, strict=True):
        assert (one.area.note, one.total, one.valid.tolist()) == (other.area.note, other.total, other.valid.tolist())
        for name in REDUCERS:
            np.testing.assert_array_equal(one.reduced[name], other.reduced[name])


def test_an_area_of_too_many_cells_is_refused(monkeypatch):
    monkeypatch.setattr(extract_area_series_module, "MAX_AREA_CELLS", 63)
    # The blocks are not computed: that would take memory for each.
    monkeypatch.delattr(extract_area_series_module, "cheapest_readings")

    with pytest.raises(LimitExceeded, match=r"max_area_cells.*use smaller areas") as failure:
        series()
    assert failure.value.locator == "geometry"


def test_area_outside_among_others_has_no_cells_and_a_note():
    inside, outside = all_series(square(), square(row=-100)).areas

    assert inside.area.note is None
    assert outside.area.note.startswith("it lies outside the layer")
    assert (outside.total, outside.valid.tolist()) == (0, [0] * 4)
    assert np.isnan(outside.reduced["mean"]).all()


def test_an_area_between_centres_has_no_cells():
    left, top = 600_130.0, 5_649_870.0
    ring = np.array([(left, top), (left + 10, top), (left, top - 10), (left, top)])
    found = series(Area(polygons=((ring,),), crs=UTM))

    assert (found.total, found.reasons) == (0, {})
    assert found.reduced["count"].tolist() == [0] * 4


@pytest.mark.parametrize(
    ("area", "weights", "total", "note"),
    [
        pytest.param(square(cells=0.1), "pixel", 0, "weights=auto counts parts of cells", id="between centres"),
        pytest.param(square(cells=0.1), "area", 1, None, id="a part of a cell"),
        pytest.param(square(row=-4), "pixel", 4 * 8, "a part of it lies outside the layer, which reaches", id="across"),
        pytest.param(square(row=0, column=0), "pixel", 8 * 8, None, id="along the border"),
    ],
)
def test_missing_cells_of_an_area_are_reported(area, weights, total, note):
    found = series(area, weights=weights)

    assert found.total == total
    assert found.area.note is note or note in found.area.note


def test_area_outside_with_latitude_first_is_reported_as_such():
    ring = np.array([(50.8, 4.6), (50.9, 4.6), (50.9, 4.7), (50.8, 4.6)])

    _inside, swapped, elsewhere = all_series(
        square(), Area(polygons=((ring,),)), Area(polygons=((ring + 20.0,),))
    ).areas

    assert swapped.area.note.endswith("; longitude and latitude seem to be swapped")
    assert "swapped" not in elsewhere.area.note


def test_area_in_the_box_of_a_tilted_grid_but_outside_the_grid_has_a_reason():
    west, _south, _east, north = served.BELGIUM_31N.bbox_in(CRS84)
    corner = np.array([(west, north), (west + 0.002, north), (west + 0.002, north - 0.002), (west, north)])
    across, beyond = corner * 1, corner * 1
    across[2] = (west + 0.05, north - 0.05)
    beyond[0], beyond[3] = (west - 1, north), (west - 1, north)

    notes = [
        each.area.note
        for each in all_series(square(), *(Area(polygons=((ring,),)) for ring in (corner, across, beyond))).areas
    ]

    assert notes[0] is None
    assert [note.partition(", which")[0] for note in notes[1:]] == [
        "it lies outside the layer",
        "a part of it lies outside the layer",
        "it lies outside the layer",
    ]
    assert [
        note.endswith("; the area is not a rectangle in longitude and latitude and does not fill this box")
        for note in notes[1:]
    ] == [True, True, False]


def test_areas_that_may_all_be_outside_have_no_cells():
    (found,) = all_series(square(row=-100), may_be_outside=True).areas

    assert (found.total, found.valid.tolist()) == (0, [0] * 4)


def test_no_areas_have_no_series():
    assert all_series().areas == ()


def test_weights_of_area_count_the_parts_inside():
    part = Area(polygons=((square().polygons[0][0] + (50.0, 0.0),),), crs=UTM)

    found = series(part, weights="area")

    rows, columns = np.mgrid[10:18, 20:29]
    weights = np.where((columns == 20) | (columns == 28), 0.5, 1.0) * 100 * 100
    numbers = served.number_at(rows, columns, 0).astype(float)
    assert found.total == 64 + 8
    assert found.reduced["mean"][0] == pytest.approx(np.average(numbers, weights=weights), rel=1e-12)
    assert found.reduced["sum"][0] == pytest.approx((numbers * weights).sum(), rel=1e-12)


@pytest.mark.parametrize(("cells", "left"), [(9, 0.1), (37, 1 / 3), (300, 0.7)], ids=["small", "larger", "counted"])
def test_an_area_whose_cells_all_have_a_value_has_a_share_of_one(cells, left):
    variable = served.make_variable(nodata=None)
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))
    ring = square(cells=cells).polygons[0][0]
    shares = np.linspace(0, 1, 7)[1:-1]
    areas = tuple(Area(polygons=((ring + np.array([100 * left, 31.7]) * each,),), crs=UTM) for each in shares)

    for found in all_series(*areas, services=services, weights="area", min_valid=1).areas:
        assert found.reduced["valid_share"].tolist() == [1.0] * 4
        assert np.isfinite(found.reduced["mean"]).all()


def test_cost_is_estimated_without_reading():
    services = served.make_services()
    request = AreaSeriesRequest(
        layer="NDVI", areas=(square(), square(row=200)), reducers=parse_reducers(["mean", "p5"])
    )

    cost = cost_of_area_series(request, services)

    assert (cost.chunks, cost.bytes, cost.values) == (4, 4 * 512 * 512, 2 * 2 * 4)
    assert (cost.cells, cost.seconds > 0) == (2 * 64 * 4, True)
    assert services.readers["s2"].windows_read == []


def test_nothing_is_reduced_after_the_client_left():
    answers = iter([True])  # before the one window

    with pytest.raises(ClientGone):
        extract_area_series(
            AreaSeriesRequest(layer="NDVI", areas=(square(),)),
            served.make_services(),
            is_active=lambda: next(answers, False),
        )


def test_work_stops_when_the_client_left():
    services = served.make_services()
    request = AreaSeriesRequest(layer="NDVI", areas=(square(),))

    with pytest.raises(ClientGone):
        extract_area_series(request, services, is_active=lambda: False)

    assert services.readers["s2"].windows_read == []


def test_removed_source_is_unavailable():
    with pytest.raises(SourceUnavailable, match="NDVI"):
        series(services=served.make_services(broken=["NDVI"]))
