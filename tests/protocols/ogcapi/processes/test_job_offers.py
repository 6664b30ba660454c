"""Requests over a limit refer to an equivalent job: a link, and the inputs that are not in their body."""

from dataclasses import replace

import numpy as np
import orjson
import pytest
import shapely
from affine import Affine

from chronotile.catalog.limits import Limits
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.protocols.common.job_inputs import OF_SERIES
from tests.places import make_places
from tests.protocols import served

RING = [[4.6, 50.8], [4.61, 50.8], [4.61, 50.81], [4.6, 50.81], [4.6, 50.8]]
AREA = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "id": "field", "properties": {"crop": "wheat"}, "geometry": AREA}
OTHER = {"type": "Feature", "properties": None, "geometry": {"type": "Polygon", "coordinates": [RING[:-1]]}}
AREAS = {"type": "FeatureCollection", "features": [FEATURE, OTHER]}
METRES = {
    "type": "Polygon",
    "coordinates": [[[605000, 5630000], [607000, 5630000], [607000, 5633000], [605000, 5630000]]],
}
UTM = {"type": "name", "properties": {"name": "EPSG:32631"}}
NAMED = [
    {"id": "a", "lon": 4.6, "lat": 50.8},
    {"lon": 4.7, "lat": 50.9},
    [-355.5, 50.85],
    {"id": 7, "lon": 3, "lat": 50},
]
PLAIN = [[4.6, 50.8], [4.7, 50.9]]


def feature(geometry, id_=None):
    return {"type": "Feature", "properties": {}, "geometry": geometry, **({"id": id_} if id_ else {})}


def collection(*features, crs=None):
    return {"type": "FeatureCollection", "features": list(features), **({"crs": crs} if crs else {})}


def places(areas):
    return {"places": {"value": areas}}


def at(lon, lat, id_=None):
    return feature({"type": "Point", "coordinates": [lon, lat]}, id_)


POINTS = {"layers": ["NDVI"], "points": PLAIN}
NAMED_FEATURES = {"value": collection(at(4.6, 50.8, "a"), at(4.7, 50.9), at(-355.5, 50.85), at(3, 50, 7))}
MANY = ("NDVI", "LAI")
COVERAGE = "/ogcapi/collections/NDVI/coverage?f=GTiff"
OF_ALL = "/ogcapi/collections/s2/coverage?f=GTiff"
FILM = "/animations/NDVI.gif?width=64"
CSV, ONE_CSV = (f"/timeseries/NDVI/{kind}?format=csv" for kind in ("areas", "area"))
GEOMETRIES = {"type": "GeometryCollection", "geometries": [AREA, AREA]}
IN_UTM = collection({**FEATURE, "geometry": METRES}, crs=UTM)
OF_NDVI, OF_MANY = {"layers": ["NDVI"]}, {"layers": list(MANY), "datetime": "2020-06-01/2020-06-30/P10D"}
GETS = {
    "a box": f"{ONE_CSV}&bbox=4.6,50.8,4.62,50.82",
    "a box in metres": f"{ONE_CSV}&bbox=605000,5630000,607000,5633000&crs=EPSG:32631",
    "a place": f"{ONE_CSV}&place=squares/S1",
    "a coverage": COVERAGE,
    "a coverage at some times": f"{COVERAGE}&datetime=2020-06-01,2020-06-21",
    "a coverage of an interval of a subset": f'{COVERAGE}&subset=time("2020-05":"2020-06-11")',
    "a coverage of the latest time": f"{COVERAGE}&subset=time(*)",
    "a coverage in a box": f"{COVERAGE}&bbox=4.6,50.8,4.7,50.9",
    "a coverage in a box of another CRS": f"{COVERAGE}&bbox=3080000,3940000,3090000,3950000&bbox-crs=EPSG:3035",
    "a coverage between latitudes": f"{COVERAGE}&subset=Lat(50.8:50.85)",
    "a coverage from an easting on": f"{COVERAGE}&subset=x(620000:*)",
    "a row of a coverage": f"{COVERAGE}&subset=y(5630050)",
    "a coverage in another CRS": f"{COVERAGE}&crs=EPSG:3035",
    "a coverage of several layers": OF_ALL,
    "some fields of a coverage": f"{OF_ALL}&properties=LAI",
    "a cube": "/ogcapi/collections/NDVI/cube?f=GeoTIFF&bbox=4.6,50.8,4.7,50.9&datetime=2020-06",
    "a time-lapse": FILM,
    "some of a time-lapse": f"{FILM}&step=2&fps=2.5&labels=date&style=reds&datetime=2020-05/2020-06-21",
    "a time-lapse by months, in a box": f"{FILM}&height=48&step=P1M&reducer=max&labels=none"
    "&bbox=500000,6580000,560000,6620000&crs=EPSG:3857",
    "a time-lapse in a CRS that is north first": f"{FILM}&bbox=4.6,50.8,4.7,50.9&crs=EPSG:4326",
}
POSTS = {
    "areas as CSV": (CSV, AREAS, places(AREAS)),
    "areas as GeoJSON, with all that may be said": (
        "/timeseries/NDVI/areas?format=geojson&reducers=mean,p10,count&weights=area&min_valid=0.1&datetime=2020-06",
        AREAS,
        places(AREAS),
    ),
    "areas of a collection of geometries": (CSV, GEOMETRIES, places(collection(feature(AREA), feature(AREA)))),
    "areas in the CRS of the query": (
        f"{CSV}&crs=EPSG:32631",
        collection({**FEATURE, "geometry": METRES}),
        places(IN_UTM),
    ),
    "a geometry": (ONE_CSV, AREA, places(collection(feature(AREA)))),
    "a feature": ("/timeseries/NDVI/area?format=geojson&datetime=2020-06-01/..", FEATURE, places(collection(FEATURE))),
    "a geometry that names its CRS": (ONE_CSV, {**METRES, "crs": UTM}, places(collection(feature(METRES), crs=UTM))),
    "a feature whose geometry names its CRS": (
        ONE_CSV,
        {**FEATURE, "geometry": {**METRES, "crs": UTM}},
        places(IN_UTM),
    ),
    "geometries that are one area": (ONE_CSV, GEOMETRIES, places(collection(feature(GEOMETRIES)))),
    "areas as CSV for a spreadsheet": (f"{CSV}&dialect=semicolon&date=day&columns=all", AREAS, places(AREAS)),
    "points as JSON": ("/timeseries/points", POINTS, POINTS),
    "points with names, of several layers": (
        "/timeseries/points",
        OF_MANY | {"points": NAMED},
        OF_MANY | {"points": NAMED_FEATURES},
    ),
    "points as CSV": (
        "/timeseries/points?format=csv&datetime=2020-06",
        OF_NDVI | {"points": NAMED},
        OF_NDVI | {"points": NAMED_FEATURES},
    ),
    "points as CSV for a spreadsheet": (
        "/timeseries/points?format=csv&dialect=semicolon&date=day&columns=all",
        OF_NDVI | {"points": NAMED},
        OF_NDVI | {"points": NAMED_FEATURES},
    ),
}
SAME = {name: ("GET", path, None, {}) for name, path in GETS.items()} | {
    name: ("POST", *request) for name, request in POSTS.items()
}
"""Requests: method, path, body, and the inputs that the body becomes."""
OF_THE_SCHEMA = ("areas as CSV", "a box in metres", "a cube", "a time-lapse")
"""Offers to validate: in the published schema an array matches two types, and boxes are in CRS84 alone."""
LIMITS = ("max_coverage_bytes", "max_series_values", "max_area_values", "max_animation_pixels")


def services(**limits):
    layers = [served.make_layer(name) for name in MANY]
    return served.make_services(served.make_collection(*layers), places=[make_places()], limits=Limits(**limits))


@pytest.fixture
def strict(make_client):
    """Client of a server that refuses every request that a job could answer."""
    return make_client(services(**dict.fromkeys(LIMITS, 1)))


@pytest.fixture
def client(make_client):
    return make_client(services())


def job_of(client, method, path, body=None):
    problem = client.request(method, path, json=body).json()
    assert problem["type"] == "limit-exceeded", problem
    return problem.get("job")


def execution_of(job, own=None):
    """Return the body of an execution: inputs of an offer, and inputs made of the request's body."""
    return {"inputs": job["inputs"] | (own or {})}


@pytest.mark.parametrize("name", SAME)
def test_offered_job_returns_the_result_of_the_request(strict, client, name):
    method, path, body, own = SAME[name]
    job = job_of(strict, method, path, body)
    execution = execution_of(job, own)

    accepted = strict.post(job["href"], json=execution, headers={"Prefer": "respond-async"})
    done, answer = client.post(job["href"], json=execution), client.request(method, path, json=body)

    assert (accepted.status_code, done.status_code, answer.status_code) == (201, 200, 200), done.text
    assert done.content == answer.content
    assert ("note" in job) is (body is not None)


@pytest.mark.parametrize(
    ("path", "process"),
    [
        ("/timeseries/NDVI/point?lon=4.6&lat=50.8", "time-series"),
        ("/timeseries/NDVI/point?lon=4.6&lat=50.8&datetime=2020-06&format=parquet", "time-series"),
        ("/timeseries/NDVI/area?bbox=4.6,50.8,4.62,50.82", "zonal-statistics"),
        ("/ogcapi/collections/NDVI/coverage?f=json", "export"),
        ("/ogcapi/collections/NDVI/cube?bbox=4.6,50.8,4.7,50.9", "export"),
        ("/ogcapi/collections/s2/position?coords=MULTIPOINT((4.6 50.8),(4.7 50.9))&datetime=2020-06", "time-series"),
        ("/ogcapi/collections/NDVI/locations/squares:S0,squares:S1", "zonal-statistics"),
    ],
)
def test_offered_job_with_another_form_is_accepted_too(strict, path, process):
    job = job_of(strict, "GET", path)

    answer = strict.post(job["href"], json=execution_of(job), headers={"Prefer": "respond-async"})

    assert (answer.status_code, answer.json()["processID"]) == (201, process)


@pytest.mark.parametrize(
    ("path", "limit", "written"),
    [
        ("/ogcapi/collections/NDVI/coverage?f=json", "max_series_values", "json"),
        ("/ogcapi/collections/NDVI/coverage?f=PNG&datetime=2020-06-01", "max_pixels", "png"),
        ("/ogcapi/collections/NDVI/cube?bbox=4.6,50.8,4.7,50.9", "max_series_values", "CoverageJSON"),
        (
            "/ogcapi/collections/NDVI/cube?f=GeoJSON&bbox=4.6,50.8,4.7,50.9&datetime=2020-06-01",
            "max_features",
            "GeoJSON",
        ),
    ],
)
def test_request_too_large_for_its_format_only_is_exported(make_client, path, limit, written):
    client = make_client(services(**{limit: 1}))

    problem = client.get(path).json()
    answer = client.post(problem["job"]["href"], json=execution_of(problem["job"]))

    assert problem["limit"] == limit
    assert problem["job"]["note"] == f"the file is GTiff: the process does not write {written}"
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "image/tiff")


@pytest.mark.parametrize("name", OF_THE_SCHEMA)
def test_jobs_are_as_the_schema_of_executions_has_them(strict, assert_valid, name):
    method, path, body, own = SAME[name]

    assert_valid(execution_of(job_of(strict, method, path, body), own), "processes", "execute")


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("/timeseries/NDVI/area?bbox=4.6,50.8,4.62,50.82", "the file is csv: the process does not write json"),
        (
            "/timeseries/NDVI/point?lon=4.6&lat=50.9&format=netcdf",
            "the file is json: the process does not write netcdf; the file is as /timeseries/points has it",
        ),
        ("/ogcapi/collections/NDVI/coverage?f=json", "the file is GTiff: the process does not write json"),
        ("/ogcapi/collections/s2/position?coords=POINT(4.6 50.8)", "the file is JSON, as /timeseries/points has it"),
        ("/ogcapi/collections/NDVI/locations/squares:S0", "the file is GeoJSON, as /timeseries/{layer}/areas has it"),
    ],
)
def test_job_that_writes_another_format_says_so(strict, path, note):
    assert job_of(strict, "GET", path)["note"] == note


def test_values_of_a_job_for_a_point_equal_those_of_the_point(strict, client):
    path = "/timeseries/NDVI/point?lon=4.6&lat=50.8"
    job = job_of(strict, "GET", path)

    (result,) = client.post(job["href"], json=execution_of(job)).json()["results"]

    assert result["features"][0]["series"]["mean"] == client.get(path).json()["values"]


def test_values_of_a_job_for_a_position_equal_those_of_the_query(strict, client):
    path = "/ogcapi/collections/NDVI/position?coords=POINT(4.6 50.8)&datetime=2020-06"
    job = job_of(strict, "GET", path)

    (result,) = client.post(job["href"], json=execution_of(job)).json()["results"]

    assert result["features"][0]["series"]["mean"] == client.get(path).json()["ranges"]["NDVI"]["values"]


def test_values_of_a_job_for_a_location_equal_those_of_the_query(strict, client):
    path = "/ogcapi/collections/NDVI/locations/squares:S1?datetime=2020-06"
    job = job_of(strict, "GET", path)

    (feature,) = client.post(job["href"], json=execution_of(job)).json()["features"]

    assert feature["id"] == "squares:S1"
    assert feature["properties"]["series"]["mean"] == client.get(path).json()["ranges"]["NDVI"]["values"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/ogcapi/collections/s2/locations/squares:S0", None),
        ("GET", "/ogcapi/collections/NDVI/position?coords=POINT(605000 5630000)&crs=EPSG:32631", None),
        ("POST", "/timeseries/NDVI/areas?step=P1M", AREAS),
        ("POST", "/timeseries/NDVI/areas?limit=2", AREAS),
        ("GET", "/timeseries/NDVI/area?trend=theil_sen&bbox=4.6,50.8,4.62,50.82", None),
        ("POST", "/timeseries/points?smooth=whittaker", {"layers": ["NDVI"], "points": PLAIN}),
        ("GET", "/timeseries/NDVI/point?limit=2&lon=4.6&lat=50.8", None),
        ("GET", "/timeseries/NDVI/point?x=605000&y=5630000&crs=EPSG:32631", None),
        ("GET", f"{COVERAGE}&scale-factor=2", None),
        ("GET", f"{COVERAGE}&width=50", None),
        ("GET", f"{COVERAGE}&crs=EPSG:3035&interpolation=bilinear", None),
        ("GET", "/ogcapi/collections/NDVI/cube?bbox=4.6,50.8,4.7,50.9&resolution-x=10", None),
        ("GET", "/ogcapi/collections/NDVI/area?coords=POLYGON((4.6 50.8,4.7 50.8,4.7 50.9,4.6 50.8))", None),
        ("GET", f"{FILM}&expression=NDVI*2&range=0,1", None),
        ("GET", f"{FILM}&range=0,1", None),
        ("GET", f"{FILM}&ramp=reds", None),
        ("GET", f"{FILM}&reversed=true", None),
        ("GET", f"{FILM}&difference=2020-06-01", None),
    ],
)
def test_no_job_is_offered_without_an_equivalent_process(strict, method, path, body):
    assert job_of(strict, method, path, body) is None


def test_several_layers_as_csv_are_refused_and_not_offered_as_a_job(make_client):
    client = make_client(services(max_features=1, max_series_values=1))
    body = {"layers": list(MANY), "points": PLAIN}

    refused = client.post("/timeseries/points?format=csv", json=body)
    job = job_of(client, "POST", "/timeseries/points?format=csv", body | {"layers": ["NDVI"]})
    several = client.post(job["href"], json=execution_of(job, body)).json()["detail"]

    assert (refused.status_code, refused.json().get("job")) == (400, None)
    assert refused.json()["detail"] == "format csv takes one layer at a time; json and ndjson take several"
    assert "format csv takes one layer at a time; json takes several" in several
    for layer in MANY:
        execution = execution_of(job, body | {"layers": layer})
        accepted = client.post(job["href"], json=execution, headers={"Prefer": "respond-async"})
        assert accepted.status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "inputs", "note"),
    [
        (
            "/timeseries/NDVI/areas?reducers=p10&format=csv",
            AREAS,
            {"layer": "NDVI", "reducers": ["p10"], "format": "csv"},
            "inputs.places is the body, as a FeatureCollection",
        ),
        (
            "/timeseries/NDVI/areas?crs=EPSG:4326&format=csv",
            AREAS,
            {"layer": "NDVI", "format": "csv"},
            "inputs.places is the body, as a FeatureCollection whose member crs names EPSG:4326",
        ),
        (
            "/timeseries/points?datetime=2020",
            POINTS,
            {"datetime": "2020", "format": "json"},
            "the members of the body are inputs, points as [lon, lat] or a FeatureCollection",
        ),
    ],
)
def test_the_body_of_a_request_is_not_repeated(make_client, path, body, inputs, note):
    client = make_client(services(max_features=1))

    job = job_of(client, "POST", path, body)

    assert (job["inputs"], job["note"]) == (inputs, note)


@pytest.mark.parametrize(
    ("path", "body"), [("/timeseries/NDVI/areas", AREAS), ("/timeseries/points", {"layers": ["NDVI"], "points": PLAIN})]
)
def test_more_features_than_a_job_may_have_lead_to_no_job(make_client, monkeypatch, path, body):
    client = make_client(services(max_features=1))
    with_job = job_of(client, "POST", path, body)
    monkeypatch.setitem(OF_SERIES, "max_features", 1)

    assert (with_job is None, job_of(client, "POST", path, body)) == (False, None)


def test_job_that_would_be_refused_is_not_offered(make_client):
    native = served.BELGIUM_31N
    world = NativeGrid(crs=native.crs, transform=native.transform, width=1_000_000, height=1_000_000)
    layer = served.make_layer(variable=served.make_variable(grid=world))
    client = make_client(served.make_services(served.make_collection(layer)))

    assert job_of(client, "GET", COVERAGE) is None


OWN = crs_of("+proj=laea +lat_0=50 +lon_0=4.5 +units=m")
"""A CRS without authority code."""


def test_the_own_crs_of_a_layer_leads_to_a_job_though_the_service_does_not_offer_it(make_client):
    limits = Limits(max_coverage_bytes=1, max_animation_pixels=1)
    client = make_client(served.make_services(crs=["CRS:84"], limits=limits))

    assert job_of(client, "GET", f"{FILM}&crs=EPSG:32631") is not None
    assert job_of(client, "GET", f"{COVERAGE}&subset=x(620000:*)") is not None


def test_a_crs_without_a_name_leads_to_no_job(make_client):
    grid = NativeGrid(crs=OWN, transform=Affine(100, 0, 0, 0, -100, 0), width=100, height=100)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(served.make_services(served.make_collection(layer), limits=Limits(max_coverage_bytes=1)))

    assert job_of(client, "GET", f"{COVERAGE}&subset=x(10:*)") is None
    assert job_of(client, "GET", COVERAGE) is not None


@pytest.mark.parametrize(
    "places",
    [
        replace(make_places(1), shapes=np.array([shapely.Point(4.7, 50.85).buffer(0.1, quad_segs=6000)])),
        replace(make_places(1), crs=OWN, shapes=np.array([shapely.box(5_000, 90_000, 9_000, 95_000)])),
    ],
    ids=["many vertices", "a CRS that is not offered"],
)
def test_place_that_cannot_be_repeated_offers_no_job(make_client, places):
    client = make_client(served.make_services(places=[places], limits=Limits(max_series_values=1)))

    assert job_of(client, "GET", "/timeseries/NDVI/area?place=squares/S0") is None


def within(depth):
    """Return nested lists as JSON."""
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("depth", [250, 600])
@pytest.mark.parametrize(("path", "sent"), [("area", FEATURE), ("areas", AREAS)])
def test_too_deep_input_that_cannot_be_repeated_offers_no_job(make_client, path, sent, depth):
    client = make_client(services(**dict.fromkeys(LIMITS, 1)))
    body = orjson.dumps(sent).replace(b'"wheat"', within(depth))

    answer = client.post(f"/timeseries/NDVI/{path}?format=csv", content=body)

    assert answer.status_code == 400
    assert "more than 128 nested lists and objects" in answer.json()["detail"]
    assert "job" not in answer.json()


@pytest.mark.parametrize("query", ["min_valid=7", "datetime=yesterday", "place=squares/S1"])
def test_request_with_another_fault_offers_no_job(make_client, query):
    client = make_client(services(max_features=1))

    problem = client.post(f"/timeseries/NDVI/areas?{query}", json=AREAS).json()

    assert "job" not in problem
