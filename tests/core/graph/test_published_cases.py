"""The published cases of openEO's processes, level by level; cases that fail are listed with their reasons."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from chronotile.core.graph.cube import GraphCube
from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.evaluate import parameters_of
from chronotile.core.graph.table import PROCESSES
from chronotile.core.graph.values import LabelledList
from tests.core.graph.cubes import run
from tests.core.graph.published import FOLDER, is_same, load_json5, value_of
from tests.strict import SHARED_ABSENT

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=SHARED_ABSENT)

SPELLING = "faulty: from_argument instead of from_parameter"
CONDITION = "faulty: the argument condition is called process"
OUTSIDE = "faulty: the times of the cube are in June, the intervals in January"
RENAMED = "faulty: the other dimension is renamed than the arguments request"
FAILURES = {
    "aggregate_temporal:5": OUTSIDE,
    "aggregate_temporal:6": OUTSIDE,
    "aggregate_temporal:7": OUTSIDE,
    "aggregate_temporal:8": OUTSIDE,
    "aggregate_temporal:9": "faulty: the labels are in the reducer",
    "aggregate_temporal:10": "faulty: all times are at midnight, and both intervals have values",
    "aggregate_temporal_period:3": "faulty: days are expected for the period hour",
    "aggregate_temporal_period:4": "faulty: labels of hours are expected for the period day",
    "aggregate_temporal_period:8": "faulty: the dimension t2 is called t in the result",
    "aggregate_temporal_period:9": "faulty: the dimension t2 is called t in the result",
    "all:8": "contradicts the description: only missing values, not ignored, are no data",
    "any:8": "contradicts the description: only missing values, not ignored, are no data",
    "apply:1": SPELLING,
    "apply:2": "faulty: a missing value becomes 1650",
    "apply_dimension:1": "faulty: missing values are not ignored in one cell, but in the others",
    "apply_dimension:2": "faulty: the cube has no dimension bands",
    "array_append:0": "faulty: 0 is appended, 1 is expected",
    "array_element:3": "faulty: the label is B and letter O",
    "array_find:6": "faulty: the index is counted from 1",
    "array_modify:3": "faulty: one value is removed with the default length 0",
    "count:4": "faulty: the parameter x is called element",
    "count:5": "faulty: the parameter x is called element",
    "filter_bands:4": "faulty: blue and green are expected for red and blue",
    "int:12": "NaN stays NaN, as in other processes; no data is expected",
    "lte:15": "faulty: infinity is not less than or equal to infinity",
    "mask:0": "faulty: cells whose mask is zero are replaced",
    "mask:1": "faulty: a file is missing",
    "mask:2": "faulty: cells whose mask is zero are replaced",
    "mask_polygon:0": "faulty: the polygon is far from the cube",
    "mask_polygon:1": "faulty: the polygon is far from the cube",
    "mask_polygon:6": "faulty: four cells of the last time and band are not masked",
    "merge_cubes:3": SPELLING,
    "product:10": "faulty: a product of two infinities is infinite",
    "reduce_dimension:1": SPELLING,
    "rename_dimension:3": RENAMED,
    "rename_dimension:4": RENAMED,
    "rename_labels:5": "faulty: the required argument target is missing",
    "rename_labels:7": "faulty: the required argument target is missing",
    **{f"array_apply:{number}": SPELLING for number in range(1, 8)},
    "array_apply:8": "faulty: mulitply",
    **{f"array_filter:{number}": CONDITION for number in range(7)},
}
"""Cases of available processes that fail, by process and position in its file."""
LEAST = {"L1": 0.98, "L2": 0.92, "L2-Date": 1, "L2-Text": 1}
"""Share of the cases of each level that must pass, the faulty ones included."""


def load_cases() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return level and case by name."""
    cases = {}
    for path in sorted((FOLDER / "tests").glob("*.json5")):
        document = load_json5(path)
        for number, case in enumerate(document["tests"]):
            cases[f"{document['id']}:{number}"] = case.get("level", document["level"]), case
    return cases


CASES = load_cases() if FOLDER.is_dir() else {}
AVAILABLE = [name for name in CASES if name.split(":")[0] in PROCESSES]


def passes(name: str) -> bool:
    """Return whether a case returns the expected value, or its error."""
    case, folder, parameters = CASES[name][1], FOLDER / "tests", dict[str, Any]()

    def as_argument(value: Any) -> Any:
        if isinstance(value, GraphCube | LabelledList):
            parameters[str(len(parameters))] = value
            return {"from_parameter": str(len(parameters) - 1)}
        return [as_argument(member) for member in value] if isinstance(value, list) else value

    try:
        arguments = {key: as_argument(value_of(value, folder)) for key, value in case["arguments"].items()}
        result = run({"call": {"process_id": name.split(":", maxsplit=1)[0], "arguments": arguments}}, **parameters)
    except ProcessFault as fault:
        return case.get("throws") in (True, fault.code)
    except OSError:
        return False
    if "returns" not in case:
        return False
    has_data = not (isinstance(case["returns"], dict) and case["returns"].get("data", case["returns"]) is None)
    return is_same(result, value_of(case["returns"], folder), has_data=has_data)


@pytest.mark.parametrize("name", AVAILABLE)
def test_a_case_returns_the_published_value(name):
    assert passes(name) is (name not in FAILURES), FAILURES.get(name, "it must pass")


def test_enough_cases_of_each_level_pass():
    total = Counter(level for level, _case in CASES.values())
    passed = Counter(CASES[name][0] for name in AVAILABLE if name not in FAILURES)

    assert {level: passed[level] / total[level] >= share for level, share in LEAST.items()} == dict.fromkeys(
        LEAST, True
    )


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_arguments_and_defaults_are_the_published_ones(name):
    path = next(
        (path for path in (FOLDER / f"{name}.json", FOLDER / "proposals" / f"{name}.json") if path.exists()), None
    )
    if path is None:
        assert name in {"mask_scl_dilation", "to_scl_dilation_mask"}  # of Copernicus Data Space
        return
    published = json.loads(path.read_text(encoding="utf-8"))["parameters"]
    accepted = parameters_of(PROCESSES[name])

    assert list(accepted) == [parameter["name"] for parameter in published]
    for parameter in published:
        default = accepted[parameter["name"]].default
        if not parameter.get("optional"):
            assert default is accepted[parameter["name"]].empty
        else:
            expected = parameter.get("default")
            assert (default in ([], None, {}) and not expected) or np.array_equal(default, expected)
