"""Arguments of calls as parameters of requests."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chronotile_client.layers import LayerInfo
from chronotile_client.locations import box_text, location_of
from chronotile_client.series import SeriesQuery
from chronotile_client.times import time_text

TIMES: Final = frozenset({"time", "reference"})
NAMES: Final = {"time": "datetime", "format": "f", "lambda_": "lambda"}
"""Parameters with another spelling in Python."""
HYPHENATED: Final = frozenset({"scale_factor", "scale_axes", "scale_size", "scale_denominator", "mm_per_pixel"})


def params_of(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return arguments as parameters, without arguments that equal None.

    Numbers are written without loss, lists with commas.

    Raises:
        ValueError: Two arguments are the same parameter, such as `time` and `datetime`.
    """
    params: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, value in arguments.items():
        if value is not None:
            before = names.setdefault(_name(name), name)
            if before != name:
                raise ValueError(f"{before} and {name} are the same parameter: give one of them")
            params[_name(name)] = _text(name, value)
    return params


def series_query(layer: LayerInfo, where: Any, arguments: Mapping[str, Any]) -> SeriesQuery:  # noqa: ANN401 -- as location_of
    """Return the query of a series.

    Raises:
        ValueError: `where` is not a point, an area or a place.
    """
    return SeriesQuery(layer, location_of(where), params_of(arguments))


def map_params(bbox: Any, arguments: Mapping[str, Any]) -> dict[str, str]:  # noqa: ANN401 -- as box_text
    """Return the parameters of a picture or a cube in a box, or for the whole layer."""
    return ({} if bbox is None else {"bbox": box_text(bbox)}) | params_of(arguments)


def _name(name: str) -> str:
    return name.replace("_", "-") if name in HYPHENATED else NAMES.get(name, name)


def _text(name: str, value: Any) -> str:  # noqa: ANN401 -- what a user gives
    if name in TIMES:
        return time_text(value) or ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)
