"""Layers without the pixels that are unclear by the classes of their collection. They are served, but not listed."""

from collections.abc import Iterator
from dataclasses import replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Collection, Layer
from chronotile.readers.derived.mask import masked_info

MASKED = "~clear"
"""Suffix of the ids of layers with only clear pixels; other ids contain no tilde."""


def add_clear_layers(catalogue: Catalogue) -> Catalogue:
    """Return the catalogue with a masked layer for each layer whose collection has classes of clear pixels."""
    return replace(
        catalogue, clear=dict(pair for collection in catalogue.collections for pair in _clear_layers(collection))
    )


def _clear_layers(collection: Collection) -> Iterator[tuple[str, Layer]]:
    """Yield ids of layers and their masked versions, if the mask's quality variable has the same grid and times."""
    mask = collection.clear
    quality = None if mask is None else collection.variables.get(mask.variable)
    if mask is None or quality is None:
        return
    for layer in collection.layers:
        variable = layer.main_variable
        if layer.is_composite or layer.styles[0].is_categorical or variable.is_mosaic != quality.is_mosaic:
            continue
        try:
            info = masked_info(variable, mask, quality)
        except InvalidParameter:
            continue
        masked = replace(layer, id=f"{layer.id}{MASKED}", content=info, times=info.times, aliases=(), mask=mask)
        yield layer.id, masked
