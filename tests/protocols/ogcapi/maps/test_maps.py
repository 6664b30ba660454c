"""Maps of OGC API over HTTP: pixels by the formula, and headers with bbox and CRS."""

import io

import numpy as np
import pytest
import rasterio
from PIL import Image

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.space.grid import Grid
from tests.protocols import served
from tests.protocols.pictures import rgba_of, share_differing

NDVI = "/ogcapi/collections/NDVI/map"
CELLS = "bbox-crs=EPSG:32631&bbox=600000,5640000,610000,5650000"
"""The north-west corner of the data, 100 by 100 cells."""
CORNER = Grid(crs=crs_of("EPSG:32631"), bbox=BBox(600_000, 5_640_000, 610_000, 5_650_000), width=100, height=100)
LONLAT = Grid(crs=CRS84, bbox=BBox(4.45, 50.8, 4.7, 50.95), width=120, height=90)


def picture_of(response):
    assert response.status_code == 200, response.text
    return rgba_of(response.content)


@pytest.mark.checklist("maps", "A.1.1-3", "A.13")
@pytest.mark.parametrize(
    ("query", "grid"),
    [
        (f"{CELLS}&width=100&height=100", CORNER),
        (f"{CELLS}&crs=EPSG:32631&width=100&height=100", CORNER),
        ("bbox=4.45,50.8,4.7,50.95&crs=CRS84&width=120&height=90", LONLAT),
        ("bbox=50.8,4.45,50.95,4.7&bbox-crs=EPSG:4326&crs=[OGC:CRS84]&width=120&height=90", LONLAT),
        ("subset=Lat(50.8:50.95),Lon(4.45:4.7)&crs=CRS84&width=120&height=90", LONLAT),
        ("subset=Lat(50.8:50.95)&subset=Lon(4.45:4.7)&crs=CRS84&width=120&height=90", LONLAT),
        ("subset=x(600000:610000),y(5640000:5650000)&subset-crs=EPSG:32631&width=100&height=100", CORNER),
    ],
    ids=["native", "crs", "crs84", "north first", "subset", "two subsets", "subset-crs"],
)
def test_a_map_has_the_colours_of_the_formula(tree, query, grid):
    response = tree.get(f"{NDVI}?{query}&datetime=2020-06-11")

    assert share_differing(response.content, served.expected_rgba(served.BELGIUM_31N, grid, 2)) <= 0.001
    assert response.headers["content-type"] == "image/png"


@pytest.mark.checklist("maps", "A.1.1-3")
@pytest.mark.parametrize(
    ("query", "crs", "box"),
    [
        ("", "EPSG/0/32631", [600_000, 5_620_000, 640_000, 5_650_000]),
        ("crs=EPSG:3857&bbox-crs=EPSG:3857&bbox=5e5,65e5,51e4,651e4", "EPSG/0/3857", [5e5, 65e5, 51e4, 651e4]),
        ("crs=EPSG:4326&bbox=4.5,50.8,4.7,50.9", "EPSG/0/4326", [50.8, 4.5, 50.9, 4.7]),
        ("crs=CRS84&bbox=4.5,50.8,4.7,50.9", "OGC/1.3/CRS84", [4.5, 50.8, 4.7, 50.9]),
    ],
    ids=["storage CRS", "mercator", "north first", "crs84"],
)
def test_headers_contain_the_crs_and_the_box_in_its_axis_order(tree, query, crs, box):
    headers = tree.get(f"{NDVI}?{query}&width=20").headers

    assert headers["content-crs"] == f"http://www.opengis.net/def/crs/{crs}"
    assert [float(edge) for edge in headers["content-bbox"].split(",")] == pytest.approx(box)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "2020-06-21T00:00:00Z"),
        ("&datetime=2020-06-11", "2020-06-11T00:00:00Z"),
        ('&subset=time("2020-06-01")', "2020-06-01T00:00:00Z"),
        ("&datetime=2020-06", "2020-06-01T00:00:00Z/2020-06-21T00:00:00Z"),
        ('&subset=time("2020-06-01":"2020-06-11")', "2020-06-01T00:00:00Z/2020-06-11T00:00:00Z"),
        ("&datetime=../2020-06-05", "2020-05-21T00:00:00Z/2020-06-01T00:00:00Z"),
    ],
    ids=["default", "day", "subset", "month", "subset of two", "open"],
)
@pytest.mark.checklist("maps", "A.1.1-3", "parameters worth")
def test_headers_contain_the_shown_time(tree, query, told):
    assert tree.get(f"{NDVI}?width=20{query}").headers["content-datetime"] == told


def test_a_layer_without_time_ignores_it(tree):
    response = tree.get("/ogcapi/collections/HEIGHT/map?width=20&datetime=1999-01-01")

    assert response.status_code == 200
    assert "content-datetime" not in response.headers


@pytest.mark.parametrize("transparent", ["TRUE", "FALSE"])
@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff"])
def test_map_equals_that_of_wms_byte_for_byte(tree, name, transparent):
    box = "600000,5640000,640000,5650000"
    wms = tree.get(
        f"/wms?REQUEST=GetMap&VERSION=1.3.0&LAYERS=NDVI&STYLES=&CRS=EPSG:32631&BBOX={box}&WIDTH=80&HEIGHT=20"
        f"&FORMAT=image/{name}&TRANSPARENT={transparent}&TIME=2020-06-11"
    )

    response = tree.get(
        f"{NDVI}?bbox={box}&bbox-crs=EPSG:32631&width=80&height=20&f={name}&transparent={transparent.lower()}"
        "&datetime=2020-06-11"
    )

    assert response.content == wms.content


@pytest.mark.checklist("maps", "A.16", "A.17", "A.19")
@pytest.mark.parametrize(
    ("name", "media_type", "kind"),
    [
        ("png", "image/png", "PNG"),
        ("jpeg", "image/jpeg", "JPEG"),
        ("jpg", "image/jpeg", "JPEG"),
        ("webp", "image/webp", "WEBP"),
        ("tiff", "image/tiff; application=geotiff", "TIFF"),
        ("PNG", "image/png", "PNG"),
        ("image/jpeg", "image/jpeg", "JPEG"),
    ],
)
def test_f_is_the_format(tree, name, media_type, kind):
    response = tree.get(f"{NDVI}?width=20&f={name}", headers={"accept": "image/webp"})

    assert response.headers["content-type"] == media_type
    assert Image.open(io.BytesIO(response.content)).format == kind


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("image/webp", "image/webp"),
        ("image/jpeg;q=0.5, image/*;q=0.1", "image/jpeg"),
        ("text/html, */*;q=0.8", "image/png"),
        ("image/tiff", "image/tiff; application=geotiff"),
    ],
)
def test_accept_header_decides_without_f(tree, accept, media_type):
    response = tree.get(f"{NDVI}?width=20", headers={"accept": accept})

    assert response.headers["content-type"] == media_type
    assert response.headers["vary"] == "Accept"


def test_a_client_that_takes_no_picture_gets_none(tree):
    response = tree.get(NDVI, headers={"accept": "text/html"})

    assert response.status_code == 406
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.checklist("maps", "A.19")
def test_geotiff_has_the_place_of_the_map(tree):
    response = tree.get(f"{NDVI}?{CELLS}&width=100&height=100&f=tiff&datetime=2020-06-11")

    with rasterio.open(io.BytesIO(response.content)) as dataset:
        assert dataset.crs.to_epsg() == 32631
        assert dataset.bounds == (600_000, 5_640_000, 610_000, 5_650_000)
        pixels = np.moveaxis(dataset.read(), 0, -1)
    assert (pixels == served.expected_rgba(served.BELGIUM_31N, CORNER, 2)).all()


def test_matching_etag_is_confirmed(tree):
    first = tree.get(f"{NDVI}?width=20")

    again = tree.get(f"{NDVI}?width=20", headers={"if-none-match": first.headers["etag"]})

    assert again.status_code == 304
    assert again.content == b""


def test_a_map_outside_the_data_shows_nothing(tree):
    response = tree.get(f"{NDVI}?bbox=100,-30,101,-29&crs=CRS84&width=20&height=20")

    assert not picture_of(response).any()


def test_both_sides_of_the_antimeridian_are_shown(tree):
    response = tree.get("/ogcapi/collections/DMP/map?bbox=170,-10,-170,10&crs=CRS84&width=20&height=20&f=png")

    east, west = (
        Grid(crs=CRS84, bbox=BBox(*box), width=10, height=20) for box in ((170, -10, 180, 10), (-180, -10, -170, 10))
    )
    expected = np.hstack([served.expected_rgba(served.WORLD_4326, grid, 3) for grid in (east, west)])
    assert share_differing(response.content, expected) == 0
    assert response.headers["content-bbox"] == "170,-10,-170,10"


def test_mercator_continues_across_the_antimeridian(tree):
    response = tree.get("/ogcapi/collections/DMP/map?bbox=170,-10,-170,10&crs=EPSG:3857&width=20&height=20")

    edges = [float(edge) for edge in response.headers["content-bbox"].split(",")]
    degree = 20037508.342789244 / 180
    assert [edges[0], edges[2]] == pytest.approx([170 * degree, 190 * degree])
    assert (picture_of(response)[..., 3] == 255).all()


@pytest.mark.checklist("maps", "A.14", "A.11")
class TestOfTheDataset:
    """`/ogcapi/map`."""

    def test_it_shows_the_first_collection_in_crs84(self, tree):
        response = tree.get("/ogcapi/map?bbox=4.45,50.8,4.7,50.95&width=120&height=90&datetime=2020-06-11")

        assert share_differing(response.content, served.expected_rgba(served.BELGIUM_31N, LONLAT, 2)) <= 0.001
        assert response.headers["content-crs"] == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"

    def test_collections_are_overlaid_with_the_last_on_top(self, tree):
        query = f"{CELLS}&crs=EPSG:32631&width=100&height=100&datetime=2020-06-11"

        below, above = (
            picture_of(tree.get(f"/ogcapi/map?collections={names}&{query}")) for names in ("LAI,NDVI", "NDVI,LAI")
        )

        (ndvi, lai) = (served.expected_rgba(served.BELGIUM_31N, CORNER, time) for time in (2, 1))
        assert (below == ndvi).all()
        assert (above == lai).all()

    def test_transparent_pixels_show_lower_collections(self, tree):
        box = "bbox-crs=CRS84&bbox=4.3,50.6,4.6,51.0&crs=CRS84&width=100&height=100&datetime=2020-06-21"

        both = picture_of(tree.get(f"/ogcapi/map?collections=FAPAR,NDVI&{box}"))

        grid = Grid(crs=CRS84, bbox=BBox(4.3, 50.6, 4.6, 51.0), width=100, height=100)
        under = served.expected_rgba(served.FLANDERS_4326, grid, 3)
        over = served.expected_rgba(served.BELGIUM_31N, grid, 3)
        expected = np.where(over[..., 3:] == 0, under, over)
        assert (both == expected).all(axis=2).mean() >= 0.999

    @pytest.mark.parametrize(
        ("collections", "named"), [("nope", "nope"), ("NDVI,nope", "nope"), (",".join(["NDVI"] * 21), "21")]
    )
    def test_unknown_collection_is_refused(self, tree, collections, named):
        response = tree.get(f"/ogcapi/map?collections={collections}")

        assert response.status_code == 400
        assert response.json()["parameter"] == "collections"
        assert named in response.json()["detail"]

    def test_several_have_the_times_of_each(self, tree):
        response = tree.get("/ogcapi/map?collections=NDVI,LAI&width=20")

        assert response.headers["content-datetime"] == "2020-06-21T00:00:00Z/2020-07-01T00:00:00Z"

    def test_landing_page_contains_crs_and_extent(self, tree, assert_valid):
        page = tree.get("/ogcapi?f=json").json()

        assert_valid(page, "maps", "landingPage")
        assert page["crs"][0] == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
        assert page["extent"]["spatial"]["bbox"] == [[-180, -90, 180, 90]]


@pytest.mark.checklist("maps", "A.15")
class TestInAStyle:
    """`…/styles/{styleId}/map`."""

    @pytest.mark.parametrize("path", ["/ogcapi/collections/CROP/styles/reds/map", "/ogcapi/styles/reds/map"])
    def test_it_is_drawn_in_that_style(self, tree, path):
        pixels = picture_of(tree.get(f"{path}?{CELLS}&crs=EPSG:32631&width=100&height=100&datetime=2020-06-11"))

        expected = served.expected_rgba(served.BELGIUM_31N, CORNER, 2)
        expected[..., 1:3] = 0
        assert (pixels == expected).all()

    @pytest.mark.parametrize(
        "path",
        [
            "/ogcapi/collections/NDVI/styles/nope/map",
            "/ogcapi/styles/nope/map",
            "/ogcapi/collections/NDVI/styles/reds/map",
        ],
    )
    def test_unknown_style_is_not_found(self, tree, path):
        response = tree.get(path)

        assert response.status_code == 404
        assert response.json()["parameter"] == "styleId"

    def test_collections_without_the_style_cannot_be_shown(self, tree):
        assert tree.get("/ogcapi/styles/reds/map?collections=CROP,NDVI").status_code == 404


@pytest.mark.checklist("maps", "A.1.1-3", "A.13", "A.14", "A.15")
@pytest.mark.parametrize(
    ("document", "hrefs"),
    [
        ("/ogcapi?f=json", ["/map"]),
        (
            "/ogcapi/collections/CROP?f=json",
            [f"/collections/CROP/{rest}map" for rest in ("", "styles/reds/", "styles/steps/")],
        ),
        ("/ogcapi/collections/s2?f=json", ["/collections/s2/map", "/collections/s2/styles/ndvi-greys/map"]),
    ],
)
def test_links_lead_to_existing_maps(tree, document, hrefs):
    rel = "http://www.opengis.net/def/rel/ogc/1.0/map"
    links = [link["href"] for link in tree.get(document).json()["links"] if link["rel"] == rel]

    assert links == [f"http://testserver/ogcapi{href}" for href in hrefs]
    assert {tree.get(f"{href}?width=10").status_code for href in links} == {200}


@pytest.mark.checklist("maps", "A.23")
def test_any_page_may_read_maps_and_their_headers(tree):
    answer = tree.get(f"{NDVI}?width=10", headers={"origin": "https://example.org"})
    preflight = tree.options(NDVI, headers={"origin": "https://example.org"})

    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Content-Crs", "Content-Bbox", "Content-Datetime", "ETag"} <= set(exposed)
    assert preflight.status_code == 204
    assert "GET" in preflight.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("range=0,1&ramp=nope", "ramp"),
        ("range=1,0", "range"),
        ("reducer=sum", "reducer"),
        ("expression=NDVI%20%2B", "expression"),
        ("difference=x", "difference"),
    ],
)
def test_parameters_of_colours_are_those_of_tiles(tree, query, parameter):
    response = tree.get(f"{NDVI}?{query}")

    assert response.status_code == 400
    assert response.json()["parameter"] == parameter


def test_collections_are_chosen_of_the_dataset_alone(tree):
    response = tree.get(f"{NDVI}?collections=LAI")

    assert response.status_code == 400
    assert response.json()["parameter"] == "collections"


def test_expression_replaces_the_layer(tree):
    told = tree.get(f"{NDVI}?{CELLS}&width=100&height=100&datetime=2020-06-11&expression=NDVI*2&range=-0.16,1.84")

    plain = tree.get(f"{NDVI}?{CELLS}&width=100&height=100&datetime=2020-06-11")
    assert share_differing(told.content, rgba_of(plain.content)) == 0


def test_missing_source_is_reported(client):
    response = client.get("/ogcapi/collections/GONE/map")

    assert response.status_code == 503
    assert response.headers["cache-control"] == "no-store"
