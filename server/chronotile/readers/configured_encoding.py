"""Encodings: a file's encoding with its configuration, the comparison between overview levels, and messages."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.number_text import SMALL
from chronotile.core.model.source import VariableSpec

REAL_KINDS = "iufb"
NO_UNITS = "1"
"""Units of an encoding if none are stated."""

CIRCLE = "circular"
"""Attribute of an array with the length of a full turn in units of the values; `optimise` writes it."""
TRUE_NORTH = ("degree_true", "degrees_true", "degree_t", "degrees_t", "degree true", "degrees true", "deg true")
"""Units that only directions have (UDUNITS, GRIB)."""
TURNS: Mapping[str, float] = {
    **dict.fromkeys(("degree", "degrees", "deg", "\N{DEGREE SIGN}", "arc_degree", *TRUE_NORTH), 360.0),
    **dict.fromkeys(("radian", "radians", "rad"), 2 * math.pi),
}
_DIRECTIONS = re.compile(
    r"(^|_)(direction|azimuth|phase)(_|$)|^(grid_)?longitude$|^platform_(course|heading|orientation|yaw)|"
    r"^angle_of_rotation_from_"
)
"""CF standard names and titles of directions and phases."""
_NO_DIRECTIONS = re.compile(r"standard_error|deviation|spread|width|variance")


def circle_of(name: str, units: str) -> float | None:
    """Return the length of a full turn if the name (CF standard name or title) is a direction or phase."""
    text, unit = re.sub(r"\W+", "_", name.lower()), units.strip().lower()
    is_direction = unit in TRUE_NORTH or _DIRECTIONS.search(text)
    return TURNS.get(unit) if is_direction and not _NO_DIRECTIONS.search(text) else None


def apply_configuration(encoding: Encoding, spec: VariableSpec) -> Encoding:
    """Return `encoding` with the configured values instead of the file's.

    Raises:
        UnsupportedSource: The numbers cannot be read as the configured type, or have no distinct values.
    """
    configured: dict[str, Any] = {
        name: getattr(spec, name)
        for name in ("scale", "offset", "nodata", "valid_range", "units")
        if getattr(spec, name) is not None
    }
    if spec.flags:
        configured["flags"] = spec.flags
    configured["circle"] = configured_circle(encoding, spec)
    if spec.dtype is not None and spec.dtype != encoding.dtype:
        configured["dtype"] = np.dtype(spec.dtype).name
        configured.setdefault("nodata", reinterpret(encoding.nodata, encoding.dtype, spec.dtype))
    return round_nodata(_require_distinct_values(replace(encoding, **configured)))


def configured_circle(encoding: Encoding, spec: VariableSpec) -> float | None:
    """Return the length of a full turn as the file and the configuration state it; `None` for values without circle.

    Raises:
        UnsupportedSource: The values are circular by configuration, and their units have no defined full turn.
    """
    units = encoding.units if spec.units is None else spec.units
    if spec.circular is None:
        by_units = None if spec.units is None else circle_of(spec.title or "", units)
        return by_units or (encoding.circle and TURNS.get(units.strip().lower(), encoding.circle))
    if not isinstance(spec.circular, bool):
        return spec.circular
    circle = TURNS.get(units.strip().lower(), encoding.circle)
    if spec.circular and circle is None:
        raise UnsupportedSource(
            f"circular is true and its units are {units}, of which a full turn is unknown; set circular: to its "
            "length, such as 24 for hours of the day"
        )
    return circle if spec.circular else None


def _require_distinct_values(encoding: Encoding) -> Encoding:
    """Return the encoding if different numbers have different values.

    Raises:
        UnsupportedSource: They have not.
    """
    if SMALL < abs(encoding.scale) < 1 / SMALL and abs(encoding.offset) < 1 / SMALL:
        return encoding
    raise UnsupportedSource(
        f"its scale is {encoding.scale:g} and its offset {encoding.offset:g}, by which no number has a value of its "
        "own; set scale: and offset: for the variable"
    )


def round_nodata(encoding: Encoding) -> Encoding:
    """Return the encoding with nodata rounded to its type: -9999.9 is another number in 32 bits."""
    dtype = np.dtype(encoding.dtype)
    if encoding.nodata is None or dtype.kind != "f":
        return encoding
    with np.errstate(over="ignore"):
        return replace(encoding, nodata=float(dtype.type(encoding.nodata)))


def reinterpret(number: float | None, stored: str, meant: str) -> float | None:
    """Return the number that the bits of `number` have in another type of the same size; `None` if it has none."""
    dtype, target = np.dtype(stored), np.dtype(meant)
    if dtype.itemsize != target.itemsize:
        raise UnsupportedSource(f"numbers of type {stored} cannot be meant as {meant}: the sizes differ")
    if number is None or (dtype.kind in "iu" and not fits(number, dtype)):
        return None
    return float(np.array([number], dtype=dtype).view(target)[0])


def fits(number: float, dtype: np.dtype[Any]) -> bool:
    """Return whether a number is within the limits of an integer type."""
    limits = np.iinfo(dtype)
    return number == number and limits.min <= number <= limits.max  # noqa: PLR0124 -- NaN


def require_real(dtype: np.dtype[Any], name: str) -> None:
    """Check that the type of a variable holds real numbers.

    Raises:
        UnsupportedSource: It holds complex numbers, texts or dates.
    """
    if dtype.kind == "c":
        raise UnsupportedSource(f"{name} has complex numbers; store the amplitude or the real part as its own variable")
    if dtype.kind not in REAL_KINDS:
        raise UnsupportedSource(f"{name} is of type {dtype}, which is not a number")


def is_scaled(encoding: Encoding) -> bool:
    """Return whether values differ from the stored numbers."""
    return (encoding.scale, encoding.offset) != (1.0, 0.0)


def encoding_fault(encoding: Encoding, native: Encoding) -> str | None:
    """Return why numbers of a level differ from the native level, or `None`; the level may lack units and circle."""
    units = native.units if encoding.units == NO_UNITS else encoding.units
    if replace(encoding, circle=native.circle, units=units) == native:
        return None
    return f"its numbers are {encoding_text(encoding)}, those of the native level {encoding_text(native)}"


def encoding_text(encoding: Encoding) -> str:
    """Return an encoding as text for messages."""
    parts = [encoding.dtype]
    if is_scaled(encoding):
        sign = "-" if encoding.offset < 0 else "+"
        parts[0] += f" * {encoding.scale:.12g}" + (f" {sign} {abs(encoding.offset):.12g}" if encoding.offset else "")
    parts += [f"nodata {encoding.nodata:.12g}" if encoding.nodata is not None else "no nodata"]
    parts += (
        [f"valid from {encoding.valid_range[0]:.12g} to {encoding.valid_range[1]:.12g}"] if encoding.valid_range else []
    )
    parts += [f"units {encoding.units}"] if encoding.units != NO_UNITS else []
    return ", ".join(parts)
