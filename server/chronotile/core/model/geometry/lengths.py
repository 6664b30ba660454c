"""Units of length by their names in requests."""

from collections.abc import Mapping

LENGTHS_M: Mapping[str, float] = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "nmi": 1852.0, "ft": 0.3048}
"""Metres in each unit."""

OTHER_LENGTHS: Mapping[str, str] = {
    **dict.fromkeys(("metre", "metres", "meter", "meters"), "m"),
    **dict.fromkeys(("kilometre", "kilometres", "kilometer", "kilometers"), "km"),
    **dict.fromkeys(("mile", "miles"), "mi"),
    **dict.fromkeys(("nm", "nautical mile", "nautical miles"), "nmi"),
    **dict.fromkeys(("foot", "feet"), "ft"),
}
"""Other names of the units, in lower case."""
