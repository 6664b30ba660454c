"""XYZ tiles, TileJSON and legends over HTTP."""

import dataclasses
import io

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chronotile.catalog.limits import Limits
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Colour
from tests.protocols import served

TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343"
"""A tile completely inside the data."""


def tile_grid(z, x, y):
    quad = served.make_services().catalogue.tile_matrix_set("WebMercatorQuad")
    return quad.tile_grid(quad.matrices[z], row=y, column=x)


def rgba(response):
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGBA"))


def test_a_tile_has_the_colours_of_the_formula(client):
    response = client.get(f"{TILE}.png?datetime=2020-06-11")

    expected = served.expected_rgba(served.BELGIUM_31N, tile_grid(10, 525, 343), 2)
    assert (rgba(response) == expected).all(axis=-1).mean() >= 0.999
    assert response.headers["content-type"] == "image/png"
    assert response.headers["chronotile-time"] == "2020-06-11T00:00:00Z"


def test_a_tile_for_screens_of_high_resolution_has_twice_the_pixels_of_the_same_place(client):
    response = client.get(f"{TILE}@2x.png?datetime=2020-06-11")

    grid = dataclasses.replace(tile_grid(10, 525, 343), width=512, height=512)
    expected = served.expected_rgba(served.BELGIUM_31N, grid, 2)
    assert (rgba(response) == expected).all(axis=-1).mean() >= 0.999


@pytest.mark.parametrize("row", ["343@3x", "343@2", "343@2x@2x", "@2x", "1024@2x"])
def test_other_scales_and_places_are_404(client, row):
    assert client.get(f"/tiles/NDVI/WebMercatorQuad/10/525/{row}.png").status_code == 404


@pytest.mark.parametrize(("extension", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("jpg", "JPEG"), ("tif", "TIFF")])
def test_the_extension_is_the_format(client, extension, kind):
    response = client.get(f"{TILE}.{extension}")

    assert response.status_code == 200
    assert Image.open(io.BytesIO(response.content)).format == kind


def test_values_as_npy(client):
    values = np.load(io.BytesIO(client.get(f"{TILE}.npy?datetime=2020-06-11").content))

    numbers = served.expected_numbers(served.BELGIUM_31N, tile_grid(10, 525, 343), 2)
    assert (values == np.where(numbers == served.NODATA, np.nan, numbers)).mean() > 0.95


def test_a_tile_without_pixels_is_transparent(client):
    response = client.get("/tiles/NDVI/WebMercatorQuad/10/0/0.png")

    assert not rgba(response).any()
    assert rgba(response).shape == (256, 256, 4)


def test_a_layer_without_time_ignores_datetime(client):
    assert client.get("/tiles/HEIGHT/WebMercatorQuad/10/525/343.png?datetime=1999").status_code == 200


def test_matching_etag_is_not_modified(client):
    first = client.get(f"{TILE}.png")

    again = client.get(f"{TILE}.png", headers={"If-None-Match": f'W/"x", {first.headers["etag"]}'})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"]


def test_only_a_url_with_the_current_revision_is_immutable(client):
    revision = client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json").json()["tiles"][0].rpartition("rev=")[2]

    caching = [
        client.get(f"{TILE}.png{query}").headers["cache-control"] for query in (f"?rev={revision}", "?rev=old", "")
    ]

    assert ["immutable" in each for each in caching] == [True, False, False]


def test_any_page_may_read_tiles_and_errors(client):
    for path in (f"{TILE}.png", "/tiles/NDVY/WebMercatorQuad/0/0/0.png", "/nothing"):
        headers = client.get(path, headers={"Origin": "https://example.org"}).headers
        assert headers["access-control-allow-origin"] == "*"
        assert "Chronotile-Time" in headers["access-control-expose-headers"]


def test_a_preflight_is_answered(client):
    response = client.options(
        f"{TILE}.png", headers={"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    )

    assert response.status_code == 204
    assert "GET" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        pytest.param("/tiles/NDVY/WebMercatorQuad/10/525/343.png", 404, "layer", id="layer"),
        pytest.param("/tiles/NDVI/Mercator/10/525/343.png", 404, "tms", id="set"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/99/525/343.png", 404, "z", id="matrix"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/10/1024/343.png", 404, "x", id="x"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/10/525/-1.png", 404, "y", id="y"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/10/five/343.png", 404, "x", id="x-text"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/10/525/343.bmp", 404, "format", id="extension"),
        pytest.param(f"{TILE}.png?datetime=2020-06-12", 404, "datetime", id="time-not-there"),
        pytest.param(f"{TILE}.png?datetime=soon", 400, "datetime", id="time-text"),
        pytest.param(f"{TILE}.png?style=blues", 400, "style", id="style"),
        pytest.param(f"{TILE}.png?range=1", 400, "range", id="range-one"),
        pytest.param(f"{TILE}.png?range=1,nan", 400, "range", id="range-nan"),
        pytest.param(f"{TILE}.png?range=2,1", 400, "range", id="range-order"),
        pytest.param(f"{TILE}.png?ramp=blues", 400, "ramp", id="ramp"),
        pytest.param(f"{TILE}.png?reducer=mode", 400, "reducer", id="reducer"),
        pytest.param(f"{TILE}.png?expression=NDVI*", 400, "expression", id="expression"),
        pytest.param(f"{TILE}.png?style=steps&STYLE=reds", 400, "STYLE", id="repeated"),
        pytest.param(f"{TILE}.png?time=2020-06-11", 400, "time", id="time-of-wms"),
        pytest.param(f"{TILE}.png?startDate=2020", 400, "startDate", id="start-of-terrascope"),
        pytest.param(f"{TILE}.png?Styles=reds", 400, "Styles", id="misspelt"),
        pytest.param("/tiles/NDVI/legend.png?styles=reds", 400, "styles", id="legend-misspelt"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/tilejson.json?ranges=1,2", 400, "ranges", id="tilejson-misspelt"),
        pytest.param("/tiles/UNDATED/WebMercatorQuad/10/525/343.png", 400, "datetime", id="no-default-time"),
        pytest.param("/tiles/TRUE_COLOUR/WebMercatorQuad/10/525/343.tif", 400, "format", id="composite-values"),
        pytest.param("/tiles/GONE/WebMercatorQuad/10/525/343.png", 503, None, id="source"),
        pytest.param("/tiles/NDVI/legend.json?reversed=yes", 400, "reversed", id="legend-reversed"),
        pytest.param("/tiles/NDVI/legend.json?range=0,1&logarithmic=true", 400, "logarithmic", id="legend-log-of-0"),
        pytest.param("/tiles/NDVI/legend.json?ramp=blues-inv", 400, "ramp", id="legend-inverted-ramp"),
        pytest.param("/tiles/NDVI/legend.bmp", 404, "format", id="legend-extension"),
        pytest.param("/tiles/NDVY/legend.png", 404, "layer", id="legend-layer"),
        pytest.param("/tiles/NDVI/legend.png?difference=soon", 400, "difference", id="legend-difference"),
        pytest.param("/tiles/TRUE_COLOUR/legend.png?difference=2020", 400, "difference", id="composite-difference"),
        pytest.param("/tiles/NDVI/Mercator/tilejson.json", 404, "tms", id="tilejson-set"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/tilejson.json?style=blues", 400, "style", id="tilejson-style"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/tilejson.json?range=2,1", 400, "range", id="tilejson-range"),
        pytest.param("/tiles/NDVI/WebMercatorQuad/tilejson.json?ramp=blues", 400, "ramp", id="tilejson-ramp"),
        pytest.param("/tiles/TRUE_COLOUR/WebMercatorQuad/10/525/343.png?ramp=reds", 400, "ramp", id="composite-ramp"),
    ],
)
def test_errors_are_problem_documents_that_name_the_parameter(client, path, status, parameter):
    response = client.get(path)

    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert problem.get("parameter") == parameter
    assert problem["detail"]


@pytest.mark.parametrize("name", ["_", "token", "cachebust", "t", "ts", "v", "apikey", "access_token", "TRANSPARENT"])
def test_parameters_that_clients_add_are_ignored(client, name):
    assert client.get(f"{TILE}.png?{name}=1").content == client.get(f"{TILE}.png").content


def test_misspelt_parameter_is_reported_with_the_right_name(client):
    assert (
        client.get(f"{TILE}.png?date_time=2020").json()["detail"] == "date_time is not a parameter here; use datetime"
    )


def test_missing_resource_is_cached_for_a_minute_and_a_failing_source_never(client):
    missing = client.get("/tiles/NDVY/WebMercatorQuad/10/525/343.png").headers
    failing = client.get("/tiles/GONE/WebMercatorQuad/10/525/343.png").headers

    assert missing["cache-control"] == "max-age=60"
    assert failing["cache-control"] == "no-store"
    assert int(failing["retry-after"]) > 0


def test_a_failing_source_leaves_the_other_layers_alone(client):
    assert client.get("/tiles/GONE/WebMercatorQuad/10/525/343.png").status_code == 503
    assert client.get("/tiles/HEIGHT/WebMercatorQuad/10/525/343.png").status_code == 200


def test_a_time_that_is_not_there_names_the_nearest(client):
    problem = client.get(f"{TILE}.png?datetime=2020-06-12").json()

    assert problem["nearest"] == ["2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]


def test_limit_is_reported_with_the_requested_number(make_client):
    client = make_client(served.make_services(limits=Limits(max_pixels=100)))

    problem = client.get(f"{TILE}.png").json()

    assert (problem["type"], problem["limit"], problem["allowed"], problem["asked"]) == (
        "limit-exceeded", "max_pixels", 100, 65536,
    )  # fmt: skip
    assert problem["alternative"]


def test_tilejson_contains_instant_revision_and_bounds(client):
    document = client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json?style=reds").json()

    template = document["tiles"][0]
    assert "datetime=2020-06-21T00%3A00%3A00Z" in template
    assert "style=reds" in template
    assert template.startswith("http://testserver/tiles/NDVI/WebMercatorQuad/{z}/{x}/{y}.png?")
    west, south, east, north = document["bounds"]
    assert 4.3 < west < east < 5.2
    assert 50.6 < south < north < 51.1
    assert (document["minzoom"], document["maxzoom"]) == (0, 10)  # 100 m; zoom 10 has 96 m at 51 degrees north
    assert document["attribution"] == "Copernicus & co"
    longitude, latitude, zoom = document["center"]
    assert (longitude, latitude) == pytest.approx(((west + east) / 2, (south + north) / 2), abs=1e-6)
    assert 256 < (east - west) / 360 * 256 * 2**zoom <= 512  # wider than high in Mercator, at 51 degrees north too


def test_tilejson_of_a_layer_across_the_antimeridian_opens_with_the_whole_earth(make_client):
    grid = NativeGrid(crs=CRS84, transform=Affine(0.01, 0.0, 178.0, 0.0, -0.01, 10.0), width=320, height=320)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(served.make_services(served.make_collection(layer)))

    document = client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json").json()

    assert (document["bounds"][0], document["bounds"][2]) == (-180, 180)
    assert document["center"][2] == 0


def test_the_template_of_tilejson_gives_tiles(client):
    template = client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json").json()["tiles"][0]

    response = client.get(template.format(z=10, x=525, y=343))

    assert np.array_equal(rgba(response), rgba(client.get(f"{TILE}.png")))


def test_tilejson_names_the_layer_in_the_first_language_of_the_service(make_client):
    layer = served.make_layer(title={"en": "Greenness", "nl": "Groenheid"})
    service = ServiceInfo(languages=("nl", "en"))
    client = make_client(served.make_services(served.make_collection(layer), service=service))

    assert client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json").json()["name"] == "Groenheid"


def test_links_are_of_the_configured_address(make_client):
    service = ServiceInfo(url="https://maps.example.org/veg")
    client = make_client(served.make_services(service=service))

    template = client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json").json()["tiles"][0]

    assert template.startswith("https://maps.example.org/veg/tiles/NDVI/")


def test_a_legend_as_document(client):
    legend = client.get("/tiles/NDVI/legend.json").json()

    assert (legend["layer"], legend["style"], legend["type"]) == ("NDVI", "steps", "ramp")
    assert legend["range"] == [0, 250]


@pytest.mark.parametrize(
    "path",
    [
        "/tiles/NDVI/legend.json?difference=2019",
        "/wms?REQUEST=GetLegendGraphic&LAYER=NDVI&FORMAT=application/json&DIFFERENCE=2019",
    ],
    ids=["tiles", "WMS"],
)
def test_the_legend_of_a_difference_has_its_colours_and_range(client, path):
    legend = client.get(path).json()

    assert legend["range"] == [-125, 125]
    assert [(stop["value"], stop["color"]) for stop in legend["stops"]] == [
        (-125, "#0000fa"),
        (0, "#fafafa"),
        (125, "#fa0000"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/tiles/NDVI/legend.json?reducer={}",
        "/wms?REQUEST=GetLegendGraphic&LAYER=NDVI&FORMAT=application/json&REDUCER={}",
        "/ogcapi/collections/NDVI/legend?f=json&reducer={}",
    ],
    ids=["tiles", "WMS", "OGC API"],
)
def test_the_legend_of_a_reducer_has_the_flags_that_it_leaves(make_client, path):
    steps = dataclasses.replace(served.STEPS, flags=(("cloud", Colour(255, 255, 255)),))
    variable = served.make_variable(flags=((254, "cloud"),))
    layer = served.make_layer(variable=variable, styles=(steps,))
    client = make_client(served.make_services(served.make_collection(layer)))

    flags = {name: client.get(path.format(name)).json()["flags"] for name in ("latest", "max")}

    assert flags == {"latest": [{"name": "cloud", "color": "#ffffff"}], "max": []}
    assert "use latest, earliest, max" in client.get(path.format("no")).text


def test_ramps_are_listed_with_their_colours(client):
    ramps = {ramp["id"]: ramp for ramp in client.get("/ramps").json()["ramps"]}

    assert {"steps", "reds", "difference"} <= set(ramps)
    assert ramps["difference"] == {
        "id": "difference",
        "title": "Less blue, more red",
        "range": [-1.0, 1.0],
        "stops": [
            {"value": -1.0, "color": "#0000fa"},
            {"value": 0.0, "color": "#fafafa"},
            {"value": 1.0, "color": "#fa0000"},
        ],
        "below": "#0000faff",
        "above": "#fa0000ff",
    }


def test_each_listed_ramp_is_accepted_by_tiles(client):
    ramps = client.get("/ramps").json()["ramps"]

    assert {client.get(f"{TILE}.png?ramp={ramp['id']}").status_code for ramp in ramps} == {200}


def test_the_legend_of_a_reversed_style_has_its_colours_the_other_way_round(client):
    plain, turned = (client.get(f"/tiles/NDVI/legend.json{query}").json() for query in ("", "?reversed=true"))

    assert [stop["color"] for stop in turned["stops"]] == [stop["color"] for stop in reversed(plain["stops"])]


def test_a_ramp_of_ncwms_that_is_inverted_has_its_colours_the_other_way_round(client):
    plain, turned = (client.get(f"/tiles/NDVI/legend.json?ramp={ramp}").json() for ramp in ("reds", "reds-inv"))

    assert [stop["color"] for stop in turned["stops"]] == [stop["color"] for stop in reversed(plain["stops"])]


def test_a_logarithmic_legend_gives_powers_equal_shares(client):
    legend = client.get("/tiles/NDVI/legend.json?range=1,100&logarithmic=true").json()

    middle = next(stop for stop in legend["stops"] if stop["value"] > 10)
    assert (legend["range"], middle["color"]) == ([1, 100], "#7d7d7d")


def test_a_tile_has_the_colours_of_its_legend(client):
    query = "range=1,240&logarithmic=true&reversed=true"
    legend = client.get(f"/tiles/NDVI/legend.json?{query}").json()

    seen = {
        f"#{red:02x}{green:02x}{blue:02x}"
        for red, green, blue, _ in rgba(client.get(f"{TILE}.png?{query}"))[::8, ::8].reshape(-1, 4).tolist()
    }

    assert len(seen) > 20
    assert seen <= {stop["color"] for stop in legend["stops"]} | {legend["below"][:7], legend["above"][:7], "#000000"}


@pytest.mark.parametrize(("extension", "media_type"), [("png", "image/png"), ("svg", "image/svg+xml")])
def test_a_legend_as_picture(client, extension, media_type):
    response = client.get(f"/tiles/NDVI/legend.{extension}?style=reds")

    assert response.headers["content-type"].startswith(media_type)
    assert len(response.content) > 200


def test_a_legend_keeps_its_etag(client):
    etag = client.get("/tiles/NDVI/legend.png").headers["etag"]

    assert client.get("/tiles/NDVI/legend.png", headers={"If-None-Match": etag}).status_code == 304


def test_unforeseen_error_is_reported_without_its_trace(make_client):
    services = served.make_services()
    reader = services.readers["s2"]
    broken = dataclasses.replace(
        services, readers={"s2": type("Odd", (), {"info": reader.info, "close": reader.close})()}
    )

    response = make_client(broken).get(f"{TILE}.png")

    assert response.status_code == 500
    assert response.json()["detail"] == "internal server error"
    assert "Traceback" not in response.text


@given(
    st.sampled_from(["png", "webp", "npy"]),
    st.dictionaries(
        st.sampled_from(["datetime", "style", "range", "ramp", "reducer", "rev", "x"]),
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(
                ["2020-06", "2020/2021", "..", "1,2", "0,0", "1e309,2", "latest", "reds", "-1,1", "2020/2021/P1D"]
            ),
        ),
    ),
)
def test_no_query_gives_a_server_error(session_client, extension, query):
    response = session_client.get(f"{TILE}.{extension}", params=query)

    assert response.status_code in {200, 400, 404}
