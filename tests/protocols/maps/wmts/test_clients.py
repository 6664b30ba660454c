"""WMTS through OWSLib and GDAL: the pixels follow the formula."""

import json
import subprocess
import sys

import pytest
from owslib.wmts import WebMapTileService

from tests.protocols import served
from tests.protocols.pictures import share_differing

pytestmark = pytest.mark.filterwarnings("ignore:Truth-testing of elements:FutureWarning")  # OWSLib on <Current>

OWSLIB = pytest.mark.client(sys.executable)
"""OWSLib is no program: only Python is needed."""

PLACES = {"WebMercatorQuad": ("11", 687, 1052), "WorldCRS84Quad": ("11", 445, 2100)}


def grid_of(name):
    matrix, row, column = PLACES[name]
    tile_matrix_set = served.make_services().catalogue.tile_matrix_set(name)
    return tile_matrix_set.tile_grid(tile_matrix_set.matrix(matrix), row=row, column=column)


def expected_tile(name, time):
    return served.expected_rgba(served.BELGIUM_31N, grid_of(name), time)


@pytest.fixture
def url(make_url):
    return make_url(served.make_services(*served.varied_collections(), broken=["GONE"]))


@OWSLIB
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("is_rest", [False, True], ids=["kvp", "rest"])
def test_owslib_gets_the_tile_of_the_formula(url, monkeypatch, name, is_rest):
    service = WebMapTileService(f"{url}/wmts")
    monkeypatch.setattr(WebMapTileService, "restonly", is_rest)
    templates = service["NDVI"].resourceURLs  # OWSLib takes any of several
    monkeypatch.setattr(service["NDVI"], "resourceURLs", [each for each in templates if each["format"] == "image/png"])
    matrix, row, column = PLACES[name]

    tile = service.gettile(
        layer="NDVI",
        tilematrixset=name,
        tilematrix=matrix,
        row=row,
        column=column,
        Time="2020-06-11",
        format="image/png",
    )

    assert share_differing(tile.read(), expected_tile(name, 2)) <= 0.001


@OWSLIB
def test_owslib_reads_the_description_of_a_layer(url):
    layer = WebMapTileService(f"{url}/wmts")["NDVI"]

    assert layer.dimensions["Time"]["values"] == ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]
    assert layer.dimensions["Time"]["default"] == "2020-06-21"
    assert layer.boundingBoxWGS84 == pytest.approx((4.4167, 50.7149, 4.9946, 50.9929), abs=1e-4)
    assert sorted(layer.tilematrixsetlinks) == ["WebMercatorQuad", "WorldCRS84Quad"]


@pytest.mark.client
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("path", ["/wmts/1.0.0/WMTSCapabilities.xml", "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"])
def test_gdal_gets_the_tile_of_the_formula(url, tmp_path, name, path):
    """GDAL requests the default time; the window is a single tile."""
    box = grid_of(name).bbox
    window = [str(edge) for edge in (box.xmin, box.ymax, box.xmax, box.ymin)]
    source = f"WMTS:{url}{path},layer=NDVI,style=steps,tilematrixset={name},tilematrix={PLACES[name][0]}"
    target = tmp_path / "tile.png"
    command = ["gdal_translate", "-q", "-of", "PNG", "-projwin", *window, source, str(target)]

    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert share_differing(target.read_bytes(), expected_tile(name, 3)) <= 0.001


@pytest.mark.client
def test_gdal_gets_the_time_requested_from_the_capabilities(url, tmp_path):
    box = grid_of("WebMercatorQuad").bbox
    window = [str(edge) for edge in (box.xmin, box.ymax, box.xmax, box.ymin)]
    address = f"{url}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&TIME=2020-06-01"
    source = f"WMTS:{address},layer=NDVI,style=steps,tilematrixset=WebMercatorQuad,tilematrix=11"
    target = tmp_path / "tile.png"
    command = ["gdal_translate", "-q", "-of", "PNG", "-projwin", *window, source, str(target)]

    subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=tmp_path)

    assert share_differing(target.read_bytes(), expected_tile("WebMercatorQuad", 1)) <= 0.001


@pytest.mark.client
def test_gdalinfo_finds_extent_and_crs(url, tmp_path):
    command = [
        "gdalinfo",
        "-json",
        f"WMTS:{url}/wmts/1.0.0/WMTSCapabilities.xml,layer=NDVI,tilematrixset=WebMercatorQuad",
    ]

    told = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path).stdout
    )

    west, north = told["cornerCoordinates"]["upperLeft"]
    assert (west, north) == pytest.approx((491668.6, 6620035.2), abs=1)
    assert "3857" in told["coordinateSystem"]["wkt"]
