"""All processes together: random graphs are evaluated or refused, and a real graph equals xarray."""

import random
from typing import Any

import numpy as np
import pytest

from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.evaluate import parameters_of
from chronotile.core.graph.table import PROCESSES
from tests.core.graph.cubes import as_xarray, callback, make_cube, random_cube, reducer, run

SQUARE = {"type": "Polygon", "coordinates": [[[11.3, 46.4], [11.4, 46.4], [11.4, 46.5], [11.3, 46.5], [11.3, 46.4]]]}
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 2.5, 1e9, 1e308, 10**300, float("nan"), float("inf"), "", "t", "x", "y", "bands"),
    *("B04", "2020-01-02", "2020-01-01T10:00:00Z", "month", "day", "near", "average", "EPSG:32632", 4326, "replicate"),
    *(
        [],
        [1, 2, 3],
        [None, 1.0],
        ["B04"],
        ["2020-01-01", "2020-01-03"],
        [["2020-01-01", None]],
        [[1]],
        [[0, 1, 0]] * 3,
    ),
    *(
        {},
        SQUARE,
        {"west": 11.3, "south": 46.4, "east": 11.4, "north": 46.5},
        [0.1, 0.5],
        [[None, None]],
        ["t", "bands"],
    ),
    *(reducer("mean"), reducer("first"), reducer("quantiles", probabilities=[0.5]), callback("gt", x="$x", y=0)),
    *(callback("add", x="$x", y="$y"), callback("array_create", data=["$x"]), reducer("sort"), callback("pi")),
)


def random_graph(seed: int) -> dict[str, Any]:
    """Return a graph of up to six nodes with random arguments; many arguments are results of other nodes."""
    dice = random.Random(seed)
    nodes: dict[str, Any] = {}
    for number in range(dice.randint(1, 6)):
        name = dice.choice(list(PROCESSES))
        arguments = {}
        for parameter in parameters_of(PROCESSES[name]):
            chance = dice.random()
            if chance < 0.5 and parameter in ("data", "x", "cube1", "cube2", "mask", "target", "value", "array1"):
                choices = [{"from_parameter": "cube"}, {"from_parameter": "level"}, *({"from_node": n} for n in nodes)]
                arguments[parameter] = dice.choice(choices)
            elif chance < 0.9:
                arguments[parameter] = dice.choice(VALUES)
        nodes[str(number)] = {"process_id": name, "arguments": arguments}
    nodes[str(len(nodes) - 1)]["result"] = True
    return nodes


def outcome(seed: int) -> object:
    """Return the result of a random graph, or its error."""
    cube, level = random_cube(seed, (4, 2, 3, 3), bands=("B04", "B08")), make_cube(np.ones((2, 2)), step=20)
    try:
        return run(random_graph(seed), cube=cube, level=level)
    except ProcessFault as fault:
        return fault


@pytest.mark.parametrize(
    "hundred", [*range(20), *(pytest.param(part, marks=pytest.mark.slow) for part in range(20, 200))]
)
def test_random_graphs_are_evaluated_or_refused_with_a_message(hundred):
    outcomes = [outcome(seed) for seed in range(100 * hundred, 100 * (hundred + 1))]

    faults = [result for result in outcomes if isinstance(result, ProcessFault)]
    assert 0 < len(faults) < 100
    assert all(fault.message.startswith("node ") and len(fault.message) < 500 for fault in faults)


def test_the_monthly_median_of_masked_ndvi_equals_xarray():
    random_numbers = np.random.default_rng(7)
    days, shape = 90, (90, 3, 12, 10)
    values = random_numbers.integers(0, 4000, shape).astype(np.float32)
    values[:, 2] = random_numbers.choice([4, 5, 8, 9], (days, 12, 10))
    cube = random_cube(1, shape, bands=("B04", "B08", "SCL"))
    cube = type(cube)(cube.dimensions, values)
    bands = {"process_id": "filter_bands", "arguments": {"data": {"from_parameter": "cube"}, "bands": ["SCL"]}}
    clouds = callback("gte", x="$x", y=8)
    nodes = {
        "ndvi": {
            "process_id": "ndvi",
            "arguments": {"data": {"from_parameter": "cube"}, "red": "B04", "nir": "B08"},
        },
        "scl": bands,
        "drop": {"process_id": "drop_dimension", "arguments": {"data": {"from_node": "scl"}, "name": "bands"}},
        "clouds": {"process_id": "apply", "arguments": {"data": {"from_node": "drop"}, "process": clouds}},
        "mask": {"process_id": "mask", "arguments": {"data": {"from_node": "ndvi"}, "mask": {"from_node": "clouds"}}},
        "months": {
            "process_id": "aggregate_temporal_period",
            "arguments": {"data": {"from_node": "mask"}, "period": "month", "reducer": reducer("median")},
            "result": True,
        },
    }

    result = run(nodes, cube=cube)

    array = as_xarray(cube).astype(float)
    red, nir, classes = (array.sel(bands=name, drop=True) for name in ("B04", "B08", "SCL"))
    expected = ((nir - red) / (nir + red)).where(classes < 8).resample(t="MS").median()
    assert result.values.dtype == np.float32
    np.testing.assert_allclose(result.values, expected.values, rtol=1e-5, atol=1e-6)
