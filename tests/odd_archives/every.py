"""All makers of odd archives, by theme and name."""

from collections.abc import Mapping

from tests.odd_archives import dated_names, directions, encodings, names, stores, systems, time_axes, times
from tests.odd_archives.files import Maker

THEMES = {
    "dates in names": dated_names,
    "axes of time": time_axes,
    "directions": directions,
    "encodings": encodings,
    "systems": systems,
    "times": times,
    "names": names,
    "stores": stores,
}
EVERY: Mapping[str, Maker] = {
    f"{theme}: {name}": make for theme, module in THEMES.items() for name, make in module.MAKERS.items()
}
"""Each maker writes one small folder with one odd property."""
