"""The OpenAPI document is valid, complete and describes parameters correctly."""

import re
from io import BytesIO
from urllib.parse import urljoin

import numpy as np
import pytest
from lxml import html
from openapi_spec_validator import OpenAPIV31SpecValidator
from PIL import Image
from shapely.geometry import box
from starlette.routing import Route

from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.maps.animations import routes as animations
from chronotile.protocols.maps.cubes import routes as cubes
from chronotile.protocols.maps.tiles import routes as tiles
from chronotile.protocols.places import routes as places
from chronotile.protocols.site.layers import routes as layers
from chronotile.protocols.timeseries import area_params as areas
from chronotile.protocols.timeseries import params as points
from chronotile.protocols.timeseries import params as series
from tests.protocols import served
from tests.protocols.answer_schemas import schema_faults

TOLD_ELSEWHERE = re.compile(r"/(wms|wmts|wcs|wps|viewer(?!/config)|cog|ogcapi|clients|usage|signin|signout)\b")
"""Paths that capabilities or another document describe, or that are not for programs."""


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def test_the_document_is_valid(document):
    OpenAPIV31SpecValidator(document).validate()


def test_without_a_layer_and_a_place_the_document_is_valid_too(make_client, make_services):
    composite = served.make_collection(served.make_composite())

    document = make_client(make_services(composite)).get("/openapi.json").json()

    OpenAPIV31SpecValidator(document).validate()


def test_every_endpoint_is_documented_with_its_methods(client, document):
    routes = [route for route in client.app.routes if isinstance(route, Route) and not TOLD_ELSEWHERE.match(route.path)]
    answered = {
        (route.path_format.rstrip("/") or "/", method) for route in routes for method in route.methods - {"HEAD"}
    }

    told = {(path, method.upper()) for path, entry in document["paths"].items() for method in entry}

    assert told == answered


@pytest.mark.parametrize(
    ("path", "method", "names"),
    [
        ("/timeseries/{layer}/point", "get", names_of(series.OF_POINT)),
        ("/timeseries/{layer}/area", "get", names_of(areas.OF_AREA)),
        ("/timeseries/{layer}/area", "post", names_of(areas.OF_AREA)),
        ("/timeseries/{layer}/areas", "post", names_of(areas.OF_AREAS)),
        ("/timeseries/points", "post", names_of(points.OF_POINTS)),
        ("/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}", "get", names_of(tiles.OF_TILE)),
        ("/animations/{layer}.{extension}", "get", names_of(animations.OF_ANIMATION)),
        ("/cubes/{layer}/{tms}/{z}/{x}/{y}.ctc", "get", names_of(cubes.OF_CUBE)),
        ("/layers", "get", ("lang",)),
        ("/layers/{layer}/times", "get", names_of(layers.OF_TIMES)),
        ("/places/{set}", "get", ("lang", *names_of(places.OF_SET))),
        ("/places/{set}/values", "get", names_of(places.OF_VALUES)),
    ],
)
def test_every_parameter_is_documented(document, path, method, names):
    parameters = document["paths"][path][method]["parameters"]

    assert {each["name"] for each in parameters if each["in"] == "query"} == set(names)


def test_the_document_names_the_service_and_its_address(document):
    assert document["info"]["title"] == "chronotile"
    assert document["servers"] == [{"url": "http://testserver"}]


def test_the_document_is_answered_304_to_who_has_it(client):
    etag = client.get("/openapi.json").headers["etag"]

    assert client.get("/openapi.json", headers={"If-None-Match": etag}).status_code == 304


def test_page_lists_all_operations_and_runs_nothing(client, document):
    answer = client.get("/docs")

    ids = [operation["operationId"] for entry in document["paths"].values() for operation in entry.values()]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert [name for name in ids if f'id="{name}"' not in answer.text] == []
    assert "<script" not in answer.text
    assert re.search(r'(src|href)="https?://(?!testserver)', answer.text) is None
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "viewer", "description", "server"),
    [
        ("/docs", "viewer", "openapi.json", "http://testserver/"),
        ("/ogcapi/openapi?f=html", "../viewer", "?f=json", "http://testserver/ogcapi"),
    ],
)
def test_page_with_the_viewer_loads_forms_that_use_this_server(viewer_client, path, viewer, description, server):
    answer = viewer_client.get(path)

    page = html.document_fromstring(answer.text)
    assert page.xpath("//script/@src") == [f"{viewer}/pages/reference.js"]
    assert page.xpath("//link[@rel='stylesheet']/@href") == [f"{viewer}/vendor/swagger-ui.css"]
    assert page.xpath("//link[@rel='service-desc']/@href") == [description]
    assert urljoin(str(answer.url), page.xpath("//link[@rel='start']/@href")[0]) == server
    assert page.xpath("//main//details")


@pytest.mark.parametrize("path", ["/docs", "/ogcapi/openapi?f=html"])
def test_the_policy_of_the_page_lets_nothing_leave_this_server(viewer_client, path):
    policy = viewer_client.get(path).headers["content-security-policy"]

    sources = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert (sources["default-src"], sources["script-src"], sources["connect-src"]) == ("'none'", "'self'", "'self'")
    assert re.fullmatch(r"'sha256-[^']+' 'self'", sources["style-src"])
    assert sources["img-src"] == "'self' data: blob:"


@pytest.mark.parametrize("layer", ["NDVI", "TRUE_COLOUR", "CROP", "FLAGGED"])
def test_legend_matches_its_schema(make_client, layer):
    client = make_client(served.make_services(*served.tree_collections()))

    legend = client.get(f"/tiles/{layer}/legend.json").json()

    assert schema_faults(client, "Legend", legend) == []


def test_histograms_with_and_without_values_match_their_schema(client):
    features = [
        {"type": "Feature", "properties": {}, "geometry": box(longitude, 50.8, longitude + 0.1, 50.9).__geo_interface__}
        for longitude in (4.6, 20)
    ]
    collection = {"type": "FeatureCollection", "features": features}
    path = "/timeseries/NDVI/areas?reducers=mean,histogram:3:0:250"

    answer = client.post(path, json=collection).json()

    first, second = (feature["series"]["histogram:3:0:250"][0] for feature in answer["features"])
    assert sum(first) > 0
    assert second == [None, None, None]
    assert schema_faults(client, "AreaSeries", answer, parts=("AreaFeature",)) == []


def test_the_tile_that_is_tried_shows_the_layer(client, document):
    parameters = document["paths"]["/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}"]["get"]["parameters"]
    path = {each["name"]: each["example"] for each in parameters if each["in"] == "path"}

    tile = client.get("/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}".format(**path))

    assert np.asarray(Image.open(BytesIO(tile.content)).convert("RGBA"))[..., 3].any()


def test_the_landing_page_leads_there(client):
    links = client.get("/", headers={"Accept": "application/json"}).json()["links"]

    assert {"service-desc", "service-doc"} <= {link["rel"] for link in links}
