"""OGC API over real data: positions, areas, coverages and tiles, compared with the files and the other protocols."""

import io
import math

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Transformer

from tests.protocols.ogcapi.schemas import faults
from tests.real_data.test_real_data import _tile_path, archive_at, each_layer, served
from tests.real_data.truth import SHARED

__all__ = ["archive_at", "served"]

pytestmark = [pytest.mark.data, pytest.mark.slow]

SCHEMAS = SHARED / "ogc" / "schemas"
SIDE = 12
"""Cells along each side of a part."""


def values_of(document):
    """Return the values of the one range of a Coverage."""
    (found,) = document["ranges"].values()
    return found["values"]


def part_of(truth):
    """(rows, columns) about the middle."""
    return tuple(slice(size // 2, size // 2 + min(SIDE, size // 2)) for size in truth.numbers.shape[1:])


def outline_of(truth):
    """Return the corners of the part in degrees, drawn in by a third of a cell, as a polygon."""
    rows, columns = part_of(truth)
    inner = [(rows.start + 1 / 3, rows.stop - 1 / 3), (columns.start + 1 / 3, columns.stop - 1 / 3)]
    corners = [(columns_at, rows_at) for rows_at in inner[0] for columns_at in inner[1]]
    to_degrees = Transformer.from_crs(truth.crs, "OGC:CRS84", always_xy=True)
    places = [to_degrees.transform(*(truth.transform @ corner)) for corner in corners]
    return shapely.MultiPoint(places).convex_hull


@each_layer
def test_positions_are_the_numbers_of_the_files(served, expected):
    truth = expected.truth()
    cells = truth.cells(20)

    answers = [
        served.get(f"/ogcapi/collections/{expected.layer}/position?coords=POINT({float(x)!r} {float(y)!r})").json()
        for x, y in (truth.lonlat(row, column) for row, column in cells)
    ]

    assert [values_of(answer) for answer in answers] == [truth.expected(row, column) for row, column in cells]


@each_layer
def test_cells_of_an_area_equal_those_of_the_area_series(served, expected):
    area = outline_of(expected.truth())

    cut = served.get(f"/ogcapi/collections/{expected.layer}/area", params={"coords": area.wkt})
    series = served.post(f"/timeseries/{expected.layer}/area", json=shapely.geometry.mapping(area))

    (told,) = series.json()["features"]
    cells = np.array(values_of(cut.json()), dtype=float).reshape(len(told["valid"]), -1)
    means = [math.fsum(each[~np.isnan(each)]) / max(1, (~np.isnan(each)).sum()) for each in cells]
    assert (~np.isnan(cells)).sum(axis=1).tolist() == told["valid"]
    assert [mean for mean in told["series"]["mean"] if mean is not None] == pytest.approx(
        [mean for mean, valid in zip(means, told["valid"], strict=True) if valid], rel=1.2e-7, abs=1e-9
    )  # statistics are text of float32


@each_layer
def test_geotiff_of_a_part_has_the_values_of_the_files(served, expected):
    truth = expected.truth()
    rows, columns = part_of(truth)
    xs, ys = truth.transform @ (np.array([columns.start, columns.stop]), np.array([rows.start, rows.stop]))
    labels = ("Lon", "Lat") if truth.crs.is_geographic else ("x", "y")
    (x0, x1), (y0, y1) = sorted(xs.tolist()), sorted(ys.tolist())
    query = {"subset": f"{labels[0]}({x0!r}:{x1!r}),{labels[1]}({y0!r}:{y1!r})", "f": "GTiff"}

    answer = served.get(f"/ogcapi/collections/{expected.layer}/coverage", params=query)

    with rasterio.open(io.BytesIO(answer.content)) as file:
        numbers = file.read(masked=True)
        values = np.ma.filled(numbers.astype(float) * file.scales[0] + file.offsets[0], np.nan)
    asked = np.s_[:, rows, columns]
    wanted = np.where(truth.valid(*asked), truth.numbers[asked].astype(float) * truth.scale + truth.offset, np.nan)
    np.testing.assert_array_equal(values, wanted[:, :: -1 if truth.transform.e > 0 else 1])


@each_layer
def test_map_tiles_are_the_tiles_of_xyz(served, archive_at, expected):
    truth = expected.truth()
    valid = np.argwhere(truth.valid()[-1])
    sets = archive_at(expected.place).services.catalogue.tile_matrix_sets
    mercator = next(each for each in sets if each.id == "WebMercatorQuad")
    finest = served.get(f"/tiles/{expected.layer}/WebMercatorQuad/tilejson.json").json()["maxzoom"]
    path = _tile_path(mercator, truth.lonlat(*valid[len(valid) // 2]), zoom=min(10, finest))
    zoom, column, row = path.split("/")

    xyz = served.get(f"/tiles/{expected.layer}/WebMercatorQuad/{path}.png")
    tile = served.get(f"/ogcapi/collections/{expected.layer}/map/tiles/WebMercatorQuad/{zoom}/{row}/{column}?f=png")

    assert (tile.status_code, tile.content) == (200, xyz.content)


@each_layer
def test_collection_is_valid_by_the_bundles(served, expected):
    collection = served.get(f"/ogcapi/collections/{expected.layer}").json()

    assert faults(SCHEMAS, collection, "edr", "collection") == []
    assert faults(SCHEMAS, collection, "coverages", "collectionDesc") == []
