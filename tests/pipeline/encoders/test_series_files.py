"""Series in files that other programs read, as those programs read them."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr
from covjson_pydantic.coverage import CoverageCollection

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.series.series import AreaSeries, AreasSeries, Series
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.series.covjson import encode_series_covjson
from chronotile.pipeline.encoders.series.csv import encode_places_csv
from chronotile.pipeline.encoders.series.json import encode_areas_json, encode_series_geojson, encode_series_ndjson
from chronotile.pipeline.encoders.series.netcdf import encode_series_netcdf
from chronotile.pipeline.encoders.series.parquet import encode_series_parquet
from chronotile.pipeline.encoders.series.table import Column, table_of_areas, table_of_point

TIMES = np.array(["2020-06-01", "2020-06-11", "2020-06-21"], dtype="datetime64[ns]")
TEXTS = ["2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]
NO_TIME = np.array(["NaT"], dtype="datetime64[ns]")
CREDITS = Credits(attribution="Copernicus & co", license="CC-BY-4.0")


def square(x, y, size=0.1):
    return (np.array([(x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y)]),)


def ring(place):
    return square(*place)[0].tolist()


def point_series(times=TIMES):
    return Series(
        layer="NDVI",
        units="1",
        longitude=4.5,
        latitude=50.9,
        times=times,
        values=np.array([0.1, np.nan, 0.3])[: len(times)],
        reasons=(None, "cloud", None)[: len(times)],
        encoding=Encoding(dtype="float64"),
    )


def area_series(area, shift=0.0, count=3):
    counts = np.tile([1.0, 2.0], (count, 1))
    return AreaSeries(
        area=area,
        reduced={"mean": np.array([0.5 + shift, np.nan, 0.7])[:count], "histogram:2": counts},
        valid=np.array([4, 0, 3])[:count],
        total=4,
        reasons={},
    )


def areas_series(*areas, times=TIMES):
    return AreasSeries(
        layer="NDVI",
        units="1",
        times=times,
        areas=tuple(area_series(area, shift / 10, len(times)) for shift, area in enumerate(areas)),
        edges={"histogram:2": np.array([0.0, 0.5, 1.0])},
    )


FIELD = Area(polygons=(square(4.5, 50.8),), id="field 7", properties={"crop": "beet"}, note="ring 1 was closed")
TWO = Area(polygons=(square(4.5, 50.8), square(4.7, 50.8)), id="two")
NAMELESS = Area(polygons=((square(4.5, 50.8)[0], square(4.52, 50.82, 0.05)[0]),))


@pytest.fixture
def point():
    return table_of_point(point_series(), CREDITS)


@pytest.fixture
def areas():
    return table_of_areas(areas_series(FIELD, TWO, NAMELESS), CREDITS)


def joined(parts):
    return b"".join(parts)


def test_geojson_has_the_series_in_the_properties_of_features(areas):
    document = json.loads(joined(encode_series_geojson(areas)))

    first = document["features"][0]
    assert [document[name] for name in ("type", "layer", "units", "times")] == ["FeatureCollection", "NDVI", "1", TEXTS]
    assert (document["attribution"], document["license"]) == ("Copernicus & co", "CC-BY-4.0")
    assert document["edges"] == {"histogram:2": [0.0, 0.5, 1.0]}
    assert first == {
        "type": "Feature",
        "id": "field 7",
        "geometry": {"type": "Polygon", "coordinates": [ring((4.5, 50.8))]},
        "properties": {
            "crop": "beet",
            "series": {"mean": [0.5, None, 0.7], "histogram:2": [[1, 2]] * 3},
            "valid": [4, 0, 3],
            "total": 4,
            "note": "ring 1 was closed",
        },
    }


def test_geojson_has_several_polygons_as_one_geometry(areas):
    features = json.loads(joined(encode_series_geojson(areas)))["features"]

    assert features[1]["geometry"] == {
        "type": "MultiPolygon",
        "coordinates": [[ring((4.5, 50.8))], [ring((4.7, 50.8))]],
    }
    assert "id" not in features[2]


def test_geojson_of_a_point_gives_the_reason_for_a_missing_value(point):
    (feature,) = json.loads(joined(encode_series_geojson(point)))["features"]

    assert feature["geometry"] == {"type": "Point", "coordinates": [4.5, 50.9]}
    assert feature["properties"] == {"series": {"value": [0.1, None, 0.3]}, "reasons": [None, "cloud", None]}


def test_geojson_is_in_longitude_and_latitude_for_any_input():
    utm = crs_of("EPSG:32631")
    x, y = transformer(CRS84, utm).transform(*square(4.5, 50.8)[0].T)
    table = table_of_areas(areas_series(Area(polygons=((np.column_stack([x, y]),),), crs=utm)), Credits())

    (feature,) = json.loads(joined(encode_series_geojson(table)))["features"]

    assert np.allclose(feature["geometry"]["coordinates"][0], ring((4.5, 50.8)), atol=1e-9)


def test_outlines_have_the_orientation_of_geojson():
    clockwise = square(4.5, 50.8)[0][::-1]
    hole = square(4.52, 50.82, 0.05)[0]
    table = table_of_areas(areas_series(Area(polygons=((clockwise, hole),))), CREDITS)

    (feature,) = json.loads(joined(encode_series_geojson(table)))["features"]

    assert feature["geometry"]["coordinates"] == [clockwise[::-1].tolist(), hole[::-1].tolist()]


def test_ndjson_has_a_whole_feature_a_line(areas):
    lines = joined(encode_series_ndjson(areas)).decode().splitlines()

    features = [json.loads(line) for line in lines]
    assert [each.get("id") for each in features] == ["field 7", "two", None]
    assert all(each["properties"]["times"] == TEXTS for each in features)
    assert all(each["properties"]["attribution"] == "Copernicus & co" for each in features)


def test_long_texts_leave_in_pieces():
    table = table_of_areas(areas_series(*[FIELD] * 500), CREDITS)

    assert len(list(encode_series_ndjson(table))) > 2
    assert len(json.loads(joined(encode_series_geojson(table)))["features"]) == 500
    assert len(joined(encode_places_csv(table)).splitlines()) == 1 + 500 * 3


def test_csv_is_a_long_table(areas):
    rows = list(csv.reader(io.StringIO(joined(encode_places_csv(areas)).decode())))

    assert rows[0] == ["id", "time", "mean", "histogram:2.0", "histogram:2.1", "valid", "total", "note"]
    assert rows[1] == ["field 7", TEXTS[0], "0.5", "1", "2", "4", "4", "ring 1 was closed"]
    assert {row[-1] for row in rows[4:]} == {""}
    assert rows[2][2] == ""
    assert [row[0] for row in rows[1::3]] == ["field 7", "two", "3"]


def test_coverage_json_of_a_point_is_a_point_series(point):
    document = json.loads(joined(encode_series_covjson(point)))

    collection = CoverageCollection.model_validate_json(json.dumps(document))
    (coverage,) = collection.coverages
    assert coverage.domain.domainType.value == "PointSeries"
    assert document["coverages"][0]["domain"]["axes"]["t"] == {"values": TEXTS}
    assert coverage.ranges["value"].values == [0.1, None, 0.3]
    assert collection.parameters.root["value"].unit.symbol.value == "1"


def test_coverage_json_of_areas_is_polygon_series():
    table = table_of_areas(areas_series(FIELD, NAMELESS), CREDITS)

    collection = CoverageCollection.model_validate_json(joined(encode_series_covjson(table)))

    assert [each.domain.domainType.value for each in collection.coverages] == ["PolygonSeries"] * 2
    assert [each.id for each in collection.coverages] == ["field 7", None]
    assert collection.coverages[0].ranges["mean"].values == [0.5, None, 0.7]
    assert [len(each) for each in collection.coverages[1].domain.axes.composite.values] == [2]


def test_coverage_json_repeats_the_values_of_an_area_of_two_polygons(areas):
    coverage = json.loads(joined(encode_series_covjson(areas)))["coverages"][1]

    assert coverage["domain"].pop("domainType") == "MultiPolygonSeries"  # which the schema of the library lacks
    assert coverage["ranges"]["valid"]["shape"] == [3, 2]
    assert coverage["ranges"]["valid"]["values"] == [4, 4, 0, 0, 3, 3]
    CoverageCollection.model_validate_json(json.dumps({"type": "CoverageCollection", "coverages": [coverage]}))


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (table_of_point(point_series(NO_TIME), CREDITS), "Point"),
        (table_of_areas(areas_series(FIELD, times=NO_TIME), CREDITS), "Polygon"),
    ],
    ids=["point", "area"],
)
def test_coverage_json_without_time_has_no_axis_of_it(table, kind):
    collection = CoverageCollection.model_validate_json(joined(encode_series_covjson(table)))

    (coverage,) = collection.coverages
    assert (coverage.domain.domainType.value, coverage.domain.axes.t) == (kind, None)
    assert all(each.shape in ([], None) for each in coverage.ranges.values())


def test_parquet_is_a_long_table(areas):
    table = pq.read_table(io.BytesIO(encode_series_parquet(areas)))

    assert table.column_names == ["id", "time", "mean", "histogram:2.0", "histogram:2.1", "valid", "total", "note"]
    assert table["note"].to_pylist()[::3] == ["ring 1 was closed", None, None]
    assert table["id"].to_pylist()[::3] == ["field 7", "two", "3"]
    assert table["mean"].to_pylist()[:4] == [0.5, None, 0.7, 0.6]
    assert table["time"].to_numpy()[:3].tolist() == TIMES.tolist()
    assert str(table.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert table.schema.metadata[b"license"] == b"CC-BY-4.0"


def test_parquet_of_a_point_has_its_place(point):
    table = pq.read_table(io.BytesIO(encode_series_parquet(point)))

    assert table.column_names == ["id", "time", "longitude", "latitude", "value", "reason"]
    assert table["reason"].to_pylist() == [None, "cloud", None]
    assert table["id"].to_pylist() == [1, 1, 1]


def test_netcdf_of_a_point_is_a_time_series(point):
    with xr.open_dataset(io.BytesIO(encode_series_netcdf(point)), engine="h5netcdf") as found:
        assert (found.attrs["featureType"], found.attrs["Conventions"]) == ("timeSeries", "CF-1.11")
        assert (found.attrs["attribution"], found.attrs["license"]) == ("Copernicus & co", "CC-BY-4.0")
        assert (found["time"].values == TIMES).all()
        assert np.allclose(found["value"].values, [[0.1, np.nan, 0.3]], equal_nan=True)
        assert (float(found["longitude"].item()), float(found["latitude"].item())) == (4.5, 50.9)
        assert found["reason"].values.tolist() == [[0, 1, 0]]
        assert found["reason"].attrs["flag_meanings"] == "value cloud"


def test_netcdf_of_areas_has_their_outlines(areas):
    with xr.open_dataset(io.BytesIO(encode_series_netcdf(areas)), engine="h5netcdf") as found:
        assert found["id"].values.tolist() == ["field 7", "two", "3"]
        assert found["id"].attrs["cf_role"] == "timeseries_id"
        assert found["mean"].dims == ("station", "time")
        assert found["mean"].attrs["cell_methods"] == "area: mean"
        assert found["histogram_2_0"].values.tolist() == [[1.0] * 3] * 3
        assert found["node_count"].values.tolist() == [5, 10, 10]
        assert found["part_node_count"].values.tolist() == [5] * 5
        assert found["interior_ring"].values.tolist() == [0, 0, 0, 0, 1]
        assert found["mean"].attrs["geometry"] == "outline"
        assert found["note"].values.tolist() == ["ring 1 was closed", "", ""]


def test_netcdf_places_an_area_inside_itself(areas):
    with xr.open_dataset(io.BytesIO(encode_series_netcdf(areas)), engine="h5netcdf") as found:
        longitude, latitude = float(found["longitude"][2]), float(found["latitude"][2])

    assert 4.5 < longitude < 4.6
    assert 50.8 < latitude < 50.9
    assert not (4.52 < longitude < 4.57 and 50.82 < latitude < 50.87)


def test_netcdf_keeps_parts_of_seconds():
    times = TIMES + np.timedelta64(24, "ms")

    with xr.open_dataset(
        io.BytesIO(encode_series_netcdf(table_of_point(point_series(times), CREDITS))), engine="h5netcdf"
    ) as found:
        assert (found["time"].values == times).all()


EMPTY = [
    pytest.param(table_of_areas(areas_series(), CREDITS), id="no places"),
    pytest.param(table_of_areas(areas_series(FIELD, times=TIMES[:0]), CREDITS), id="no times"),
    pytest.param(table_of_point(point_series(TIMES[:0]), CREDITS), id="no times of a point"),
    pytest.param(table_of_point(point_series(NO_TIME), CREDITS), id="layer without time"),
]


@pytest.mark.parametrize("table", EMPTY)
@pytest.mark.parametrize(
    ("encode", "read"),
    [
        pytest.param(lambda table: joined(encode_series_geojson(table)), json.loads, id="geojson"),
        pytest.param(lambda table: joined(encode_places_csv(table)), bytes.decode, id="csv"),
        pytest.param(
            lambda table: joined(encode_series_covjson(table)), CoverageCollection.model_validate_json, id="covjson"
        ),
        pytest.param(encode_series_parquet, lambda body: pq.read_table(io.BytesIO(body)), id="parquet"),
        pytest.param(encode_series_netcdf, lambda body: xr.load_dataset(io.BytesIO(body)), id="netcdf"),
    ],
)
def test_files_without_values_are_complete(table, encode, read):
    assert read(encode(table)) is not None


def test_without_a_note_there_is_no_column_of_it():
    table = table_of_areas(areas_series(TWO), CREDITS)

    assert joined(encode_places_csv(table)).splitlines()[0].endswith(b",valid,total")
    assert "note" not in pq.read_table(io.BytesIO(encode_series_parquet(table))).column_names
    with xr.open_dataset(io.BytesIO(encode_series_netcdf(table)), engine="h5netcdf") as found:
        assert "note" not in found


def test_no_areas_have_the_columns_of_areas():
    table = table_of_areas(areas_series(), CREDITS, reducers=["mean", "histogram:2"])

    columns = ["mean", "histogram:2.0", "histogram:2.1", "valid", "total"]
    assert joined(encode_places_csv(table)).decode() == f"id,time,{','.join(columns)}\n"
    assert pq.read_table(io.BytesIO(encode_series_parquet(table))).column_names == ["id", "time", *columns]
    assert list(json.loads(joined(encode_series_covjson(table)))["parameters"]) == columns[:-1]
    with xr.open_dataset(io.BytesIO(encode_series_netcdf(table)), engine="h5netcdf") as found:
        assert {"mean", "histogram_2_0", "valid", "total"} <= set(found)


def test_totals_of_periods_are_in_each_row():
    series = areas_series(FIELD)
    periods = replace(series, areas=(replace(series.areas[0], totals=np.array([4, 8, 4])),))
    table = table_of_areas(periods, CREDITS)

    rows = list(csv.DictReader(io.StringIO(joined(encode_places_csv(table)).decode())))
    assert [row["total"] for row in rows] == ["4", "8", "4"]
    assert pq.read_table(io.BytesIO(encode_series_parquet(table)))["total"].to_pylist() == [4, 8, 4]
    with xr.open_dataset(io.BytesIO(encode_series_netcdf(table)), engine="h5netcdf") as found:
        assert found["total"].values.tolist() == [[4, 8, 4]]


def test_numbers_of_cells_are_whole_in_json():
    feature = json.loads(joined(encode_areas_json(table_of_areas(areas_series(FIELD), CREDITS))))["features"][0]

    assert json.dumps(feature["series"]["histogram:2"]) == "[[1, 2], [1, 2], [1, 2]]"


def test_coverage_json_labels_distinguish_value_and_findings():
    table = table_of_point(point_series(), CREDITS)
    (rows,) = table.parts()
    found = replace(rows, values={"value": np.zeros((1, 3)), "smooth": np.zeros((1, 3))})
    columns = (*table.columns, Column(name="smooth", units="1", times=TIMES, is_found=True))
    analysed = replace(table, columns=columns, parts=lambda: [found])

    parameters = json.loads(joined(encode_series_covjson(analysed)))["parameters"]

    labels = [parameters[name]["observedProperty"]["label"]["en"] for name in ("value", "smooth")]
    assert labels == ["NDVI", "NDVI, smooth"]


def test_names_that_netcdf_does_not_distinguish_are_numbered():
    one, other = "histogram:4:0.5:1", "histogram:4:0:5.1"
    found = AreaSeries(
        area=Area(polygons=(square(4, 50),), crs=CRS84, id="a\0b"),
        reduced={one: np.full((3, 4), 1.0), other: np.full((3, 4), 2.0)},
        valid=np.array([4, 4, 4]),
        total=4,
        reasons={},
    )
    series = AreasSeries(
        layer="NDVI", units="1", times=TIMES, areas=(found,), edges=dict.fromkeys([one, other], np.arange(5.0))
    )
    table = table_of_areas(series, CREDITS)

    with xr.open_dataset(io.BytesIO(encode_series_netcdf(table)), engine="h5netcdf") as file:
        assert file["id"].values.tolist() == ["ab"]
        assert [file[name].values[0, 0] for name in ("histogram_4_0_5_1_0", "histogram_4_0_5_1_0_2")] == [1.0, 2.0]
