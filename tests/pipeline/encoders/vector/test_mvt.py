"""Vector tiles compared with mapbox-vector-tile's decoding."""

import mapbox_vector_tile
import numpy as np
import pytest
import shapely

from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from chronotile.core.model.places import PlacesSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.pipeline.encoders.vector.mvt import BUFFER, EXTENT, cut_to_tile, encode_mvt
from chronotile.pipeline.place_shapes import shapes_in
from chronotile.readers.places.place_files import read_places

SIDE = 8192.0
"""Side of the tile in the units of the shapes: two of them are one unit of the tile."""
TILE = BBox(0.0, 0.0, SIDE, SIDE)
UNIT = SIDE / EXTENT


def cut(*shapes, tile=TILE):
    shapes = np.array(shapes, dtype=object)
    return cut_to_tile(shapes, shapely.bounds(shapes), tile)


def decoded(*shapes, properties=None, tile=TILE):
    """Return the features of the tile of some shapes, y to the north, by id."""
    layers = mapbox_vector_tile.decode(encode_mvt("fields", cut(*shapes, tile=tile), properties or {}))
    return {feature["id"]: feature for feature in layers["fields"]["features"]} if layers else {}


def shape_of(feature):
    return shapely.geometry.shape(feature["geometry"])


@pytest.fixture
def fields():
    """Return two thousand polygons of 24 corners that do not touch, a third of them with a hole."""
    rng = np.random.default_rng(7)
    pitch = SIDE / 45
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    middles = [((i + 0.5) * pitch, (j + 0.5) * pitch) for i in range(45) for j in range(45)][:2000]
    rings = [
        np.column_stack((np.cos(angles), np.sin(angles))) * pitch * rng.uniform(0.35, 0.48, (24, 1)) + middle
        for middle in middles
    ]
    holes = [
        [shapely.box(x - 20, y - 20, x + 20, y + 20).exterior] if i % 3 == 0 else [] for i, (x, y) in enumerate(middles)
    ]
    return [shapely.Polygon(ring, hole) for ring, hole in zip(rings, holes, strict=True)]


@pytest.mark.slow
def test_two_thousand_fields_come_back_with_their_properties_and_areas(fields):
    names = [f"field {number}" for number in range(len(fields))]

    found = decoded(*fields, properties={"id": names})

    assert [found[number]["properties"] for number in range(2000)] == [{"id": name} for name in names]
    areas = np.array([shape_of(found[number]).area for number in range(2000)]) * UNIT**2
    outlines = shapely.length(np.array(fields))
    assert (np.abs(areas - shapely.area(np.array(fields))) <= outlines * UNIT).all()


def test_whole_units_are_restored():
    shape = shapely.MultiPolygon(
        [
            shapely.Polygon([(20, 20), (400, 30), (300, 600)], [[(200, 100), (240, 100), (240, 140)]]),
            shapely.box(800, 2, 900, 90),
        ]
    )

    found = decoded(shape)[0]

    assert shapely.equals(shape_of(found), shapely.transform(shape, lambda xy: xy / UNIT))


def test_rings_wind_as_the_specification_requires():
    """MVT 2.1 §4.3.4.4: seen with y to the south, the outer ring's area is positive and the inner one's negative."""
    polygon = shapely.Polygon([(0, 0), (0, 100), (100, 100), (100, 0)], [[(20, 20), (20, 40), (40, 40), (40, 20)]])
    layers = mapbox_vector_tile.decode(encode_mvt("fields", cut(polygon), {}), default_options={"y_coord_down": True})

    rings = layers["fields"]["features"][0]["geometry"]["coordinates"]

    assert [shapely.LinearRing(ring).is_ccw for ring in rings] == [True, False]


@pytest.mark.parametrize(
    "value", ["maïs", "", True, False, 0, 1, -1, 2**62, -(2**63), 0.25, -1e300, float("inf")], ids=repr
)
def test_a_value_keeps_its_kind(value):
    found = decoded(shapely.box(10, 10, 90, 90), properties={"value": [value]})[0]["properties"]

    assert found == {"value": value}
    assert type(found["value"]) is type(value)


def test_absent_values_are_omitted_and_equal_numbers_of_two_types_are_two_values():
    box = shapely.box(10, 10, 90, 90)

    found = decoded(box, box, box, properties={"a": [1, True, None], "b": [None, 1.0, "x"]})

    assert [repr(found[number]["properties"]) for number in range(3)] == [
        "{'a': 1}",
        "{'a': True, 'b': 1.0}",
        "{'b': 'x'}",
    ]


def test_a_shape_is_cut_a_buffer_beyond_the_tile():
    found = decoded(shapely.box(-1e6, -1e6, 1e6, 1e6))[0]

    assert shape_of(found).bounds == (-BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)


def test_ids_are_those_of_the_set_not_of_the_tile():
    far, near = shapely.box(9e5, 9e5, 9.1e5, 9.1e5), shapely.box(100, 100, 300, 300)

    assert list(decoded(far, near, far, near)) == [1, 3]


def test_shape_smaller_than_a_unit_is_omitted():
    assert list(decoded(shapely.box(100.2, 100.2, 100.9, 100.9), shapely.box(100, 100, 110, 110))) == [1]


def test_shape_that_only_touches_the_buffer_is_omitted():
    edge = -BUFFER * UNIT
    along, at_a_point = (
        shapely.box(edge - 99, 100, edge, 200),
        shapely.Polygon([(edge - 9, 400), (edge, 450), (edge - 9, 500)]),
    )
    around = shapely.MultiPolygon([along, at_a_point, shapely.box(9e4, 9e4, 9.1e4, 9.1e4)])

    assert encode_mvt("fields", cut(around), {}) == b""


def test_a_tile_without_shapes_has_no_bytes():
    assert encode_mvt("fields", cut(shapely.box(9e5, 9e5, 9.1e5, 9.1e5)), {}) == b""


def test_an_outline_finer_than_a_unit_is_simplified():
    angles = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    circle = shapely.Polygon(np.column_stack((np.cos(angles), np.sin(angles))) * 2000 + SIDE / 2)

    found = shape_of(decoded(circle)[0])

    assert shapely.get_num_coordinates(found) < 400
    assert found.area * UNIT**2 == pytest.approx(circle.area, rel=1e-3)


def test_rounding_leaves_every_polygon_valid():
    rng = np.random.default_rng(3)
    combs = [
        shapely.make_valid(
            shapely.Polygon(rng.uniform(0, 40, (12, 2)) + rng.uniform(0, SIDE - 40, 2)), method="structure"
        )
        for _ in range(300)
    ]

    found = decoded(*combs)

    assert len(found) > 250
    assert all(shape_of(feature).is_valid for feature in found.values())


@pytest.mark.data
@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad", "UPSArcticWGS84Quad"])
def test_countries_are_valid_in_every_tile(shared_data, tms):
    path = shared_data / "naturalearth" / "ne_110m_admin_0_countries.json"
    spec = PlacesSpec(id="c", title={}, path=str(path), id_field="ADM0_A3", max_features=999, max_vertices=99_999)
    tile_matrix_set = load_tile_matrix_set(tms, folder=path.parent)
    projected = shapes_in(read_places(spec), tile_matrix_set.crs)

    cuts = [cut_to_tile(projected.shapes, projected.bounds, box) for box in boxes_of(tile_matrix_set, levels=4)]
    decoded_tiles = [mapbox_vector_tile.decode(encode_mvt("c", each, {})) for each in cuts if each.owners.size]

    shapes = [shape_of(feature) for tile in decoded_tiles for feature in tile["c"]["features"]]
    assert len(shapes) > 500
    assert shapely.is_valid(shapes).all()


def boxes_of(tile_matrix_set, *, levels):
    """Return the boxes of all tiles of the coarsest matrices."""
    return [
        tile_matrix_set.tile_grid(matrix, row=row, column=column).bbox
        for matrix in tile_matrix_set.matrices[:levels]
        for row in range(matrix.matrix_height)
        for column in range(matrix.matrix_width)
    ]
