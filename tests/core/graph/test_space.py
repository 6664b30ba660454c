"""Other grids: nearest values and averages equal plain arithmetic, and GDAL between reference systems."""

import numpy as np
import pytest
from pyproj import Transformer

from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.space import METHODS
from tests.core.graph.cubes import call, make_cube, random_cube


def test_average_of_whole_blocks_is_their_mean_without_missing_cells():
    values = np.arange(16.0).reshape(4, 4)
    values[0, 0] = np.nan

    result = call("resample_spatial", data=make_cube(values), resolution=20, method="average")

    expected = [[np.nanmean(values[row : row + 2, column : column + 2]) for column in (0, 2)] for row in (0, 2)]
    np.testing.assert_allclose(result.values, expected)
    np.testing.assert_allclose(result.dimension("x").labels, [680_010, 680_030])
    np.testing.assert_allclose(result.dimension("y").labels, [5_149_990, 5_149_970])


def test_a_single_row_is_as_high_as_the_cells_are_wide():
    result = call("resample_spatial", data=make_cube([[1.0, 2.0, 6.0]]), resolution=30, method="average")

    assert result.values.tolist() == [[3.0]]
    np.testing.assert_allclose(result.dimension("y").labels, [5_149_985])


def test_rows_from_south_to_north_stay_so():
    cube = make_cube(np.arange(16.0).reshape(4, 4))
    turned = cube.select("y", [3, 2, 1, 0])

    result = call("resample_spatial", data=turned, resolution=20, method="average")

    expected = call("resample_spatial", data=cube, resolution=20, method="average")
    np.testing.assert_allclose(result.values, expected.values[::-1])
    np.testing.assert_allclose(result.dimension("y").labels, expected.dimension("y").labels[::-1])


@pytest.mark.parametrize("method", METHODS)
def test_all_methods_keep_a_constant_cube(method):
    result = call(
        "resample_spatial", data=make_cube(np.full((2, 6, 6), 3.0), bands=("a", "b")), resolution=20, method=method
    )

    expected = 12.0 if method == "sum" else 3.0
    np.testing.assert_allclose(result.values, np.full((2, 3, 3), expected))


def test_nearest_values_in_degrees_equal_a_transform_of_each_centre():
    cube = random_cube(4, (2, 30, 30))

    result = call("resample_spatial", data=cube, projection=4326)

    x, y = result.dimension("x"), result.dimension("y")
    to_metres = Transformer.from_crs(4326, 32632, always_xy=True)
    for row in range(0, len(y), 7):
        for column in range(0, len(x), 7):
            east, north = to_metres.transform(x.labels[column], y.labels[row])
            at = int((5_150_000 - north) // 10), int((east - 680_000) // 10)
            inside = all(0 <= index < 30 for index in at)
            expected = cube.values[:, *at] if inside else [np.nan, np.nan]
            np.testing.assert_array_equal(result.values[:, row, column], expected)


def test_the_grid_of_another_cube():
    fine, coarse = random_cube(4, (2, 6, 6)), make_cube(np.zeros((3, 3)), step=20)

    result = call("resample_cube_spatial", data=coarse, target=fine)

    assert result.values.shape == (6, 6)
    np.testing.assert_allclose(result.dimension("x").labels, fine.dimension("x").labels)


def test_a_box_in_degrees_keeps_cells_with_their_centre_inside():
    cube = random_cube(4, (1, 20, 20))
    to_degrees = Transformer.from_crs(32632, 4326, always_xy=True)
    (west, east), (north, south) = to_degrees.transform([680_042, 680_088], [5_149_958, 5_149_912])
    extent = {"west": west, "south": south, "east": east, "north": north}

    result = call("filter_bbox", data=cube, extent=extent)

    np.testing.assert_allclose(result.dimension("x").labels, [680_045, 680_055, 680_065, 680_075, 680_085])
    np.testing.assert_array_equal(result.values, cube.values[:, 4:9, 4:9])


@pytest.mark.parametrize(
    ("process", "arguments", "words"),
    [
        ("resample_spatial", {"resolution": -1}, "resolution: -1 is not accepted"),
        ("resample_spatial", {"resolution": 1e-6}, "at most 1073741824 are accepted"),
        ("resample_spatial", {"method": "best"}, "accepted are average, bilinear"),
        ("resample_spatial", {"projection": "EPSG:0"}, "projection:"),
        ("resample_spatial", {"align": "middle"}, "accepted are lower-left"),
        ("filter_bbox", {"extent": {"west": 1}}, "required are the numbers west, south, east, north"),
        ("filter_bbox", {"extent": {"west": 1, "south": 3, "east": 2, "north": 2}}, "south must not exceed north"),
    ],
)
def test_bad_arguments_are_named(process, arguments, words):
    with pytest.raises(ProcessFault) as refused:
        call(
            process,
            data=random_cube(1, (1, 2, 2)),
            **{"resolution": 30, **arguments} if "resample" in process else arguments,
        )

    assert words in refused.value.message
