"""Which variables have classes, of which overviews hold the most frequent one and no means."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from chronotile.catalog.default_styles import named_style
from chronotile.encoders.coverage.zarr3 import JsonObject
from chronotile.errors import UnsupportedSource
from chronotile.model.raster import Encoding
from chronotile.model.source import VariableInfo
from chronotile.optimise.conversion import Packing
from chronotile.optimise.plan import CLASS_OVERVIEWS
from chronotile.styling.load import load_styles, style_folders


def with_classes(
    variables: Mapping[str, VariableInfo], named: Collection[str], packing: Packing | None
) -> dict[str, VariableInfo]:
    """Return the variables, those said to have classes that are in `named` or whose name's shipped style has them.

    Raises:
        UnsupportedSource: A name is unknown, its numbers cannot be classes, or `packing` would change classes.
    """
    for name in named:
        if name not in variables:
            raise UnsupportedSource(f"--classes: there is no variable {name} in it; there are {', '.join(variables)}")
        if not _may_have_classes(variables[name].encoding):
            raise UnsupportedSource(f"--classes: {name} is scaled or has no whole numbers, so it cannot be classes")
    styles = load_styles(style_folders(None))
    found = dict(variables)
    for name, info in variables.items():
        style = named_style(name, styles)
        is_named_so = style is not None and style.is_categorical and _may_have_classes(info.encoding)
        if name in named or is_named_so:
            found[name] = replace(info, is_categorical=True)
        if found[name].is_categorical and packing is not None and (packing.scale, packing.offset) != (1.0, 0.0):
            raise UnsupportedSource(f"{name} has classes, which --scale and --offset would change; leave them out")
    return found


def with_stored_overviews(info: VariableInfo, level: JsonObject | None, *, is_named: bool) -> VariableInfo:
    """Return a variable with overviews of the kind that a cube which is there has.

    Args:
        info: As its source and `with_classes` have it.
        level: The document of its first overview, if there is one.
        is_named: Whether the caller named it as having classes.

    Raises:
        UnsupportedSource: It was, but the overviews that are there are means.
    """
    if info.classes or level is None:
        return info
    is_written = level["attributes"].get("cell_methods") == CLASS_OVERVIEWS
    if is_named and not is_written:
        raise UnsupportedSource(f"the existing cube has means of {info.name}; name another cube for --classes")
    return replace(info, is_categorical=is_written)


def _may_have_classes(encoding: Encoding) -> bool:
    return np.dtype(encoding.dtype).kind in "iu" and (encoding.scale, encoding.offset) == (1.0, 0.0)
