"""The mask of clear pixels, guessed from the class names of a layer."""

import re
from collections.abc import Iterable

from chronotile.core.model.collection import Layer, Mask

_CLEAR = re.compile(r"clear( (land|water|sky|pixels?))?|((not|non|un)[ -]?)?vegetat(ed|ion)|bare( soils?)?|water")
_CLOUD = re.compile(r"\bclouds?\b")


def clear_mask(layers: Iterable[Layer]) -> Mask | None:
    """Return the clear classes of the first layer of classes that has clouds among them, by their names.

    Land cover has vegetation but no clouds, and does not state what a date shows.
    """
    for layer in layers:
        variable, style = layer.main_variable, layer.styles[0]
        if (
            layer.is_composite
            or not style.is_categorical
            or (variable.encoding.scale, variable.encoding.offset) != (1, 0)
        ):
            continue
        classes = variable.classes or style.classes  # the file's own words before those of a style for its name
        words = {each.value: each.label.lower().replace("_", " ").strip() for each in classes}
        keep = tuple(int(value) for value, label in words.items() if _CLEAR.fullmatch(label) and value == int(value))
        if keep and any(map(_CLOUD.search, words.values())):
            return Mask(variable.name, keep)
    return None
