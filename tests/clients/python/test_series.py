"""Series as tables, compared with the formula, the server's documents and the files."""

import warnings
from io import StringIO

import numpy as np
import pandas as pd
import pytest
import shapely
from rasterio.features import geometry_mask
from shapely.geometry import box, mapping

from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile_client import ArchiveWarning, InvalidRequest, LimitExceeded
from chronotile_client.notes import notices_of_notes
from tests.protocols.served import BELGIUM_31N, DEKADS, number_at

TO_DEGREES = transformer(BELGIUM_31N.crs, CRS84)
CELLS = [(row, column) for row in (3, 40, 120) for column in (5, 60, 200, 333)]


def degrees_of(geometry, to_degrees):
    """Return a geometry in degrees."""
    return shapely.transform(geometry, to_degrees.transform, interleaved=False)


def position_of(row, column):
    """Return longitude and latitude of a cell's centre."""
    return TO_DEGREES.transform(*BELGIUM_31N.centre_of(row, column))


def numbers_of(row, column):
    """Return the formula's numbers in a cell."""
    return [float(number_at(np.array(row), np.array(column), time)) for time in range(len(DEKADS.instants))]


def area_of(first, last):
    """Return the outline of a range of cells, both ends included, in degrees."""
    (left, top), (right, bottom) = BELGIUM_31N.centre_of(*first), BELGIUM_31N.centre_of(*last)
    return mapping(degrees_of(box(left - 50, bottom - 50, right + 50, top + 50), TO_DEGREES))


def test_series_of_a_point_has_the_numbers_of_its_cell(archive):
    table = archive.layers["NDVI"].series(position_of(12, 34))

    assert table["value"].tolist() == numbers_of(12, 34)
    assert list(table.index) == list(DEKADS.instants)
    assert table["reason"].isna().all()


def test_missing_values_have_a_reason(archive):
    table = archive.layers["NDVI"].series(position_of(0, 34))

    assert table["value"].isna().all()
    assert set(table["reason"]) == {"nodata"}


def test_series_of_a_point_requests_the_time(recorded):
    table = recorded.archive.layers["NDVI"].series(position_of(12, 34), time=slice("2020-06-05", "2020-06-15"))

    assert table.index.astype(str).tolist() == ["2020-06-11"]


def test_attributes_have_units_and_attribution(archive):
    layer = archive.layers["NDVI"]
    area = area_of((3, 5), (9, 8))

    tables = [layer.series(position_of(12, 34)), layer.series([position_of(1, 2)]), layer.series(area)]

    for table in tables:
        assert table.attrs["layer"] == "NDVI"
        assert table.attrs["units"] == layer.units
        assert table.attrs["attribution"] == layer.attribution


def test_points_are_rows_with_their_names(recorded):
    points = {f"cell {row}-{column}": position_of(row, column) for row, column in CELLS}

    table = recorded.archive.layers["NDVI"].series(points)

    assert list(dict.fromkeys(table["id"])) == list(points)
    for cell, (name, (lon, lat)) in zip(CELLS, points.items(), strict=True):
        own = table[table["id"] == name]
        assert own["value"].tolist() == numbers_of(*cell)
        assert set(own["longitude"]) == {lon}
        assert set(own["latitude"]) == {lat}
    assert recorded.paths() == ["/layers", "/timeseries/points"]


def test_points_outside_are_warned_of_and_have_a_reason(archive):
    with pytest.warns(ArchiveWarning, match=r"1 of 2 points \(id 2\): it lies outside the layer") as warned:
        table = archive.layers["NDVI"].series([position_of(12, 34), (0.0, 0.0)])

    assert warned[0].filename == __file__
    assert set(table.loc[table["id"] == 2, "reason"]) == {"outside_extent"}
    assert table.loc[table["id"] == 1, "value"].tolist() == numbers_of(12, 34)


@pytest.mark.parametrize(
    "limits",
    [{"max_features": 5}, {"max_series_values": 17}, {"max_series_values": 4}],
    ids=["features", "values", "one"],
)
def test_points_beyond_a_limit_are_requested_in_batches(make_recorded, limits):
    positions = [position_of(row, column) for row, column in CELLS]

    many = make_recorded(**limits)
    table = many.archive.layers["NDVI"].series(positions)

    expected = make_recorded().archive.layers["NDVI"].series(positions)
    pd.testing.assert_frame_equal(table, expected)
    assert many.paths().count("/timeseries/points") > 3


def test_areas_beyond_a_limit_are_requested_in_batches(make_recorded):
    areas = {"type": "FeatureCollection", "features": []}
    for number, (row, column) in enumerate(CELLS):
        geometry = area_of((row, column), (row + 6, column + 4))
        areas["features"].append({"type": "Feature", "id": f"f{number}", "properties": {}, "geometry": geometry})

    few = make_recorded(max_features=5)
    table = few.archive.layers["NDVI"].series(areas, reducers=["mean", "p10"])

    expected = make_recorded().archive.layers["NDVI"].series(areas, reducers=["mean", "p10"])
    pd.testing.assert_frame_equal(table, expected)
    assert few.paths().count("/timeseries/NDVI/areas") == 4
    assert list(dict.fromkeys(table["id"])) == [f"f{number}" for number in range(12)]


def features_of(*geometries):
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    return {"type": "FeatureCollection", "features": features}


AWAY = mapping(box(20, 20, 20.1, 20.1))


@pytest.mark.filterwarnings("ignore::chronotile_client.ArchiveWarning")
@pytest.mark.parametrize(
    "order", ["iioo", "ooii", "oiooi", "oooni"], ids=["behind", "in-front", "between", "without-geometry"]
)
@pytest.mark.parametrize("most", [2, 3])
def test_areas_outside_are_the_same_in_separate_batches(make_recorded, order, most):
    kinds = {"i": area_of((20, 40), (30, 51)), "o": AWAY, "n": None}
    areas = features_of(*(kinds[kind] for kind in order))
    options = {"reducers": ["mean", "count", "histogram:2"], "step": "P1M", "trend": "theil_sen"}

    table = make_recorded(max_features=most).archive.layers["NDVI"].series(areas, **options)

    expected = make_recorded().archive.layers["NDVI"].series(areas, **options)
    pd.testing.assert_frame_equal(table, expected)
    assert table.attrs == expected.attrs
    outside = table["id"].map(lambda number: order[number - 1]) == "o"
    assert set(table.loc[outside, "reason"]) == {"outside_extent"}
    assert table.loc[outside, "mean"].isna().all()
    assert table.loc[table["id"] == order.index("i") + 1, "total"].min() >= 11 * 12


def test_areas_that_all_lie_outside_are_an_error_in_batches_too(make_recorded):
    layer = make_recorded(max_features=2).archive.layers["NDVI"]

    with pytest.raises(InvalidRequest, match=r"all 2 geometries .* lie outside layer NDVI"):
        layer.series(features_of(AWAY, AWAY, None, None, AWAY))


def test_refused_area_is_an_error_among_others(make_recorded):
    layer = make_recorded(max_features=2).archive.layers["NDVI"]
    good, broken = area_of((20, 40), (30, 51)), {"type": "Polygon", "coordinates": []}

    with pytest.raises(InvalidRequest, match="feature 1 has no coordinates"):
        layer.series(features_of(good, good, broken, AWAY, good))


@pytest.mark.parametrize("ids", [["a", "b", "a"], [["a"], "b", "c"]], ids=["repeated", "lists"])
def test_analyses_whose_ids_are_no_keys_are_in_the_order_of_the_points(archive, ids):
    points = [{"type": "Point", "coordinates": position_of(row, 34)} for row in (12, 20, 28)]
    features = [{"type": "Feature", "id": id_, "geometry": point} for id_, point in zip(ids, points, strict=True)]

    table = archive.layers["NDVI"].series({"type": "FeatureCollection", "features": features}, trend="theil_sen")

    alone = [archive.layers["NDVI"].series(point, trend="theil_sen").attrs["analysis"] for point in points]
    assert table.attrs["analysis"] == alone
    assert table["id"].tolist() == [id_ for id_ in ids for _ in range(4)]


def test_one_point_beyond_a_limit_is_an_error_with_its_job(make_recorded):
    layer = make_recorded(max_series_values=3).archive.layers["NDVI"]

    with pytest.raises(LimitExceeded, match="or run the process 'time-series' as a job") as caught:
        layer.series([position_of(1, 2), position_of(3, 4)])

    assert (caught.value.limit, caught.value.allowed, caught.value.asked) == ("max_series_values", 3, 4)
    assert caught.value.job["href"].endswith("/ogcapi/processes/time-series/execution")


def test_areas_have_the_statistics_of_their_cells(archive):
    rows, columns = np.mgrid[20:31, 40:52]

    table = archive.layers["NDVI"].series(area_of((20, 40), (30, 51)), reducers=["mean", "max", "p10"])

    for time, (_, row) in enumerate(table.iterrows()):
        numbers = number_at(rows, columns, time).astype(float)
        assert row["mean"] == pytest.approx(numbers.mean(), rel=1e-6)
        assert row["max"] == numbers.max()
        assert row["p10"] == pytest.approx(np.percentile(numbers, 10), rel=1e-6)
    assert set(table["total"]) == set(table["valid"]) == {rows.size}
    assert "id" not in table


def test_reason_of_an_area_is_the_commonest(archive):
    layer = archive.layers["NDVI"]

    without = layer.series(area_of((0, 40), (0, 51)))
    with_values = layer.series(area_of((0, 40), (3, 51)))
    too_few = layer.series(area_of((0, 40), (3, 51)), min_valid=0.8)

    assert set(without["reason"]) == set(too_few["reason"]) == {"nodata"}
    assert with_values["mean"].notna().all()
    assert with_values["reason"].isna().all()
    assert set(with_values["total"] - with_values["valid"]) == set(too_few["total"] - too_few["valid"]) == {12}


def four_areas():
    """Areas inside, outside and half outside the data, and an area without any cell centre."""
    (x, y), (left, _) = BELGIUM_31N.centre_of(20, 40), BELGIUM_31N.centre_of(20, 0)
    outlines = {
        "inside": box(x - 250, y - 250, x + 250, y + 250),
        "outside": box(left - 9_000, y, left - 8_000, y + 1_000),
        "small": box(x + 20, y + 20, x + 30, y + 30),
        "half": box(left - 1_000, y - 500, left + 950, y + 450),
    }
    features = [
        {"type": "Feature", "id": name, "properties": {}, "geometry": mapping(degrees_of(outline, TO_DEGREES))}
        for name, outline in outlines.items()
    ]
    return {"type": "FeatureCollection", "features": features}


def test_areas_without_values_have_the_notes_of_the_server_and_a_reason(recorded):
    areas = four_areas()
    (document,) = [recorded.document("/timeseries/NDVI/areas", areas)]
    notes = {feature["id"]: feature.get("note") for feature in document["features"]}
    assert len(set(notes.values())) == 4

    with pytest.warns(ArchiveWarning) as warned:
        table = recorded.archive.layers["NDVI"].series(areas)

    by_area = table.groupby("id").first()
    assert by_area["note"].dropna().to_dict() == {name: note for name, note in notes.items() if note}
    assert by_area["reason"].dropna().to_dict() == {"outside": "outside_extent", "small": "no_cells"}
    assert by_area["mean"].isna().to_dict() == {"half": False, "inside": False, "outside": True, "small": True}
    assert [str(each.message) for each in warned] == [
        f"1 of 4 areas (id {name!r}): {notes[name]}" for name in ("outside", "small", "half")
    ]
    assert "weights=auto" in str(warned[1].message)


def test_area_with_parts_of_cells_has_a_value_with_weights_of_areas(archive):
    areas = four_areas()
    areas["features"] = areas["features"][::2]

    table = archive.layers["NDVI"].series(areas, weights="area")

    assert table["mean"].notna().all()
    assert "note" not in table


def test_warnings_of_many_areas_are_few():
    features = [{"note": "outside"}] * 7 + [{}] + [{"note": f"repaired at {number}"} for number in range(20)]

    texts = [notice.text for notice in notices_of_notes(features, range(1, 29), "areas")]

    assert texts[:2] == ["7 of 28 areas (id 1, 2, 3, 4, 5 and 2 more): outside", "1 of 28 areas (id 9): repaired at 0"]
    assert texts[5:] == ["16 more areas have other notes, not listed here"]


def test_ids_of_unnamed_places_equal_those_of_the_tables_of_the_server(recorded):
    areas = four_areas()
    areas["features"] = [{**feature, "id": None} for feature in areas["features"][::2]]
    answer = recorded.client.post("/timeseries/NDVI/areas?format=csv", json=areas)
    of_server = pd.read_csv(StringIO(answer.text))

    with pytest.warns(ArchiveWarning, match="id 2"):
        of_client = recorded.archive.layers["NDVI"].series(areas)

    assert of_client["id"].tolist() == of_server["id"].tolist()
    np.testing.assert_allclose(of_client["mean"], of_server["mean"])
    points = recorded.archive.layers["NDVI"].series([position_of(1, 2), position_of(3, 4)])
    assert set(points["id"]) == {1, 2}


def test_box_and_histogram(archive):
    (west, north), (east, south) = position_of(20, 40), position_of(30, 51)

    table = archive.layers["NDVI"].series((west, south, east, north), reducers=["histogram:2:0:250", "count"])

    assert list(table.columns)[:3] == ["histogram:2:0:250.0", "histogram:2:0:250.1", "count"]
    assert (table["histogram:2:0:250.0"] + table["histogram:2:0:250.1"] == table["count"]).all()
    assert table.attrs["edges"] == {"histogram:2:0:250": [0, 125, 250]}


def test_analysis_is_in_columns_and_attributes(recorded):
    lon, lat = position_of(12, 34)
    document = recorded.document("/timeseries/NDVI/point", lon=repr(lon), lat=repr(lat), anomaly="z", trend="theil_sen")

    table = recorded.archive.layers["NDVI"].series((lon, lat), anomaly="z", trend="theil_sen")

    assert table["climatology"].tolist() == pytest.approx(document["analysis"]["climatology"], nan_ok=True)
    assert table["anomaly_z"].isna().tolist() == [value is None for value in document["analysis"]["anomaly"]]
    assert table.attrs["analysis"]["trend"] == document["analysis"]["trend"]
    assert table.attrs["methods"] == document["methods"]


@pytest.mark.parametrize("kind", ["abs", "z", "percentile"])
def test_columns_of_an_analysis_are_called_as_in_csv(recorded, kind):
    (west, north), (east, south) = position_of(20, 40), position_of(30, 51)
    box_of = {"bbox": f"{west!r},{south!r},{east!r},{north!r}", "anomaly": kind, "smooth": "whittaker"}
    answer = recorded.client.get("/timeseries/NDVI/area", params={**box_of, "format": "csv"})
    header = answer.text.partition("\n")[0].split(",")

    table = recorded.archive.layers["NDVI"].series((west, south, east, north), anomaly=kind, smooth="whittaker")

    assert {name for name in header if name.startswith("mean")} == {
        name for name in table.columns if name.startswith("mean")
    }


def test_series_without_a_season_are_warned_of(archive):
    layer = archive.layers["NDVI"]
    remedy = "no whole season was found in the requested time: .* request some months before and after"

    with pytest.warns(ArchiveWarning, match=rf"^{remedy}"):
        layer.series(position_of(12, 34), time="2020", phenology="threshold")
    with pytest.warns(ArchiveWarning, match=rf"2 of 2 points \(id 'A', 'B'\): {remedy}"):
        layer.series({"A": position_of(12, 34), "B": position_of(20, 34)}, time="2020", phenology="threshold")
    with pytest.warns(ArchiveWarning) as warned:
        table = layer.series(area_of((20, 40), (30, 51)), reducers=["mean", "max"], phenology="threshold")

    assert [str(each.message) for each in warned] == ["no whole season was found in all times"]
    assert table.attrs["analysis"]["mean"]["phenology"]["start"] == []


def test_analysis_of_areas_is_by_reducer(archive):
    table = archive.layers["NDVI"].series(area_of((20, 40), (30, 51)), reducers=["mean", "max"], step="P1M")

    assert table.index.astype(str).tolist() == ["2020-05-01", "2020-06-01"]
    assert table["mean.count"].tolist() == table["max.count"].tolist() == [1, 3]


def test_series_without_a_time_in_the_interval_is_empty(archive):
    table = archive.layers["NDVI"].series(position_of(12, 34), time="2031/2032")

    assert table.empty
    assert list(table.columns) == ["value", "reason"]


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [({"smoth": "whittaker"}, "smoth"), ({"time": "yesterday"}, "datetime"), ({"reducers": "mean"}, "reducers")],
)
def test_refused_parameter_is_named(archive, arguments, parameter):
    with pytest.raises(InvalidRequest, match=f"parameter: {parameter}") as caught:
        archive.layers["NDVI"].series(position_of(12, 34), **arguments)

    assert caught.value.parameter == parameter
    assert caught.value.status == 400


def test_complete_answer_has_no_warning(archive):
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        archive.layers["NDVI"].series([position_of(12, 34)])


@pytest.mark.slow
def test_series_of_the_demo_equal_its_files(demo, ndvi_of_files):
    x, y = float(ndvi_of_files.x[77]), float(ndvi_of_files.y[31])
    point = transformer(crs_of("EPSG:3035"), CRS84).transform(x, y)

    table = demo.archive.layers["NDVI"].series(point)

    np.testing.assert_allclose(table["value"], ndvi_of_files[:, 31, 77].values, atol=1e-6)
    assert table["reason"].notna().equals(table["value"].isna())


@pytest.mark.slow
def test_areas_of_the_demo_equal_those_of_rasterio(demo, ndvi_of_files):
    outline = box(3_925_030, 3_108_020, 3_931_270, 3_112_880)
    size = float(ndvi_of_files.x[1] - ndvi_of_files.x[0])
    affine = BELGIUM_31N.transform.__class__(
        size, 0, float(ndvi_of_files.x[0]) - size / 2, 0, -size, float(ndvi_of_files.y[0]) + size / 2
    )
    inside = geometry_mask([outline], ndvi_of_files.shape[1:], affine, invert=True)
    in_degrees = degrees_of(outline.segmentize(500), transformer(crs_of("EPSG:3035"), CRS84))

    table = demo.archive.layers["NDVI"].series(in_degrees, reducers=["mean", "count"])

    values = ndvi_of_files.values[:, inside]
    assert set(table["total"]) == {inside.sum()}
    assert table["count"].tolist() == np.isfinite(values).sum(axis=1).tolist()
    with warnings.catch_warnings(action="ignore"):  # dates without a value
        np.testing.assert_allclose(table["mean"], np.nanmean(values, axis=1), atol=1e-6)


@pytest.mark.slow
def test_place_of_the_server(demo):
    document = demo.document("/timeseries/NDVI/area", place="regions/mechelen")

    table = demo.archive.layers["NDVI"].series("regions/mechelen")

    expected = [np.nan if value is None else value for value in document["features"][0]["series"]["mean"]]
    np.testing.assert_array_equal(table["mean"], expected)
