"""Cache-Control of each protocol's answers, as a table of requests."""

from dataclasses import replace

import numpy as np
import pytest

from chronotile.core.model.time.domain import domain_of_instants
from tests.places import make_places
from tests.protocols import served
from tests.running import until

LATEST = "public, max-age=60, stale-while-revalidate=60"
DATED = "public, max-age=300, stale-while-revalidate=86400"
IMMUTABLE = "public, max-age=31536000, immutable"

BOX = "4.45,50.8,4.55,50.9"
POINT = "lon=4.5&lat=50.85"
WMS = "/wms?SERVICE=WMS&VERSION=1.3.0&LAYERS=NDVI&STYLES=&CRS=CRS:84&BBOX=4.45,50.8,4.55,50.9&WIDTH=32&HEIGHT=32"
GET_MAP = f"{WMS}&REQUEST=GetMap&FORMAT=image/png"
FEATURE_INFO = f"{WMS}&REQUEST=GetFeatureInfo&QUERY_LAYERS=NDVI&I=9&J=9&INFO_FORMAT=application/json"
WMTS = (
    "/wmts?SERVICE=WMTS&VERSION=1.0.0&LAYER=NDVI&STYLE=default&FORMAT=image/png&TILEMATRIXSET=WebMercatorQuad"
    "&TILEMATRIX=10&TILEROW=343&TILECOL=525"
)
NDVI = "/ogcapi/collections/NDVI"
AREA = "POLYGON((4.45 50.8,4.55 50.8,4.55 50.9,4.45 50.8))"
POLYGON = {"type": "Polygon", "coordinates": [[[4.45, 50.8], [4.55, 50.8], [4.55, 50.9], [4.45, 50.8]]]}
FEATURES = {
    "type": "FeatureCollection",
    "features": [{"type": "Feature", "id": "a", "properties": {}, "geometry": POLYGON}],
}
PLACES = {"type": "GeometryCollection", "geometries": [POLYGON]}

PICTURES = {
    "tile": "/tiles/NDVI/WebMercatorQuad/10/525/343.png?datetime={time}",
    "values tile": "/tiles/NDVI/WebMercatorQuad/10/525/343.npy?datetime={time}",
    "expression": "/tiles/NDVI/WebMercatorQuad/10/525/343.png?range=0,1&expression=NDVI*2&datetime={time}",
    "GetMap": GET_MAP + "&TIME={time}",
    "GetMap of two layers": GET_MAP.replace("LAYERS=NDVI", "LAYERS=NDVI,FLAGGED") + "&TIME={time}",
    "GetFeatureInfo": FEATURE_INFO + "&TIME={time}",
    "GetTile": WMTS + "&REQUEST=GetTile&TIME={time}",
    "tile info": WMTS + "&REQUEST=GetFeatureInfo&I=9&J=9&INFOFORMAT=application/json&TIME={time}",
    "map": NDVI + f"/map?f=png&width=32&bbox={BOX}&datetime={{time}}",
    "map tile": NDVI + "/map/tiles/WebMercatorQuad/10/343/525?f=png&datetime={time}",
}
ALONG_TIME = {
    "cube": "/cubes/NDVI/WebMercatorQuad/10/525/343.ctc?datetime={time}",
    "animation": f"/animations/NDVI.gif?bbox={BOX}&width=32&datetime={{time}}",
    "point": f"/timeseries/NDVI/point?{POINT}&datetime={{time}}",
    "point as CSV": f"/timeseries/NDVI/point?{POINT}&format=csv&datetime={{time}}",
    "point, one page": f"/timeseries/NDVI/point?{POINT}&limit=1&datetime={{time}}",
    "area": f"/timeseries/NDVI/area?bbox={BOX}&datetime={{time}}",
    "area, one page": f"/timeseries/NDVI/area?bbox={BOX}&limit=1&datetime={{time}}",
    "area, its cost": f"/timeseries/NDVI/area?bbox={BOX}&dry_run=true&datetime={{time}}",
    "area of a place": "/timeseries/NDVI/area?place=squares/S0&datetime={time}",
    "values of places": "/places/squares/values?layer=NDVI&datetime={time}",
    "position": NDVI + "/position?coords=POINT(4.5 50.85)&datetime={time}",
    "positions": NDVI + "/position?coords=MULTIPOINT((4.5 50.85),(4.51 50.86))&datetime={time}",
    "location": NDVI + "/locations/squares:S0?datetime={time}",
    "EDR area": NDVI + f"/area?coords={AREA}&datetime={{time}}",
    "EDR cube": NDVI + f"/cube?bbox={BOX}&datetime={{time}}",
    "EDR radius": NDVI + "/radius?coords=POINT(4.5 50.85)&within=2&within-units=km&datetime={time}",
    "coverage": NDVI + f"/coverage?f=json&bbox={BOX}&datetime={{time}}",
}
BODIES = {
    "area": ("/timeseries/NDVI/area?datetime={time}", POLYGON),
    "areas": ("/timeseries/NDVI/areas?datetime={time}", FEATURES),
}
OPEN = ["latest", "current", "default", "", "2020-06-01/..", "2020-06-01/current", "../2020-06-11"]
CLOSED = ["2020-06-11", "2020-06", "2020-06-01/2020-06-15", "2020-06-01/P20D"]


@pytest.fixture
def services():
    """Services with a default time in every layer."""
    return served.make_services(*served.tree_collections(), places=[make_places()])


@pytest.fixture
def client(make_client, services):
    return make_client(services)


def caching(response):
    assert response.status_code == 200, response.text
    return response.headers["Cache-Control"]


def caching_of(client, path, time):
    """Return Cache-Control of a request after checking that the 304 to its ETag has the same."""
    first = client.get(path.format(time=time))
    kept = caching(first)
    if "ETag" in first.headers:
        again = client.get(path.format(time=time), headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.headers["Cache-Control"]) == (304, kept)
    return kept


@pytest.mark.quick_cases("-latest")
@pytest.mark.parametrize("time", OPEN)
@pytest.mark.parametrize("path", [*PICTURES.values(), *ALONG_TIME.values()], ids=[*PICTURES, *ALONG_TIME])
def test_answer_to_an_open_selection_is_cached_for_a_minute(client, path, time):
    assert caching_of(client, path, time) == LATEST


@pytest.mark.quick_cases("-2020-06-11")
@pytest.mark.parametrize("time", CLOSED)
@pytest.mark.parametrize("path", [*PICTURES.values(), *ALONG_TIME.values()], ids=[*PICTURES, *ALONG_TIME])
def test_answer_for_named_times_is_cached_for_five_minutes(client, path, time):
    assert caching_of(client, path, time) == DATED


def test_interval_with_an_open_end_is_cached_for_a_minute_by_all(client):
    times = {name: path.format(time="2020-06-01/..") for name, path in (PICTURES | ALONG_TIME).items()}

    assert [name for name, path in times.items() if caching(client.get(path)) != LATEST] == []


@pytest.mark.parametrize(("path", "body"), BODIES.values(), ids=BODIES)
def test_posted_answers_are_cached_like_others(client, path, body):
    kept = [caching(client.post(path.format(time=time), json=body)) for time in ("latest", "2020-06-11")]

    assert kept == [LATEST, DATED]


def test_series_of_points_are_cached_like_others(client):
    def asked(time):
        return {"layers": ["NDVI", "LAI"], "points": [[4.5, 50.85]], **({"datetime": time} if time else {})}

    kept = [caching(client.post("/timeseries/points", json=asked(time))) for time in ("2020-06-01/..", "", "2020-06")]

    assert kept == [LATEST, LATEST, DATED]


def test_terrascope_series_are_cached_like_others(client):
    point = "/timeseries/v1.0/ts/NDVI/point?lon=4.5&lat=50.85"
    ends = "&startDate=2020-05-01&endDate=2020-06-15"

    assert [caching(client.get(f"{point}{times}")) for times in ("", "&startDate=2020-05-01", ends)] == [
        LATEST,
        LATEST,
        DATED,
    ]
    geometry, geometries = "/timeseries/v1.0/ts/NDVI/geometry?", "/timeseries/v1.0/ts/NDVI/geometries?"
    for path, body in ((geometry, POLYGON), (geometries, PLACES)):
        assert [caching(client.post(f"{path}{times}", json=body)) for times in ("", ends)] == [LATEST, DATED]


@pytest.mark.parametrize("path", list(PICTURES.values())[:6:3])
@pytest.mark.parametrize(
    ("difference", "expected"), [("latest", LATEST), ("../2020-06", LATEST), ("2020-06-01", DATED)]
)
def test_subtracted_time_counts_too(client, path, difference, expected):
    assert caching_of(client, f"{path}&difference={difference}", "2020-06-11") == expected


@pytest.mark.parametrize(("reference", "expected"), [("", LATEST), ("2020-05/..", LATEST), ("2020-05/2020-06", DATED)])
def test_the_reference_of_a_climatology_counts_too(client, reference, expected):
    more = f"climatology=mean&reference={reference}" if reference else "climatology=mean"

    assert caching_of(client, f"/timeseries/NDVI/point?{POINT}&{more}&datetime={{time}}", "2020-06-11") == expected
    area = f"/timeseries/NDVI/area?bbox={BOX}&{more}&datetime=2020-06-11"
    assert caching(client.get(area)) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/tiles/HEIGHT/WebMercatorQuad/10/525/343.png",
        f"/timeseries/HEIGHT/point?{POINT}",
        f"/timeseries/HEIGHT/area?bbox={BOX}",
        f"/ogcapi/collections/HEIGHT/coverage?f=json&bbox={BOX}",
        "/ogcapi/collections/HEIGHT/position?coords=POINT(4.5 50.85)",
    ],
)
def test_a_layer_without_time_has_no_newest(client, path):
    assert caching_of(client, path, "") == DATED


def test_only_a_url_with_the_current_revision_is_immutable(client):
    revision = client.get("/layers/NDVI").json()["revision"]
    for path in (PICTURES["tile"], PICTURES["map tile"], ALONG_TIME["cube"], ALONG_TIME["animation"]):
        assert caching_of(client, f"{path}&rev={revision}", "2020-06-11") == IMMUTABLE
        assert [caching_of(client, f"{path}&rev=old", time) for time in ("2020-06-11", "latest")] == [DATED, LATEST]


@pytest.mark.parametrize(
    "path",
    [
        *("/wms?SERVICE=WMS&REQUEST=GetCapabilities", "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.1.1"),
        *("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities", "/wmts/1.0.0/WMTSCapabilities.xml"),
        "/wmts?SERVICE=WMTS&VERSION=1.0.0&REQUEST=DescribeDomains&LAYER=NDVI&TILEMATRIXSET=WebMercatorQuad",
        "/wmts?SERVICE=WMTS&VERSION=1.0.0&REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN=Time&LIMIT=2&TILEMATRIXSET=WebMercatorQuad",
        *("/", "/?f=html", "/layers", "/layers/NDVI", "/layers/NDVI.qlr", "/layers/NDVI/times?datetime=2020-06-11"),
        *("/tiles/NDVI/WebMercatorQuad/tilejson.json", "/timeseries/v1.0/ts", "/ogcapi", "/ogcapi/collections"),
        *("/ogcapi/collections?f=html", NDVI, f"{NDVI}/items", f"{NDVI}/locations", f"{NDVI}/coverage/domainset"),
        *(f"{NDVI}/map/tiles", f"{NDVI}/map/tiles/WebMercatorQuad", f"{NDVI}/map/tiles/WebMercatorQuad?f=tilejson"),
        *("/openapi.json", "/ogcapi/openapi"),
    ],
)
def test_capabilities_and_lists_of_times_are_cached_for_a_minute(client, path, services):
    for layer in services.catalogue.layers:  # until then the list of times is incomplete
        until(lambda times=f"/layers/{layer.id}/times": not client.get(times).json()["valid_shares_pending"])

    assert caching_of(client, path, "") == LATEST


@pytest.mark.parametrize(
    "path",
    [
        *("/tiles/NDVI/legend.png", "/tiles/NDVI/legend.svg"),
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetLegendGraphic&LAYER=NDVI&FORMAT=image/png",
        *("/wms?SERVICE=WMS&VERSION=1.1.1&REQUEST=GetStyles&LAYERS=NDVI", f"{NDVI}/legend?f=png", f"{NDVI}/styles"),
        *("/ramps", "/ogcapi/conformance", "/ogcapi/tileMatrixSets", "/ogcapi/tileMatrixSets/WebMercatorQuad"),
        *("/places", "/places/squares", "/places/squares/tiles/WebMercatorQuad/10/525/343.mvt"),
    ],
)
def test_timeless_answer_is_cached_for_five_minutes(client, path):
    assert caching_of(client, path, "") == DATED


def test_answer_to_a_body_is_not_cached_by_its_url_alone(client):
    answer = client.request("GET", "/timeseries/NDVI/area?datetime=2020-06-11", json=POLYGON)

    assert caching(answer) == "no-store"


def test_document_contains_a_new_time_immediately(make_client):
    """Past times and tomorrow's are shown; a time of the following day becomes the newest when the clock reaches it."""
    times = domain_of_instants(np.datetime64(day, "ns") for day in ("2020-06-21", "2020-07-02T12:00:01"))
    made = served.make_services(served.make_collection(served.make_layer(variable=served.make_variable(times=times))))
    now = [np.datetime64("2020-07-01T12:00:00", "ns")]
    client = make_client(replace(made, clock=lambda: now[0]))
    path = "/wms?SERVICE=WMS&REQUEST=GetCapabilities"
    before = client.get(path).text

    now[0] += np.timedelta64(1, "s")

    assert client.get(path).text != before
