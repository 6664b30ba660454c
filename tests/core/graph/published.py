"""Reader of the published cases of openEO's processes (`openeo/processes/tests` of the shared folder)."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from chronotile.core.graph.cube import Dimension, GraphCube
from chronotile.core.graph.values import LabelledList, Stack
from tests.strict import SHARED

FOLDER = SHARED / "openeo" / "processes"
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<comma>,(?=\s*[\]}]))"""
    r"""|(?P<name>[A-Za-z_$][\w$]*)|(?P<plus>\+(?=[\dI.]))|(?P<dot>(?<![\d\w])\.(?=\d))|(?P<end>(?<=\d)\.(?!\d))""",
    re.DOTALL,
)
_WORDS = {"true", "false", "null", "NaN", "Infinity"}


def load_json5(path: Path) -> Any:
    """Return a JSON5 document: comments, names without quotes, commas at the end, NaN and Infinity."""
    return json.loads(
        _TOKEN.sub(_as_json, re.sub(r",(?=\s*(//[^\n]*\n\s*)*[\]}])", "", path.read_text(encoding="utf-8")))
    )


def _as_json(match: re.Match[str]) -> str:
    kind, text = match.lastgroup, match[0]
    if kind in ("comment", "comma", "plus"):
        return ""
    if kind == "text":
        return text if text[0] == '"' else json.dumps(text[1:-1])
    if kind == "name":
        return text if text in _WORDS or re.fullmatch(r"[eE]", text) else json.dumps(text)
    return "0." if kind == "dot" else ".0"


def value_of(value: Any, folder: Path) -> Any:  # noqa: PLR0911 -- one for each kind of value
    """Return an argument or a result of a case: references, missing values, cubes, labelled lists."""
    if isinstance(value, list):
        return [value_of(member, folder) for member in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        path = folder / value["$ref"]
        return value_of(load_json5(path), folder) if path.suffix == ".json5" else path.read_text(encoding="utf-8")
    kind = value.get("type")
    if kind == "nodata":
        return None
    if kind == "datetime" and set(value) == {"type", "value"}:
        return value["value"]
    if kind == "labeled-array":
        return LabelledList(
            [value_of(member["value"], folder) for member in value["data"]], [member["key"] for member in value["data"]]
        )
    if kind == "datacube":
        return _cube(value)
    return {key: value_of(member, folder) for key, member in value.items()}


def _cube(document: dict[str, Any]) -> GraphCube:
    fields = document["dimensions"]
    if isinstance(fields, list):
        fields = {field["name"]: field for field in fields}
    order = document.get("order") or list(fields)
    dimensions = tuple(
        Dimension(
            name,
            fields[name]["type"],
            np.array(fields[name]["values"])
            if fields[name]["type"] == "spatial"
            else tuple(fields[name].get("values", ())),
            fields[name].get("axis"),
            fields[name].get("reference_system") if fields[name]["type"] == "spatial" else None,
        )
        for name in order
    )
    shape = tuple(map(len, dimensions))
    if not document.get("data"):
        return GraphCube(dimensions, np.full(shape, np.nan))
    numbers = np.array(document["data"], dtype=np.float64).reshape(shape)
    nodata = document.get("nodata", math.nan)
    for number in nodata if isinstance(nodata, list) else [nodata]:
        if isinstance(number, int | float):
            numbers[numbers == number] = np.nan
    return GraphCube(dimensions, numbers)


def is_same(result: Any, expected: Any, *, has_data: bool = True) -> bool:  # noqa: PLR0911 -- one for each type
    """Return whether a result equals the expected one, to 10 decimals."""
    if isinstance(expected, GraphCube):
        return isinstance(result, GraphCube) and _is_same_cube(result, expected, has_data=has_data)
    if isinstance(result, Stack):
        result = result.values.tolist()
    if isinstance(expected, LabelledList) and getattr(result, "labels", None) != expected.labels:
        return False
    if isinstance(expected, list):
        return isinstance(result, list) and len(result) == len(expected) and all(map(is_same, result, expected))
    if isinstance(expected, dict):
        return bool(result == expected)
    if isinstance(expected, bool) or isinstance(result, bool) or expected is None or isinstance(expected, str):
        return type(result) is type(expected) and (result == expected or _is_same_time(result, expected))
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(result, float) and math.isnan(result)
    return isinstance(result, int | float) and (
        result == expected or abs(result - expected) <= 1e-10 * max(1, abs(expected))
    )


def _is_same_time(result: Any, expected: Any) -> bool:
    return isinstance(expected, str) and result.replace(".000", "") == expected.replace(".000", "")


def _is_same_cube(result: GraphCube, expected: GraphCube, *, has_data: bool) -> bool:
    def labels(dimension: Dimension) -> list[str]:
        values = list(dimension.labels)
        return [str(float(value)) if dimension.type == "spatial" else str(value) for value in values]

    same_labels = [d.name for d in result] == [d.name for d in expected] and all(
        labels(one) == labels(other) for one, other in zip(result, expected, strict=True)
    )
    return same_labels and (
        not has_data or np.allclose(result.values.astype(float), expected.values, rtol=0, atol=1e-9, equal_nan=True)
    )
