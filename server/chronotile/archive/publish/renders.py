"""Styles of layers as `renders` of STAC's render extension 2.0."""

from collections.abc import Mapping

import numpy as np

from chronotile.core.model.collection import Composite, Layer
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.types import Json
from chronotile.pipeline.styling.write_style import render_of_composite, render_of_style


def renders_of(layers: Mapping[str, Layer], keys: Mapping[str, str], specs: Mapping[str, VariableSpec]) -> Json:
    """Return the renders of layers by name; layers of variables without a separate asset are skipped.

    Args:
        layers: Layers by name of the variable or composite.
        keys: Keys of assets, by variable.
        specs: Configured variables.
    """
    renders = {name: _render(name, layer, keys, specs.get(name)) for name, layer in layers.items()}
    return {name: render for name, render in renders.items() if render is not None}


def _render(name: str, layer: Layer, keys: Mapping[str, str], spec: VariableSpec | None) -> Json | None:
    title = layer.title.get("") or layer.title.get("en") or name
    if isinstance(layer.content, Composite):
        return _render_composite(title, layer.content, keys)
    variable = layer.main_variable
    if spec is not None and spec.formula is not None:
        assets = list(spec.formula.names)
        if spec.mask is not None or any(keys.get(asset) != asset for asset in assets):
            return None
        formula: Json = {"expression": spec.formula.text}
    elif name in keys:
        formula, assets = {}, [keys[name]]
    else:
        return None
    nodata = variable.encoding.nodata
    is_known = nodata is not None and np.isfinite(nodata) and not (formula or variable.is_mosaic)
    nodata_member: Json = {"nodata": nodata} if is_known else {}
    style: Json = render_of_style(layer.styles[0], variable.encoding) if layer.styles else {}
    return {"title": title, "assets": assets, **formula, **nodata_member, **style}


def _render_composite(title: str, composite: Composite, keys: Mapping[str, str]) -> Json | None:
    names = [variable.name for variable in composite.variables]
    if not all(name in keys for name in names):
        return None
    return {"title": title, "assets": [keys[n] for n in names], **render_of_composite(composite)}
