"""Coverages of native cells: the right ones, the source's numbers, one number for all cells without a value."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from chronotile.catalog.limits import Limits
from chronotile.core.errors import (
    InvalidParameter,
    LimitExceeded,
    OutsideData,
    SourceUnavailable,
    TimeNotAvailable,
    UnknownLayer,
)
from chronotile.core.model.collection import TimeRules
from chronotile.core.model.coverage import CoverageRequest, Trim
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import NO_TIME, TimeDomain
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.coverage.extract import extract_coverage
from chronotile.pipeline.coverage.numbers import nodata_of, output_encoding
from tests.protocols.served import (
    BELGIUM_31N,
    DEKADS,
    NODATA,
    days_of,
    make_collection,
    make_composite,
    make_layer,
    make_services,
    make_variable,
    number_at,
)

UTM = BELGIUM_31N.crs
GLOBE = NativeGrid(crs=CRS84, transform=Affine(1.0, 0, -180.0, 0, -1.0, 90.0), width=360, height=180)
REGION = replace(GLOBE, transform=Affine(1.0, 0, 100.0, 0, -1.0, 20.0), width=100, height=40)
INF = float("inf")


def make_services_on(grid, **encoding):
    return make_services(make_collection(make_layer(variable=make_variable(grid=grid, **encoding))))


def box(*edges, crs=UTM, locator="bbox"):
    return Trim(box=BBox(*edges), crs=crs, locator=locator)


def ask(services=None, layers=("NDVI",), **request):
    return extract_coverage(CoverageRequest(layers=layers, **request), services or make_services())


def read_all(coverage, field=0):
    """Return (time, y, x)."""
    return coverage.read_times(field, times=range(len(coverage.times) or 1), rows=range(coverage.grid.height))


def cells(rows, columns, time=0):
    """Return (y, x) of the formula at some rows and columns."""
    return number_at(np.array(rows)[:, None], np.array(columns)[None, :], time)


def test_without_trims_it_is_the_whole_source_at_all_times():
    coverage = ask()

    expected = [cells(range(300), range(400), time) for time in range(4)]
    np.testing.assert_array_equal(read_all(coverage), expected)
    assert coverage.grid.bbox == BELGIUM_31N.bbox
    assert coverage.times.starts.tolist() == DEKADS.starts.tolist()
    assert coverage.nbytes == 4 * 300 * 400


def test_a_box_has_the_cells_that_it_shares_more_than_an_edge_with():
    coverage = ask(trims=(box(601_000.0, 5_640_050.0, 602_050.0, 5_640_200.0),))

    assert coverage.grid.bbox == (601_000, 5_640_000, 602_100, 5_640_200)
    np.testing.assert_array_equal(read_all(coverage)[1], cells(range(98, 100), range(10, 21), 1))


def test_a_slice_has_the_cell_that_holds_the_position():
    coverage = ask(trims=(box(601_000.0, -INF, 601_000.0, INF), box(-INF, 5_640_000.0, INF, 5_640_000.0)))

    assert (coverage.grid.width, coverage.grid.height) == (1, 1)
    assert read_all(coverage)[0] == cells([100], [10])


@pytest.mark.parametrize(
    ("trims", "locator"),
    [
        pytest.param([box(0.0, 0.0, 1000.0, 1000.0)], "bbox", id="elsewhere"),
        pytest.param([box(500_000.0, 5_600_000.0, 600_000.0, 5_660_000.0)], "bbox", id="only its edge"),
        pytest.param([box(599_999.0, -INF, 599_999.0, INF, locator="subset")], "subset", id="slice beside"),
        pytest.param([box(4.0, 10.0, 5.0, 11.0, crs=CRS84, locator="subset")], "subset", id="other latitude"),
        pytest.param([box(100.0, 50.0, 101.0, 51.0, crs=CRS84)], "bbox", id="other side of the world"),
        pytest.param(
            [box(600_000.0, -INF, 601_000.0, INF), box(602_000.0, -INF, 603_000.0, INF, locator="subset")],
            "subset",
            id="nothing in common",
        ),
    ],
)
def test_trims_that_leave_nothing_are_refused_by_name(trims, locator):
    with pytest.raises(OutsideData) as refused:
        ask(trims=tuple(trims))

    assert refused.value.locator == locator


def test_a_refusal_names_the_extent_in_the_crs_of_the_trim():
    with pytest.raises(InvalidParameter, match="600000 to 640000 in x and 5620000 to 5650000 in y"):
        ask(trims=(box(0.0, 0.0, 1.0, 1.0),))


@pytest.mark.parametrize(
    ("grid", "edges", "columns", "west"),
    [
        pytest.param(GLOBE, (170.0, -170.0), [*range(350, 360), *range(10)], 170.0, id="across the antimeridian"),
        pytest.param(GLOBE, (170.0, 190.0), [*range(350, 360), *range(10)], 170.0, id="beyond 180"),
        pytest.param(GLOBE, (-190.0, -170.0), [*range(350, 360), *range(10)], -190.0, id="before -180"),
        pytest.param(GLOBE, (0.0, 360.0), [*range(180, 360), *range(180)], 0.0, id="a circle from 0 on"),
        pytest.param(GLOBE, (-1000.0, 1000.0), list(range(360)), -180.0, id="several circles"),
        pytest.param(GLOBE, (370.5, 370.5), [190], 10.0, id="a slice in another turn"),
        pytest.param(REGION, (-170.0, -150.0), [90 + column for column in range(10)], 190.0, id="a turn further"),
        pytest.param(REGION, (90.0, 110.0), list(range(10)), 100.0, id="beyond its west"),
    ],
)
def test_longitudes_are_found_in_any_turn(grid, edges, columns, west):
    coverage = ask(make_services_on(grid), trims=(box(edges[0], -5.0, edges[1], 5.0, crs=CRS84),))

    np.testing.assert_array_equal(read_all(coverage)[0][0], cells([round(grid.transform.f) - 5], columns)[0])
    assert coverage.grid.bbox.xmin == west


def test_a_gap_in_the_circle_has_no_values():
    grid = replace(GLOBE, transform=Affine(1.0, 0, -170.0, 0, -1.0, 90.0), width=340)

    coverage = ask(make_services_on(grid), trims=(box(160.0, 0.0, -160.0, 1.0, crs=CRS84),))

    expected = [*cells([89], range(330, 340))[0], *[NODATA] * 20, *cells([89], range(10))[0]]
    np.testing.assert_array_equal(read_all(coverage)[0][0], expected)
    assert coverage.grid.bbox == (160, 0, 200, 1)


@pytest.mark.parametrize("mirror", [1, -1], ids=["west first", "east first"])
def test_south_up_source_is_returned_north_up(mirror):
    grid = replace(BELGIUM_31N, transform=Affine(100.0 * mirror, 0, 600_000.0, 0, 100.0, 5_620_000.0))

    coverage = ask(make_services_on(grid), trims=(box(-INF, 5_620_000.0, INF, 5_620_150.0),))

    np.testing.assert_array_equal(read_all(coverage)[0], cells([1, 0], range(400)[::mirror]))
    assert coverage.grid.bbox == grid.bbox._replace(ymax=5_620_200)


def test_rows_may_be_read_in_any_runs():
    coverage = ask(trims=(box(600_000.0, 5_620_000.0, 601_000.0, 5_650_000.0),))

    runs = [coverage.read_times(0, times=range(2, 3), rows=rows)[0] for rows in coverage.row_runs]

    np.testing.assert_array_equal(np.concatenate(runs), cells(range(300), range(10), 2))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(None, [0, 1, 2, 3], id="all"),
        pytest.param("2020-06-11", [2], id="an instant"),
        pytest.param("2020-06-01/2020-06-15", [1, 2], id="an interval"),
        pytest.param("2020-05-21,2020-06-21", [0, 3], id="a list"),
        pytest.param("latest", [3], id="the latest"),
    ],
)
def test_times_equal_those_of_a_series(asked, found):
    coverage = ask(time=parse_time(asked))

    assert coverage.times.starts.tolist() == DEKADS.starts[found].tolist()
    np.testing.assert_array_equal(read_all(coverage)[:, 5, 5], [cells([5], [5], time)[0, 0] for time in found])


@pytest.mark.parametrize("asked", ["2020-06-02", "2020-06-02/2020-06-09"], ids=["instant", "interval"])
def test_a_time_that_is_not_there_is_refused_with_the_nearest(asked):
    with pytest.raises(TimeNotAvailable) as refused:
        ask(time=parse_time(asked))

    assert refused.value.locator == "datetime"
    assert refused.value.nearest == ("2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z")


def test_match_rules_hold():
    rules = TimeRules(match="nearest", tolerance=np.timedelta64(3, "D"))
    services = make_services(make_collection(make_layer(time_rules=rules)))

    coverage = ask(services, time=parse_time("2020-06-02"))

    assert coverage.times.starts.tolist() == DEKADS.starts[1:2].tolist()


def test_resolved_times_override_the_request():
    request = CoverageRequest(layers=("NDVI",), time=parse_time("latest"))

    coverage = extract_coverage(request, make_services(), times=DEKADS.starts[[0, 2]])

    assert coverage.times.starts.tolist() == DEKADS.starts[[0, 2]].tolist()
    assert coverage.times.ends.tolist() == DEKADS.ends[[0, 2]].tolist()
    np.testing.assert_array_equal(read_all(coverage), [cells(range(300), range(400), time) for time in (0, 2)])


def test_removed_resolved_time_is_reported():
    heights = make_layer("H", variable=make_variable("H", times=NO_TIME))
    services = make_services(make_collection(heights, make_layer()))
    times = np.array([DEKADS.starts[0], DEKADS.starts[0] + np.timedelta64(1, "D")])

    with pytest.raises(SourceUnavailable, match="NDVI no longer has all of the times"):
        extract_coverage(CoverageRequest(layers=("H", "NDVI")), services, times=times)


def test_fields_share_the_union_of_their_times():
    others = days_of("2020-06-01", "2020-06-05")
    heights = make_layer("H", variable=make_variable("H", times=NO_TIME))
    services = make_services(
        make_collection(make_layer(), make_layer("EVI", variable=make_variable("EVI", times=others)), heights)
    )

    coverage = ask(services, ("NDVI", "EVI", "H"), time=parse_time("2020-06-01/2020-06-11"))

    corner = [read_all(coverage, field)[:, 1, 1].tolist() for field in range(3)]
    assert corner == [[50, NODATA, 90], [10, 50, NODATA], [10, 10, 10]]
    assert coverage.times.starts.tolist() == days_of("2020-06-01", "2020-06-05", "2020-06-11").starts.tolist()


def test_a_layer_without_time_is_read_once():
    coverage = ask(make_services(make_collection(make_layer(variable=make_variable(times=NO_TIME)))))

    assert len(coverage.times) == 0
    np.testing.assert_array_equal(coverage.read_times(0, times=range(1), rows=range(2))[0], cells(range(2), range(400)))


def test_ends_of_periods_are_returned():
    dekads = TimeDomain(DEKADS.starts, np.append(DEKADS.starts[1:], np.datetime64("2020-07-01", "ns")))
    services = make_services(make_collection(make_layer(variable=make_variable(times=dekads))))

    assert ask(services).times.ends.tolist() == dekads.ends.tolist()


@pytest.mark.parametrize(
    ("encoding", "dtype", "nodata"),
    [
        pytest.param({"nodata": 255.0}, "uint8", 255, id="its own"),
        pytest.param({"nodata": 0.0}, "uint8", 0, id="another of its own"),
        pytest.param({"nodata": None, "valid_range": (0, 200)}, "uint8", 255, id="beyond the range"),
        pytest.param({"nodata": -9999.0, "flags": ((254, "cloud"),)}, "uint8", 254, id="of a flag"),
        pytest.param({"nodata": None}, "uint16", 65535, id="of a larger type"),
        pytest.param({"nodata": float("nan")}, "uint16", 65535, id="none that it could hold"),
    ],
)
def test_one_number_stands_for_all_missing_values(encoding, dtype, nodata):
    services = make_services_on(BELGIUM_31N, scale=0.5, offset=-1.0, **encoding)

    coverage = ask(services)

    told = coverage.fields[0].encoding
    assert (told.dtype, told.nodata, told.flags, told.valid_range) == (dtype, nodata, (), None)
    assert (told.scale, told.offset) == (0.5, -1.0)
    assert coverage.read_times(0, times=range(1), rows=range(1)).dtype == dtype


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("int8", -32_768), ("int16", -(2**31)), ("uint32", 2**64 - 2048), ("int64", -(2**63)), ("uint64", 2**64 - 2048)],
)
def test_numbers_without_room_for_nodata_have_the_next_larger_type(dtype, nodata):
    told = output_encoding(Encoding(dtype=dtype))

    assert nodata_of(told) == nodata
    assert np.full(1, nodata_of(told), dtype=told.dtype)[0] == nodata


def test_fill_value_beyond_exact_floats_is_replaced():
    encoding = Encoding(dtype="uint64", nodata=2**64 - 2)  # NC_FILL_UINT64

    assert nodata_of(output_encoding(encoding)) == 2**64 - 2048


def test_field_without_the_read_times_has_no_values():
    services = make_services(
        make_collection(make_layer(), make_layer("EVI", variable=make_variable("EVI", times=days_of("2020-06-05"))))
    )

    coverage = ask(services, ("NDVI", "EVI"))

    assert (coverage.read_times(1, times=range(1), rows=range(3))[0] == NODATA).all()
    assert coverage.read_times(1, times=range(1), rows=range(3))[0].shape == (3, 400)


def test_flags_and_values_out_of_range_become_nodata():
    services = make_services_on(BELGIUM_31N, valid_range=(0, 100), flags=((7, "cloud"),))

    numbers = ask(services).read_times(0, times=range(1), rows=range(300))[0]

    expected = cells(range(300), range(400))
    np.testing.assert_array_equal(numbers, np.where((expected > 100) | (expected == 7), NODATA, expected))


def test_too_much_is_refused_before_anything_is_read():
    services = make_services(limits=Limits(max_coverage_bytes=4 * 300 * 400 - 1))

    with pytest.raises(LimitExceeded) as refused:
        ask(services)

    assert (refused.value.limit, refused.value.needed) == ("max_coverage_bytes", 480_000)
    assert services.readers["s2"].windows_read == []


@pytest.mark.parametrize(
    ("layers", "error"),
    [
        pytest.param(("NOTHING",), UnknownLayer, id="unknown"),
        pytest.param(("RGB",), InvalidParameter, id="composite"),
        pytest.param(("NDVI", "FAR"), InvalidParameter, id="another grid"),
        pytest.param(("NDVI", "HEIGHT"), InvalidParameter, id="another collection"),
        pytest.param((), InvalidParameter, id="none"),
    ],
)
def test_layers_that_are_no_fields_of_one_coverage_are_refused(layers, error):
    services = make_services(
        make_collection(
            make_layer(), make_composite("RGB"), make_layer("FAR", variable=make_variable("FAR", grid=GLOBE))
        ),
        make_collection(make_layer("HEIGHT", collection="terrain")),
    )

    with pytest.raises(error):
        ask(services, layers)


def test_removed_source_is_unavailable():
    coverage = ask(services := make_services())
    services.readers["s2"].broken = frozenset({"NDVI"})

    with pytest.raises(SourceUnavailable, match="layer NDVI"):
        coverage.read_times(0, times=range(1), rows=range(1))


def test_etag_changes_only_with_the_read_values():
    services = make_services()
    before = ask(services, time=parse_time("2020-06-01")).etag

    services.readers["s2"].replaced[0] = "r2"
    unchanged = ask(services, time=parse_time("2020-06-01")).etag
    services.readers["s2"].replaced[1] = "r2"

    assert unchanged == before
    assert ask(services, time=parse_time("2020-06-01")).etag != before


def test_answer_has_the_requested_name_of_the_crs():
    services = make_services_on(replace(GLOBE, crs=crs_of("EPSG:4326")))

    coverage = ask(services, crs=CRS84, trims=(box(10.0, 10.0, 12.0, 12.0, crs=CRS84),))

    assert coverage.grid.crs == CRS84
    np.testing.assert_array_equal(read_all(coverage)[0], cells(range(78, 80), range(190, 192)))
