"""Polygons: the cells are those whose centre shapely finds inside; values of areas equal numpy."""

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from chronotile.core.graph.errors import ProcessFault
from tests.core.graph.cubes import call, random_cube, reducer

TO_DEGREES = Transformer.from_crs(32632, 4326, always_xy=True)
TRIANGLE = shapely.Polygon([(680_013, 5_149_987), (680_188, 5_149_951), (680_077, 5_149_813)])


def in_degrees(shape):
    moved = shapely.transform(shape, TO_DEGREES.transform, interleaved=False)
    return shapely.geometry.mapping(moved)


def inside(cube, shape):
    x, y = np.meshgrid(cube.dimension("x").labels, cube.dimension("y").labels)
    return shapely.contains_xy(shape, x, y)


@pytest.mark.parametrize("keeps_outside", [False, True])
def test_masked_cells_have_their_centre_outside(keeps_outside):
    cube = random_cube(1, (2, 20, 20))

    result = call("mask_polygon", data=cube, mask=in_degrees(TRIANGLE), replacement=9, inside=keeps_outside)

    is_kept = inside(cube, TRIANGLE) != keeps_outside
    np.testing.assert_array_equal(result.values, np.where(is_kept | np.isnan(cube.values), cube.values, 9))


def test_filter_spatial_is_the_cube_in_the_box_around_a_polygon():
    cube = random_cube(1, (1, 20, 20))

    result = call("filter_spatial", data=cube, geometries=in_degrees(TRIANGLE))

    covered = inside(cube, TRIANGLE)
    box = inside(cube, shapely.box(*TRIANGLE.bounds))
    part = np.ix_([0], box.any(axis=1), box.any(axis=0))
    np.testing.assert_array_equal(result.values, np.where(covered, cube.values, np.nan)[part])


def test_means_of_features_and_points():
    cube = random_cube(1, (3, 20, 20))
    point = TO_DEGREES.transform(680_055, 5_149_955)
    features = [
        {"type": "Feature", "properties": {"name": "field"}, "geometry": in_degrees(TRIANGLE)},
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": list(point)}},
    ]
    collection = {"type": "FeatureCollection", "features": features}

    result = call("aggregate_spatial", data=cube, geometries=collection, reducer=reducer("mean"))

    assert result.names == ["geometry", "t"]
    assert list(result.dimension("geometry").labels) == features
    expected = np.nanmean(np.where(inside(cube, TRIANGLE), cube.values, np.nan), axis=(1, 2))
    np.testing.assert_allclose(result.values[0], expected, rtol=1e-12)
    np.testing.assert_array_equal(result.values[1], cube.values[:, 4, 5])


def test_a_polygon_outside_has_no_data():
    far = shapely.transform(TRIANGLE, lambda xy: xy + 5000)

    result = call(
        "aggregate_spatial", data=random_cube(1, (3, 20, 20)), geometries=in_degrees(far), reducer=reducer("mean")
    )

    assert np.isnan(result.values).all()


@pytest.mark.parametrize("geometry", [{"type": "Polygon"}, {"type": "Polygon", "coordinates": [[1, 2]]}, 7, None])
def test_broken_geometries_are_refused(geometry):
    with pytest.raises(ProcessFault) as refused:
        call("mask_polygon", data=random_cube(1, (1, 2, 2)), mask=geometry)

    assert refused.value.code == "ProcessParameterInvalid"
