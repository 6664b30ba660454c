"""Dimensions and labels of cubes, beyond the published cases."""

import numpy as np

from chronotile.core.graph.cube import GraphCube
from tests.core.graph.cubes import call, callback, random_cube


def test_bands_by_common_names_in_the_order_of_the_list():
    cube = random_cube(1, (1, 3, 2, 2), bands=("B02", "B04", "B08"))
    dimensions = list(cube.dimensions)
    object.__setattr__(dimensions[1], "common_names", {"B04": "red", "B08": "nir"})

    result = call("filter_bands", data=GraphCube(tuple(dimensions), cube.values), bands=["nir", "B02", "red"])
    index = call("ndvi", data=GraphCube(tuple(dimensions), cube.values))

    assert list(result.dimension("bands").labels) == ["B08", "B02", "B04"]
    red, nir = cube.values[:, 1], cube.values[:, 2]
    np.testing.assert_allclose(index.values, (nir - red) / (nir + red))


def test_unknown_bands_are_left_out():
    result = call("filter_bands", data=random_cube(1, (1, 2, 2, 2), bands=("B02", "B04")), bands=["B09", "B04"])

    assert list(result.dimension("bands").labels) == ["B04"]


def test_flattened_dimensions_can_be_restored():
    cube = random_cube(1, (2, 3, 2, 2), bands=("a", "b", "c"))

    flat = call(
        "flatten_dimensions", data=cube, dimensions=["t", "bands"], target_dimension="both", label_separator="|"
    )
    restored = call(
        "unflatten_dimension", data=flat, dimension="both", target_dimensions=["t", "bands"], label_separator="|"
    )

    assert len(flat.dimension("both")) == 6
    np.testing.assert_array_equal(restored.values, cube.values)


def test_labels_by_a_condition():
    cube = random_cube(1, (1, 3, 2, 2), bands=("B02", "B04", "SCL"))

    result = call(
        "filter_labels", data=cube, dimension="bands", condition=callback("text_begins", data="$value", pattern="B")
    )

    assert list(result.dimension("bands").labels) == ["B02", "B04"]
