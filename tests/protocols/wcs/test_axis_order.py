"""Order of axes in all versions: x first in 1.0.0, the order of the CRS in 1.1.1 and 2.0.1."""

import numpy as np
import pytest
from affine import Affine

from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols.served import make_collection, make_layer, make_services, make_variable
from tests.protocols.wcs.v1.asking import ask, native_numbers, raster_of

GRIDS = {
    "EPSG:4326": NativeGrid(
        crs=crs_of("EPSG:4326"), transform=Affine(0.01, 0, 4.0, 0, -0.01, 51.0), width=60, height=50
    ),
    "EPSG:3035": NativeGrid(
        crs=crs_of("EPSG:3035"), transform=Affine(100, 0, 3_900_000, 0, -100, 3_100_000), width=60, height=50
    ),
}
"""Both have the axis to the north first."""
LABELS = {"EPSG:4326": ("Lat", "Long"), "EPSG:3035": ("Y", "X")}
ROW, COLUMN, HEIGHT, WIDTH = 20, 10, 5, 8


def part(grid, *, inward):
    """Edges of some cells, moved inward by so many of a cell."""
    size = grid.transform.a
    west, north = grid.transform @ (COLUMN, ROW)
    east, south = grid.transform @ (COLUMN + WIDTH, ROW + HEIGHT)
    return [
        round(each, 6)
        for each in (west + inward * size, south + inward * size, east - inward * size, north - inward * size)
    ]


def request_1_0(grid, name):
    box = ",".join(map(str, part(grid, inward=0)))
    return {"COVERAGE": "NDVI", "CRS": name, "BBOX": box, "WIDTH": WIDTH, "HEIGHT": HEIGHT, "FORMAT": "GeoTIFF"}


def request_1_1(grid, name):
    west, south, east, north = part(grid, inward=0.5)
    urn = name.replace("EPSG:", "urn:ogc:def:crs:EPSG::")
    return {"IDENTIFIER": "NDVI", "BOUNDINGBOX": f"{south},{west},{north},{east},{urn}", "FORMAT": "image/tiff"}


def request_2_0(grid, name):
    west, south, east, north = part(grid, inward=0.25)
    first, second = LABELS[name]
    subsets = [f"{first}({south},{north})", f"{second}({west},{east})", 'time("2020-06-21")']
    return {"COVERAGEID": "NDVI", "SUBSET": subsets, "FORMAT": "image/tiff"}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize(("version", "query"), [("1.0.0", request_1_0), ("1.1.1", request_1_1), ("2.0.1", request_2_0)])
def test_cells_of_north_first_crs_equal_those_of_the_source(make_client, version, query, name):
    grid = GRIDS[name]
    client = make_client(make_services(make_collection(make_layer(variable=make_variable(grid=grid)))))

    numbers, _edges = raster_of(ask(client, version, "GetCoverage", **query(grid, name)))

    np.testing.assert_array_equal(numbers[0], native_numbers(HEIGHT, WIDTH, row=ROW, column=COLUMN))
