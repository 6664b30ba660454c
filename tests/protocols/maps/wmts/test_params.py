"""Parameters of GetTile in key-value pairs and in paths."""

import pytest

from chronotile.catalog.service_info import ServiceInfo
from tests.protocols import served
from tests.protocols.pictures import rgba_of, share_differing

TILE = "WebMercatorQuad/11/687/1052"


def expected_tile(time, name="WebMercatorQuad", matrix="11", row=687, column=1052):
    tile_matrix_set = served.make_services().catalogue.tile_matrix_set(name)
    grid = tile_matrix_set.tile_grid(tile_matrix_set.matrix(matrix), row=row, column=column)
    return served.expected_rgba(served.BELGIUM_31N, grid, time)


def test_tile_by_key_value_pairs_shows_the_formula(make_client, get_tile):
    answer = get_tile(make_client(), Time="2020-06-11")

    assert share_differing(answer.content, expected_tile(2)) <= 0.001


def test_tile_by_path_shows_the_formula(make_client):
    answer = make_client().get(f"/wmts/1.0.0/NDVI/steps/2020-06-11/{TILE}.png")

    assert share_differing(answer.content, expected_tile(2)) <= 0.001


def test_tile_in_degrees_shows_the_formula(make_client, get_tile):
    expected = expected_tile(3, "WorldCRS84Quad", "11", 445, 2100)

    answer = get_tile(make_client(), TileMatrixSet="WorldCRS84Quad", TileMatrix="11", TileRow="445", TileCol="2100")

    assert expected[..., 3].any()
    assert share_differing(answer.content, expected) <= 0.001


def test_names_are_case_insensitive(make_client):
    query = (
        "SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=NDVI&STYLE=steps&FORMAT=image%2Fpng"
        "&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX=11&TILEROW=687&TILECOL=1052&TIME=2020-06-11"
    )

    assert share_differing(make_client().get(f"/wmts?{query}").content, expected_tile(2)) <= 0.001


@pytest.mark.parametrize("style", ["", "default", "steps"])
def test_style_may_be_empty_default_or_named(make_client, get_tile, style):
    assert share_differing(get_tile(make_client(), style=style).content, expected_tile(3)) <= 0.001


@pytest.mark.parametrize(
    ("tile_matrix_set", "matrix"),
    [
        ("WebMercatorQuad", "11"),
        ("WebMercatorQuad", "WebMercatorQuad:11"),
        ("EPSG:3857", "EPSG:3857:11"),
        ("EPSG:3857", "11"),
        ("WebMercatorQuad", "EPSG:3857:11"),
        ("GoogleMapsCompatible", "11"),
        ("GoogleMapsCompatible", "GoogleMapsCompatible:11"),
        ("EPSG:900913", "EPSG:900913:11"),
    ],
)
def test_matrices_are_named_with_or_without_their_set(make_client, get_tile, tile_matrix_set, matrix):
    client = make_client()

    answer = get_tile(client, TileMatrixSet=tile_matrix_set, TileMatrix=matrix)

    assert answer.content == get_tile(client).content


def test_other_names_of_sets_are_not_listed(make_client):
    listed = make_client().get("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities").text

    assert "WebMercatorQuad<" in listed
    assert "GoogleMapsCompatible" not in listed


@pytest.mark.parametrize("name", ["GoogleMapsCompatible", "EPSG:900913"])
def test_other_names_are_names_in_paths_too(make_client, name):
    client = make_client()

    by_path, usual = (
        client.get(f"/wmts/1.0.0/NDVI/steps/2020-06-11/{each}/11/687/1052.png") for each in (name, "WebMercatorQuad")
    )

    assert by_path.headers["Content-Type"] == "image/png"
    assert by_path.content == usual.content


@pytest.mark.parametrize("format", ["IMAGE/PNG", "Image/Png"])
def test_format_is_case_insensitive(make_client, get_tile, format):
    client = make_client()

    answer = get_tile(client, format=format)

    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content == get_tile(client).content


@pytest.mark.parametrize(
    "query", ["TIME=2020-06-01&Style=steps&time=2020-06-11", "Reducer=mode&reducer=max&Time=2020-06-11"]
)
def test_of_a_repeated_parameter_the_last_counts(make_client, get_tile, query):
    """QGIS and others append theirs to the parameters of a URL."""
    client = make_client()
    usual = get_tile(client, Time="2020-06-11")

    repeated = client.get(f"/wmts?{query}&{usual.request.url.query.decode()}&style=reds&style=steps")

    assert repeated.headers["Content-Type"] == "image/png"
    assert repeated.content == usual.content


def test_of_a_parameter_that_is_repeated_behind_a_path_the_last_counts(make_client):
    client = make_client()
    path = f"/wmts/1.0.0/NDVI/steps/2020-06-01/2020-06-21/{TILE}.png"

    answer = client.get(f"{path}?reducer=latest&Reducer=max")

    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content == client.get(f"{path}?reducer=max").content
    assert answer.content != client.get(path).content


@pytest.mark.parametrize("format", ["image/png", "image/webp", "image/jpeg"])
def test_media_type_is_the_format(make_client, get_tile, format):
    answer = get_tile(make_client(), format=format)

    assert answer.headers["Content-Type"] == format
    assert rgba_of(answer.content).shape == (256, 256, 4)


@pytest.mark.parametrize(
    ("extension", "media_type"), [("png", "image/png"), ("webp", "image/webp"), ("jpg", "image/jpeg")]
)
def test_media_type_follows_the_extension(make_client, extension, media_type):
    answer = make_client().get(f"/wmts/1.0.0/NDVI/default/default/{TILE}.{extension}")

    assert answer.headers["Content-Type"] == media_type


@pytest.mark.parametrize(
    ("layer", "time", "used"),
    [
        ("NDVI", "2020-06-11", "2020-06-11T00:00:00Z"),
        ("NDVI", "default", "2020-06-21T00:00:00Z"),
        ("NDVI", "current", "2020-06-21T00:00:00Z"),
        ("NDVI", None, "2020-06-21T00:00:00Z"),
        ("UNDATED", None, "2020-06-21T00:00:00Z"),
        ("UNDATED", "default", "2020-06-21T00:00:00Z"),
        ("FUTURE", None, "2020-06-21T00:00:00Z"),
        ("TIMED", None, "2020-06-30T10:50:31.024Z"),
        ("RECENT", "2020-06-12", "2020-06-11T00:00:00Z"),
        ("NDVI", "2020-06-01/2020-06-11/P10D", "2020-06-11T00:00:00Z,2020-06-01T00:00:00Z"),
    ],
)
def test_used_instant_is_the_same_in_both_encodings(client, get_tile, layer, time, used):
    by_query = get_tile(client, layer=layer, Time=time)
    by_path = client.get(f"/wmts/1.0.0/{layer}/default/{time or 'default'}/{TILE}.png")

    assert [by_query.headers["Chronotile-Time"], by_path.headers["Chronotile-Time"]] == [used, used]


def test_path_without_time_shows_the_default(make_client):
    answer = make_client().get(f"/wmts/1.0.0/NDVI/steps/{TILE}.png")

    assert answer.headers["Chronotile-Time"] == "2020-06-21T00:00:00Z"


@pytest.mark.parametrize("path", ["HEIGHT/default", "HEIGHT/default/2020-06-11", "HEIGHT/default/whenever"])
def test_layer_without_time_ignores_it(client, path):
    answer = client.get(f"/wmts/1.0.0/{path}/{TILE}.png")

    assert answer.status_code == 200
    assert "Chronotile-Time" not in answer.headers


def test_time_of_a_layer_whose_times_all_lie_ahead_is_the_first(make_client, get_tile):
    future = served.make_layer(variable=served.make_variable(times=served.days_of("2106-01-01", "2107-01-01")))
    client = make_client(served.make_services(served.make_collection(future)))

    assert get_tile(client).headers["Chronotile-Time"] == "2106-01-01T00:00:00Z"
    assert get_tile(client, Time="current").status_code == 400


def test_alias_is_drawn(client, get_tile):
    assert get_tile(client, layer="CGS_S2_NDVI").content == get_tile(client).content


@pytest.mark.parametrize("path", ["/wmts", "/wmts/v2"])
def test_every_path_of_the_configuration_answers(make_client, get_tile, path):
    client = make_client(served.make_services(service=ServiceInfo(wmts_paths=("/wmts", "/wmts/v2"))))

    assert get_tile(client, path=path).status_code == 200
    assert client.get(f"{path}/1.0.0/NDVI/steps/default/{TILE}.png").status_code == 200
    assert client.get(f"{path}/1.0.0/WMTSCapabilities.xml").status_code == 200


def test_tile_without_data_inside_the_limits_is_transparent(make_client, get_tile):
    """The data end in the middle of this tile's row of tiles."""
    pixels = rgba_of(get_tile(make_client(), TileMatrix="1", TileRow="1", TileCol="1").content)

    assert pixels.shape == (256, 256, 4)
    assert not pixels[..., 3].any()


def test_tile_that_the_client_holds_is_304(make_client, get_tile):
    client = make_client()
    etag = get_tile(client).headers["ETag"]

    assert get_tile(client, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("query", ["SERVICE=WMS&REQUEST=GetCapabilities", "service=wms&request=getcapabilities"])
def test_capabilities_of_wms_are_those_of_wmts_here(client, query):
    """QGIS requests them if a URL does not name the service."""
    response = client.get(f"/wmts?{query}")

    assert response.status_code == 200
    assert response.content == client.get("/wmts?service=WMTS&request=GetCapabilities").content


def test_other_requests_of_wms_are_refused(get_tile, client):
    assert get_tile(client, service="WMS").status_code == 400


@pytest.mark.parametrize("service", ["wms", "wmts"])
def test_the_bare_address_gives_the_capabilities(client, service):
    response = client.get(f"/{service}")

    assert response.status_code == 200
    assert b"Capabilities" in response.content
