"""How layers are drawn, as `renders` of STAC's render extension 2.0."""

from collections.abc import Mapping

import numpy as np

from chronotile.model.collection import Composite, Layer
from chronotile.model.source import VariableSpec
from chronotile.publish.documents.parts import Json
from chronotile.styling.renders import render_of_composite, render_of_style


def renders_of(layers: Mapping[str, Layer], keys: Mapping[str, str], specs: Mapping[str, VariableSpec]) -> Json:
    """Return the renders of layers, by name; layers of variables that are in no asset alone have none.

    Args:
        layers: By the name of the variable or composite.
        keys: Of assets, by the variable that each holds.
        specs: Of variables.
    """
    renders = {name: _render(name, layer, keys, specs.get(name)) for name, layer in layers.items()}
    return {name: each for name, each in renders.items() if each is not None}


def _render(name: str, layer: Layer, keys: Mapping[str, str], spec: VariableSpec | None) -> Json | None:
    title = layer.title.get("") or layer.title.get("en") or name
    if isinstance(layer.content, Composite):
        return _of_composite(title, layer.content, keys)
    variable = layer.main_variable
    if spec is not None and spec.formula is not None:
        assets = list(spec.formula.names)
        if spec.mask is not None or any(keys.get(each) != each for each in assets):
            return None
        formula: Json = {"expression": spec.formula.text}
    elif name in keys:
        formula, assets = {}, [keys[name]]
    else:
        return None
    nodata = variable.encoding.nodata
    is_known = nodata is not None and np.isfinite(nodata) and not (formula or variable.is_mosaic)
    known: Json = {"nodata": nodata} if is_known else {}
    style: Json = render_of_style(layer.styles[0], variable.encoding) if layer.styles else {}
    return {"title": title, "assets": assets, **formula, **known, **style}


def _of_composite(title: str, composite: Composite, keys: Mapping[str, str]) -> Json | None:
    names = [each.name for each in composite.variables]
    if not all(each in keys for each in names):
        return None
    return {"title": title, "assets": [keys[each] for each in names], **render_of_composite(composite)}
