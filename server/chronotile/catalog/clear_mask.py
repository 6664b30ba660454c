"""The mask of clear pixels, guessed from the class names of a layer."""

import re
from collections.abc import Iterable

from chronotile.core.model.collection import Layer
from chronotile.core.model.source import Mask

_CLEAR = re.compile(r"clear( (land|water|sky|pixels?))?|((not|non|un)[ -]?)?vegetat(ed|ion)|bare( soils?)?|water")
_CLOUD = re.compile(r"\bclouds?\b")


def clear_mask(layers: Iterable[Layer]) -> Mask | None:
    """Return the clear classes of the first layer whose class names include clouds; `None` if there is no such layer.

    Land cover has no class for clouds and does not describe the quality of a date.
    """
    for layer in layers:
        variable, style = layer.main_variable, layer.styles[0]
        if (
            layer.is_composite
            or not style.is_categorical
            or (variable.encoding.scale, variable.encoding.offset) != (1, 0)
        ):
            continue
        classes = variable.classes or style.classes  # names in the file are more reliable than names in a style
        words = {c.value: c.label.lower().replace("_", " ").strip() for c in classes}
        keep = tuple(int(value) for value, label in words.items() if _CLEAR.fullmatch(label) and value == int(value))
        if keep and any(map(_CLOUD.search, words.values())):
            return Mask(variable.name, keep)
    return None
