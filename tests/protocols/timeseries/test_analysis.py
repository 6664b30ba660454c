"""Statistics of a point's series, in addition to its values."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from scipy import stats
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.limits import Limits
from chronotile.core.model.time.domain import NO_TIME, domain_of_instants
from tests.core.stats.curves import dekads
from tests.protocols import served

ROW, COLUMN = 30, 40
TIMES = dekads(2001, 2006)
VALUES = served.number_at(np.array(ROW), np.array(COLUMN), np.arange(TIMES.size)).astype(float)


@pytest.fixture
def services():
    """Services with six years of dekads."""
    return services_of_dekads()


def services_of_dekads(**options):
    variable = served.make_variable(times=domain_of_instants(TIMES), units="1")
    return served.make_services(served.make_collection(served.make_layer(variable=variable)), **options)


@pytest.fixture
def point(make_client, services, longitude_latitude):
    """Return a function that requests a query of a cell."""
    client, (longitude, latitude) = make_client(services), longitude_latitude(ROW, COLUMN)
    return lambda query, **options: client.get(
        f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&{query}", **options
    )


def test_default_is_no_analysis(point):
    assert set(point("").json()) == {"layer", "units", "point", "times", "values", "reasons"}


def test_values_are_unchanged_by_findings(point):
    asked = "smooth=whittaker&fill=linear&climatology=median&anomaly=percentile&trend=seasonal&phenology=threshold"

    series = point(asked).json()

    assert series["values"] == VALUES.tolist()
    assert series["analysis"].keys() == {*("smooth", "fill", "climatology", "anomaly", "normals", "trend", "phenology")}
    assert [len(series["analysis"][name]) for name in ("smooth", "fill", "climatology", "anomaly")] == [216] * 4
    assert series["methods"] == {
        "smooth": {"method": "whittaker", "lambda": 3000.0, "outliers": "hampel"},
        "fill": "linear",
        "climatology": {
            "reducer": "median",
            "by": "dekad",
            "reference": ["2001-01-01T00:00:00Z", "2006-12-21T00:00:00Z"],
        },
        "anomaly": "percentile",
        "trend": {"method": "seasonal", "per": "year", "confidence": 0.95},
        "phenology": {"method": "threshold", "threshold": 0.5},
    }


def test_step_replaces_times_and_values_by_those_of_its_periods(point):
    series = point("step=p1m").json()

    assert series["times"][:2] == ["2001-01-01T00:00:00Z", "2001-02-01T00:00:00Z"]
    np.testing.assert_allclose(series["values"], VALUES.reshape(-1, 3).mean(axis=1))
    assert series["analysis"] == {"counts": [3] * 72}
    assert series["methods"] == {"step": {"period": "P1M", "reducer": "mean"}}


def test_period_without_a_value_has_the_most_frequent_reason(make_client, longitude_latitude):
    variable = served.make_variable(
        times=domain_of_instants(TIMES),
        flags=((int(VALUES[3]), "cloud"), (int(VALUES[5]), "snow")),
        valid_range=(0, 1000),
    )
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))
    longitude, latitude = longitude_latitude(ROW, COLUMN)

    series = (
        make_client(services)
        .get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&datetime=2001-02&step=dekad")
        .json()
    )

    assert series["values"] == [None, VALUES[4], None]
    assert series["reasons"] == ["cloud", None, "snow"]
    assert series["analysis"] == {"counts": [0, 1, 0]}


def test_no_times_have_no_periods(point):
    series = point("datetime=1990/1991&step=P1M").json()

    assert (series["times"], series["values"], series["reasons"]) == ([], [], [])
    assert series["analysis"] == {"counts": []}


def test_reference_may_lie_outside_the_requested_times(point):
    series = point("datetime=2006&anomaly=abs&reference=2001/2003").json()

    normals = VALUES.reshape(6, 36)[:3].mean(axis=0)
    assert series["times"][0] == "2006-01-01T00:00:00Z"
    np.testing.assert_allclose(series["analysis"]["anomaly"], VALUES[-36:] - normals)
    np.testing.assert_allclose(series["analysis"]["normals"]["values"], normals)
    assert series["analysis"]["normals"]["counts"] == [3] * 36
    assert series["analysis"]["normals"]["slots"][:4] == ["01-01", "01-11", "01-21", "02-01"]
    assert series["methods"]["climatology"]["reference"] == ["2001-01-01T00:00:00Z", "2003-12-21T00:00:00Z"]


def test_year_without_a_reference_is_compared_with_all_years(point):
    series = point("datetime=2006&anomaly=abs").json()

    normals = VALUES.reshape(6, 36).mean(axis=0)
    np.testing.assert_allclose(series["analysis"]["anomaly"], VALUES[-36:] - normals)
    assert series["analysis"]["normals"]["counts"] == [6] * 36
    assert "reasons" not in series["analysis"]
    assert series["methods"]["climatology"]["reference"] == ["2001-01-01T00:00:00Z", "2006-12-21T00:00:00Z"]


def test_reference_of_one_year_is_reported(point):
    series = point("datetime=2006&anomaly=abs&reference=2006").json()

    assert series["analysis"]["anomaly"] == [0.0] * 36
    assert series["analysis"]["reasons"] == {
        "climatology": "the reference has one value at most for each time of the year"
    }


def test_step_applies_to_the_reference_too(point):
    series = point("datetime=2006&step=P3M&climatology=mean&climatology_by=month&reference=2001/2005").json()

    quarters = VALUES.reshape(6, 4, 9).mean(axis=2)
    np.testing.assert_allclose(series["values"], quarters[5])
    np.testing.assert_allclose(series["analysis"]["climatology"], quarters[:5].mean(axis=0))


def test_trend_equals_that_of_scipy(point):
    trend = point("step=P1Y&trend=theil_sen").json()["analysis"]["trend"]

    years = np.array([f"{year}-01-01" for year in range(2001, 2007)], dtype="datetime64[D]").astype(float) / 365.25
    slope, _, low, high = stats.theilslopes(VALUES.reshape(6, 36).mean(axis=1), years)
    np.testing.assert_allclose([trend["slope"], trend["low"], trend["high"]], [slope, low, high])
    assert trend["count"] == 6
    assert 0 <= trend["p"] <= 1


def test_seasons_are_those_of_a_returned_curve(point):
    series = point("phenology=derivative").json()

    assert series["methods"]["smooth"] == {"method": "whittaker", "lambda": 3000.0, "outliers": "hampel"}
    assert series["methods"]["phenology"] == {"method": "derivative"}
    assert list(series["analysis"]["phenology"]) == ["start", "peak", "end", "length", "amplitude", "peak_value"]
    assert len(series["analysis"]["smooth"]) == 216


def test_csv_has_a_column_for_each_finding_per_time(point):
    answer = point("format=csv&step=P1Y&smooth=savgol&window=1000&fill=climatology&anomaly=z&climatology_by=month")

    lines = list(csv.reader(io.StringIO(answer.text)))
    assert lines[0] == [
        "time",
        "value",
        "reason",
        "count",
        "smooth",
        "fill",
        "climatology",
        "anomaly_z",
        "anomaly_count",
    ]
    assert lines[1][3] == "36"
    assert {len(line) for line in lines} == {9}


@pytest.mark.parametrize(
    ("kind", "column", "units"),
    [("abs", "anomaly", "%-of-layer"), ("z", "anomaly_z", "1"), ("percentile", "anomaly_percentile", "%")],
)
def test_findings_have_separate_units(make_client, kind, column, units):
    variable = served.make_variable(times=domain_of_instants(TIMES), units="%-of-layer")
    client = make_client(served.make_services(served.make_collection(served.make_layer(variable=variable))))

    answer = client.post(
        f"/timeseries/NDVI/area?crs=EPSG:32631&format=covjson&step=P1M&smooth=whittaker&anomaly={kind}", json=SQUARE
    )

    units_of = {name: each["unit"]["symbol"]["value"] for name, each in answer.json()["parameters"].items()}
    assert units_of == {
        "mean": "%-of-layer",
        "mean.count": "1",
        "mean.smooth": "%-of-layer",
        "mean.climatology": "%-of-layer",
        f"mean.{column}": units,
        "mean.anomaly_count": "1",
        "valid": "1",
    }


@pytest.mark.parametrize("name", ["trend=seasonal", "phenology=threshold"])
def test_findings_that_are_not_one_value_per_time_are_refused_in_csv(point, name):
    answer = point(f"format=csv&{name}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, name.split("=")[0])


@pytest.mark.parametrize(
    ("datetime", "reasons"),
    [
        (
            "2001-02-01",
            {
                "smooth": "fewer than three values, or times too near for so stiff a curve",
                "climatology": "the reference has one value at most for each time of the year",
                "anomaly": "no time of the year has a value and enough in the reference",
                "trend": "fewer than four values to compare",
                "phenology": "no whole season was found",
            },
        ),
        (
            "1990/1991",
            {
                "smooth": "fewer than three values, or times too near for so stiff a curve",
                "climatology": "the reference has no values",
                "anomaly": "no time of the year has a value and enough in the reference",
                "trend": "fewer than four values to compare",
                "phenology": "no whole season was found",
            },
        ),
    ],
    ids=["one date", "no date"],
)
def test_impossible_finding_is_null_with_its_reason(point, datetime, reasons):
    asked = "smooth=whittaker&anomaly=z&trend=theil_sen&phenology=threshold"

    answer = point(f"datetime={datetime}&reference={datetime}&{asked}")

    found = answer.json()["analysis"]
    assert answer.status_code == 200
    assert found["reasons"] == reasons
    assert found["trend"]["slope"] is None
    assert found["phenology"]["start"] == []


@pytest.mark.parametrize(
    ("query", "parameter", "told"),
    [
        ("smooth=loess", "smooth", "whittaker, savgol"),
        ("fill=zero", "fill", "linear, climatology"),
        ("climatology=p101", "climatology", "mean, median, or p0 to p100"),
        ("climatology=max", "climatology", "mean, median, or p0 to p100"),
        ("climatology=mean&climatology_by=week", "climatology_by", "day, dekad, month"),
        ("anomaly=sigma", "anomaly", "abs, z, percentile"),
        ("anomaly=z&climatology=median", "anomaly", "climatology=mean"),
        ("trend=linear", "trend", "theil_sen, seasonal"),
        ("phenology=yes", "phenology", "threshold, derivative"),
        ("phenology=threshold&threshold=1", "threshold", "less than 1"),
        ("phenology=threshold&threshold=0", "threshold", "at least 0.01"),
        ("phenology=threshold&threshold=1e-20", "threshold", "at least 0.01 and less than 1"),
        ("step=monthly", "step", "P1M"),
        ("step=P0D", "step", "P1M"),
        ("step=P1M10D", "step", "either"),
        ("step=P400D", "step", "P2Y"),
        ("lambda=100", "lambda", "smooth=whittaker"),
        ("smooth=savgol&lambda=100", "lambda", "smooth=whittaker"),
        ("smooth=whittaker&window=30", "window", "smooth=savgol"),
        ("smooth=whittaker&lambda=-1", "lambda", "from 0.001"),
        ("smooth=whittaker&lambda=nan", "lambda", "finite"),
        ("smooth=whittaker&lambda=1e-300", "lambda", "from 0.001"),
        ("smooth=whittaker&outliers=drop", "outliers", "hampel, upper, keep"),
        ("smooth=savgol&order=9", "order", "0 to 5"),
        ("reference=2001", "reference", "anomaly="),
        ("climatology=mean&reference=2005/2001", "reference", "before"),
        ("climatology_by=month", "climatology_by", "climatology="),
        ("phenology=derivative&threshold=0.2", "threshold", "phenology=threshold"),
        ("climatologie=mean", "climatologie", "use climatology"),
    ],
)
def test_invalid_value_is_reported_with_the_accepted_ones(point, query, parameter, told):
    answer = point(query)

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    assert told in answer.json()["detail"]


def test_a_layer_without_times_cannot_be_analysed(make_client, longitude_latitude):
    layer = served.make_layer(variable=served.make_variable(times=NO_TIME))
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    client = make_client(served.make_services(served.make_collection(layer)))

    answer = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&smooth=whittaker")

    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "layer NDVI has no times along which it could be analysed",
    )


def test_times_of_the_reference_count_towards_the_limit(make_client, longitude_latitude):
    client = make_client(services_of_dekads(limits=Limits(max_series_values=120)))
    longitude, latitude = longitude_latitude(ROW, COLUMN)

    answer = client.get(
        f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&datetime=2006&anomaly=abs&reference=2001/2003"
    )

    assert answer.json()["asked"] == 144


def test_all_times_count_towards_the_limit_if_they_are_the_reference(make_client, longitude_latitude):
    client = make_client(services_of_dekads(limits=Limits(max_series_values=120)))
    longitude, latitude = longitude_latitude(ROW, COLUMN)

    answer = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&datetime=2006&anomaly=abs")

    assert answer.json()["asked"] == 216


def test_etags_distinguish_analyses_and_304_reads_nothing(point, services):
    etags = [
        point(query).headers["etag"] for query in ("", "smooth=whittaker", "smooth=whittaker&lambda=7", "step=P1M")
    ]
    services.readers["s2"].cells_read.clear()

    answer = point("step=P1M", headers={"If-None-Match": etags[3]})

    assert len(set(etags)) == 4
    assert answer.status_code == 304
    assert services.readers["s2"].cells_read == []


SQUARE = {
    "type": "Polygon",
    "coordinates": [
        [[604_001, 5_646_899], [604_299, 5_646_899], [604_299, 5_646_999], [604_001, 5_646_999], [604_001, 5_646_899]]
    ],
}
"""Three cells of one row."""


@pytest.fixture
def area(make_client, services):
    """Return a function that requests a query of three cells."""
    client = make_client(services)
    return lambda query: client.post(f"/timeseries/NDVI/area?crs=EPSG:32631&{query}", json=SQUARE)


def cells(times=TIMES.size):
    """Return the values of the three cells, as (time, cell)."""
    return served.number_at(30, np.arange(40, 43), np.arange(times)[:, np.newaxis]).astype(float)


def test_each_reducer_of_an_area_is_analysed_for_itself(area):
    series = area("reducers=mean,p10,count&datetime=2006&anomaly=abs&reference=2001,2003").json()

    means = cells().mean(axis=1).reshape(6, 36)
    (feature,) = series["features"]
    assert len(series["times"]) == 36
    assert list(feature["analysis"]) == ["mean", "p10"]
    np.testing.assert_allclose(feature["series"]["mean"], means[5])
    np.testing.assert_allclose(feature["analysis"]["mean"]["anomaly"], means[5] - means[[0, 2]].mean(axis=0))
    assert feature["series"]["count"] == [3] * 36
    assert series["methods"]["climatology"]["reference"] == ["2001-01-01T00:00:00Z", "2003-12-21T00:00:00Z"]


def test_a_step_of_an_area_has_means_of_values_and_sums_of_cells(area):
    series = area("reducers=mean,max,count,valid_share,histogram:2:0:250&step=P1Y").json()

    (feature,) = series["features"]
    values = cells().reshape(6, 36, 3)
    assert series["times"] == [f"{year}-01-01T00:00:00Z" for year in range(2001, 2007)]
    np.testing.assert_allclose(feature["series"]["mean"], values.mean(axis=2).mean(axis=1))
    np.testing.assert_allclose(feature["series"]["max"], values.max(axis=2).mean(axis=1))
    assert feature["series"]["count"] == [108] * 6
    assert feature["series"]["valid_share"] == [1.0] * 6
    assert (
        feature["series"]["histogram:2:0:250"]
        == np.stack([(values < 125).sum(axis=(1, 2)), (values >= 125).sum(axis=(1, 2))], axis=1).tolist()
    )
    assert (feature["valid"], feature["total"]) == ([108] * 6, [108] * 6)
    assert feature["analysis"]["max"] == {"counts": [36] * 6}


def test_valid_is_a_part_of_total_in_every_format_of_a_step(make_client):
    variable = served.make_variable(times=domain_of_instants(TIMES), flags=((int(cells()[0, 0]), "cloud"),))
    client = make_client(served.make_services(served.make_collection(served.make_layer(variable=variable))))
    path = "/timeseries/NDVI/area?crs=EPSG:32631&step=P1M&datetime=2001"

    (feature,) = client.post(path, json=SQUARE).json()["features"]
    rows = list(csv.DictReader(io.StringIO(client.post(f"{path}&format=csv", json=SQUARE).text)))
    (placed,) = client.post(f"{path}&format=geojson", json=SQUARE).json()["features"]

    assert feature["total"] == [9] * 12
    assert (feature["valid"][0], feature["reasons"]["cloud"][0]) == (8, 1)
    assert [int(row["total"]) for row in rows] == placed["properties"]["total"] == feature["total"]


def test_valid_is_a_part_of_total_of_points_with_a_step(points):
    (inside, _) = points("step=P1M", datetime="2001").json()["results"][0]["features"]

    assert inside["total"] == [3] * 12
    assert inside["valid"][:2] == [3, 2]


def test_reasons_of_an_area_are_those_of_the_requested_times(make_client, longitude_latitude):
    variable = served.make_variable(times=domain_of_instants(TIMES), flags=((int(VALUES[0]), "cloud"),))
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))
    path = "/timeseries/NDVI/area?crs=EPSG:32631&climatology=mean&datetime=2001-02/2001-03"

    answers = [
        make_client(services).post(f"{path}{reference}", json=SQUARE).json() for reference in ("", "&reference=2001")
    ]

    assert [answer["features"][0].get("reasons") for answer in answers] == [
        answers[0]["features"][0].get("reasons")
    ] * 2
    assert answers[0]["times"] == answers[1]["times"]


@pytest.mark.parametrize("reducers", ["count", "valid_share,histogram:4:0:1"])
def test_counts_of_cells_alone_are_not_analysed(area, reducers):
    answer = area(f"reducers={reducers}&smooth=whittaker")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "reducers")


def test_an_area_takes_the_same_analyses_as_a_point(area, point):
    query = "smooth=savgol&fill=climatology&climatology=p50&trend=seasonal&phenology=derivative"

    of_area, of_point = area(query).json(), point(query).json()

    assert of_area["methods"] == of_point["methods"]
    assert of_area["features"][0]["analysis"]["mean"].keys() == of_point["analysis"].keys()


def test_a_dry_run_counts_the_times_of_the_reference(area):
    alone, some_years, all_years = (
        area(f"dry_run=true&datetime=2006{analysis}").json()
        for analysis in ("", "&anomaly=abs&reference=2001/2003", "&anomaly=abs")
    )

    assert all_years["bytes"] > some_years["bytes"] > alone["bytes"]


def test_area_and_points_without_a_reference_are_compared_with_all_years(area, points):
    series, of_points = area("datetime=2006&anomaly=abs").json(), points("anomaly=abs", datetime="2006").json()

    means = cells().mean(axis=1).reshape(6, 36)
    (feature,) = series["features"]
    np.testing.assert_allclose(feature["analysis"]["mean"]["anomaly"], means[5] - means.mean(axis=0))
    assert series["methods"] == of_points["results"][0]["methods"]


@pytest.fixture
def points(make_client, longitude_latitude):
    """Return a function that requests two points of a layer with one cloudy number: `points(query, **body)`."""
    variable = served.make_variable(times=domain_of_instants(TIMES), flags=((int(VALUES[3]), "cloud"),))
    client = make_client(served.make_services(served.make_collection(served.make_layer(variable=variable))))
    both = [longitude_latitude(ROW, column) for column in (COLUMN, COLUMN + 1)]

    def ask(query, **body):
        return client.post(f"/timeseries/points?{query}", json={"layers": ["NDVI"], "points": both, **body})

    return ask


def test_many_points_are_analysed_like_one(points, longitude_latitude):
    query = "anomaly=abs&reference=2001/2003&smooth=whittaker&trend=seasonal"

    (result,) = points(query, datetime="2005/2006").json()["results"]

    of_second = cells()[:, 1].reshape(6, 36)
    clouds = of_second == VALUES[3]
    of_second[clouds] = np.nan
    analysis = result["features"][1]["analysis"]["mean"]
    assert len(result["times"]) == 72
    np.testing.assert_allclose(
        np.array(analysis["anomaly"], dtype=float),
        (of_second[4:] - np.nanmean(of_second[:3], axis=0)).ravel(),
        atol=1e-9,
    )
    assert result["methods"]["trend"]["method"] == "seasonal"


def test_step_of_points_has_the_most_frequent_reason(points):
    (result,) = points("step=dekad", datetime="2001-02").json()["results"]

    first, second = result["features"]
    assert first["series"]["mean"] == [None, VALUES[4], VALUES[5]]
    assert (first["valid"], first["reasons"]) == ([0, 1, 1], {"cloud": [1, 0, 0]})
    assert first["analysis"]["mean"] == {"counts": [0, 1, 1]}
    assert second["series"]["mean"] == cells()[3:6, 1].tolist()


def test_files_of_points_have_columns_of_findings(points):
    lines = list(csv.reader(io.StringIO(points("format=csv&smooth=savgol&fill=linear", datetime="2001").text)))

    assert lines[0] == ["id", "time", "value", "smooth", "fill", "reason"]
    assert len(lines) == 1 + 2 * 36


@pytest.mark.parametrize("query", ["format=csv&trend=seasonal", "lambda=3", "smoothe=savgol"])
def test_points_refuse_the_same_as_one_point(points, query):
    assert points(query).status_code == 400


def test_no_points_have_nothing_to_find(points):
    (result,) = points("smooth=whittaker&trend=theil_sen&phenology=threshold&step=P1M&anomaly=z", points=[]).json()[
        "results"
    ]

    assert result["features"] == []


OPTIONS = {
    "step": ["P1M", "dekad", "P1Y", "P8D"],
    "smooth": ["whittaker", "savgol"],
    "fill": ["linear", "climatology"],
    "climatology": ["mean", "median", "p10"],
    "climatology_by": ["day", "dekad", "month"],
    "reference": ["2001/2003", "1990", "2004-05-11"],
    "anomaly": ["abs", "z", "percentile"],
    "trend": ["theil_sen", "seasonal"],
    "phenology": ["threshold", "derivative"],
    "lambda": ["0.001", "1e9"],
    "window": ["1", "3660"],
    "datetime": ["2001-01-01", "2002", "2001-02-01/2001-03-01", "1990/1991"],
}


@pytest.fixture(scope="module")
def session_dekads():
    with TestClient(application(services_of_dekads()), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.slow
@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in OPTIONS.items()}))
def test_any_analysis_is_answered_or_refused(session_dekads, asked):
    place = {"x": 604_050, "y": 5_646_950, "crs": "EPSG:32631"}

    answer = session_dekads.get("/timeseries/NDVI/point", params=place | asked)

    assert answer.status_code in {200, 400}


@pytest.mark.parametrize(
    "query",
    ["smooth=whittaker&fill=linear&anomaly=abs&trend=seasonal&phenology=threshold", "step=p1m&climatology=mean"],
)
def test_answer_with_an_analysis_matches_the_schema(make_client, services, point, query):
    document = make_client(services).get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    strict = {**schemas, "Analysis": {**schemas["Analysis"], "additionalProperties": False}}
    schema = {"$ref": "#/components/schemas/PointSeries", "components": {"schemas": strict}}

    errors = [error.message for error in Draft202012Validator(schema).iter_errors(point(query).json())]

    assert errors == []
