"""Scales and corners of tile matrix sets in six CRS, and tiles of a set from JSON, as clients read them."""

import json
import subprocess

import numpy as np
import pytest
from affine import Affine
from lxml import etree

from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols import served
from tests.protocols.pictures import share_differing

NS = {"w": "http://www.opengis.net/wmts/1.0", "ows": "http://www.opengis.net/ows/1.1"}
METRES_PER_DEGREE = 111319.49079327358
PIXEL_M = 0.00028
ANTARCTIC = NativeGrid(crs=crs_of("EPSG:3031"), transform=Affine(25e3, 0, -3e6, 0, -25e3, 3e6), width=240, height=240)
SETS = {
    "EPSG:3857": ("EPSG::3857", [-20037508.3427892, 20037508.3427892], 156543.03392804097, 1.0),
    "EPSG:4326": ("EPSG::4326", [90, -180], 0.703125, METRES_PER_DEGREE),
    "OGC:CRS84": ("OGC:1.3:CRS84", [-180, 90], 0.703125, METRES_PER_DEGREE),
    "EPSG:3035": ("EPSG::3035", [5500000, 2000000], 17578.125, 1.0),
    "EPSG:32631": ("EPSG::32631", [166021.443, 9329005.183], 39135.7585, 1.0),
    "EPSG:3031": ("EPSG::3031", [-12400000, 12400000], 48437.5, 1.0),
}
"""End of the URN, corner in axis order, first cell size and metres per unit, by CRS."""


def definition(crs):
    """Return a tile matrix set in JSON with four matrices, each twice as fine as the one before."""
    uri = crs.replace("OGC:CRS84", "OGC/1.3/CRS84").replace("EPSG:", "EPSG/0/")
    _urn, corner, cell, _metres = SETS[crs]
    matrices = [
        {
            "id": str(level),
            "scaleDenominator": 1.0 / 2**level,
            "cellSize": cell / 2**level,
            "cornerOfOrigin": "topLeft",
            "pointOfOrigin": corner,
            "tileWidth": 256,
            "tileHeight": 256,
            "matrixWidth": 2 ** (level + 1),
            "matrixHeight": 2 ** (level + 1),
        }
        for level in range(10)
    ]
    return {"id": "OWN", "crs": f"http://www.opengis.net/def/crs/{uri}", "tileMatrices": matrices}


@pytest.fixture
def make_own(tmp_path):
    """Return a function: `make_own(crs)` makes services with a set read from JSON and a layer inside it."""

    def make(crs):
        file = tmp_path / "own.json"
        file.write_text(json.dumps(definition(crs)))
        grid = ANTARCTIC if crs == "EPSG:3031" else served.BELGIUM_31N
        layer = served.make_layer(variable=served.make_variable(grid=grid))
        return served.make_services(served.make_collection(layer), tile_matrix_sets=[str(file)])

    return make


def capabilities(client):
    return etree.fromstring(client.get("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities").content)


@pytest.mark.parametrize("crs", SETS)
def test_scales_and_corners_of_a_set_from_json(make_client, make_own, validate_ogc, crs):
    urn, corner, cell, metres = SETS[crs]
    client = make_client(make_own(crs))

    told = capabilities(client).find("w:Contents/w:TileMatrixSet", NS)

    scales = [float(each.text) for each in told.findall("w:TileMatrix/w:ScaleDenominator", NS)]
    corners = {each.text for each in told.findall("w:TileMatrix/w:TopLeftCorner", NS)}
    assert told.findtext("ows:SupportedCRS", namespaces=NS) == f"urn:ogc:def:crs:{urn}"
    assert [[float(edge) for edge in each.split()] for each in corners] == [corner]
    assert scales == pytest.approx([cell / 2**level * metres / PIXEL_M for level in range(10)], rel=1e-12)
    assert validate_ogc(client.get("/wmts/1.0.0/WMTSCapabilities.xml").content) == []


def first_limited(client):
    """Return the parameters and position of a tile in the middle of the finest matrix with limits."""
    limits = capabilities(client).findall(".//w:TileMatrixLimits", NS)[-1]
    matrix, top, bottom, left, right = (each.text for each in limits)
    return matrix, (int(top) + int(bottom)) // 2, (int(left) + int(right)) // 2


@pytest.mark.parametrize("crs", SETS)
def test_tile_of_a_set_from_json_shows_the_formula(make_client, make_own, get_tile, crs):
    services = make_own(crs)
    client = make_client(services)
    matrix, row, column = first_limited(client)
    tile_matrix_set = services.catalogue.tile_matrix_set("OWN")
    grid = tile_matrix_set.tile_grid(tile_matrix_set.matrix(matrix), row=row, column=column)
    native = services.catalogue.layer("NDVI").main_variable.grid

    answer = get_tile(
        client, TileMatrixSet="OWN", TileMatrix=f"OWN:{matrix}", TileRow=str(row), TileCol=str(column), Time="current"
    )

    expected = served.expected_rgba(native, grid, 3)
    assert np.count_nonzero(expected[..., 3]) > 1000
    assert share_differing(answer.content, expected) <= 0.001


@pytest.mark.client
@pytest.mark.parametrize("crs", SETS)
@pytest.mark.parametrize("path", ["/wmts/1.0.0/WMTSCapabilities.xml", "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"])
def test_gdal_reads_the_tile_of_a_set_from_json(make_client, make_own, make_url, tmp_path, crs, path):
    services = make_own(crs)
    matrix, row, column = first_limited(make_client(services))
    tile_matrix_set = services.catalogue.tile_matrix_set("OWN")
    grid = tile_matrix_set.tile_grid(tile_matrix_set.matrix(matrix), row=row, column=column)
    window = [repr(edge) for edge in (grid.bbox.xmin, grid.bbox.ymax, grid.bbox.xmax, grid.bbox.ymin)]
    source = f"WMTS:{make_url(services)}{path},layer=NDVI,style=steps,tilematrixset=OWN,tilematrix={matrix}"
    target = tmp_path / "tile.png"

    done = subprocess.run(
        ["gdal_translate", "-q", "-of", "PNG", "-projwin", *window, source, str(target)],
        check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    native = services.catalogue.layer("NDVI").main_variable.grid
    assert share_differing(target.read_bytes(), served.expected_rgba(native, grid, 3)) <= 0.001
