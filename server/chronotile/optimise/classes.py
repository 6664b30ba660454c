"""Variables with classes: overviews have their most frequent class instead of means."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from chronotile.catalog.default_styles import style_for_name
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.types import Json
from chronotile.optimise.conversion import Packing
from chronotile.optimise.plan import CLASS_OVERVIEWS
from chronotile.pipeline.styling.load import load_styles, style_folders


def mark_classes(
    variables: Mapping[str, VariableInfo], class_names: Collection[str], packing: Packing | None
) -> dict[str, VariableInfo]:
    """Return the variables; they are categorical if they are in `class_names` or their shipped style has classes.

    Raises:
        UnsupportedSource: A name is unknown, its numbers cannot be classes, or `packing` would change classes.
    """
    for name in class_names:
        if name not in variables:
            raise UnsupportedSource(f"--classes: there is no variable {name} in it; there are {', '.join(variables)}")
        if not _may_have_classes(variables[name].encoding):
            raise UnsupportedSource(f"--classes: {name} is scaled or has no whole numbers, so it cannot be classes")
    styles = load_styles(style_folders(None))
    marked = dict(variables)
    for name, info in variables.items():
        style = style_for_name(name, styles)
        is_named_so = style is not None and style.is_categorical and _may_have_classes(info.encoding)
        if name in class_names or is_named_so:
            marked[name] = replace(info, is_categorical=True)
        if marked[name].is_categorical and packing is not None and (packing.scale, packing.offset) != (1.0, 0.0):
            raise UnsupportedSource(f"{name} has classes, which --scale and --offset would change; leave them out")
    return marked


def match_stored_classes(
    info: VariableInfo, native: Json | None, level: Json | None, *, is_named: bool
) -> VariableInfo:
    """Return a variable that is categorical if it has classes in the existing cube.

    Args:
        info: Variable of the source, after `mark_classes`.
        native: Its document in the existing cube; `None` for a new cube.
        level: Document of its first overview; `None` without one.
        is_named: Whether the operator named it as having classes.

    Raises:
        UnsupportedSource: It was named, but the existing cube has no classes.
    """
    if info.classes or native is None:
        return info
    if level is None:
        is_written = "scale_factor" not in native["attributes"]  # stored for all variables without classes
    else:
        is_written = level["attributes"].get("cell_methods") == CLASS_OVERVIEWS
    if is_named and not is_written:
        raise UnsupportedSource(f"the existing cube has means of {info.name}; name another cube for --classes")
    return replace(info, is_categorical=is_written)


def _may_have_classes(encoding: Encoding) -> bool:
    return np.dtype(encoding.dtype).kind in "iu" and (encoding.scale, encoding.offset) == (1.0, 0.0)
