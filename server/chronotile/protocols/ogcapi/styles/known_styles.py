"""Styles as OGC API has them: those of all layers, and those of one collection (OGC 20-009)."""

from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import offered_collection
from chronotile.catalog.resolve import resolve_style
from chronotile.errors import UnknownPath, UnknownStyle
from chronotile.model.collection import Layer
from chronotile.model.style import Style
from chronotile.protocols.ogcapi.maps.drawing import layer_with_style


@dataclass(frozen=True, slots=True)
class KnownStyle:
    """A style, and a layer that has it."""

    style: Style
    """Of a collection as it has it; of the dataset as its file has it, which a layer may stretch over its values."""
    layer: Layer


def known_styles(catalogue: Catalogue) -> list[KnownStyle]:
    """Return the styles of all layers, each once."""
    found: dict[str, KnownStyle] = {}
    for layer in catalogue.layers:
        for style in layer.styles:
            found.setdefault(style.id, KnownStyle(catalogue.styles.get(style.id, style), layer))
    return list(found.values())


def styles_of(path: Mapping[str, str], catalogue: Catalogue) -> list[KnownStyle]:
    """Return those of the path's collection, the default first, or of the dataset.

    Raises:
        UnknownCollection: There is no such collection.
    """
    if "collectionId" not in path:
        return known_styles(catalogue)
    layer = offered_collection(catalogue, path["collectionId"]).drawn
    return [KnownStyle(style, layer) for style in layer.styles]


def style_of(path: Mapping[str, str], catalogue: Catalogue) -> KnownStyle:
    """Return the one that the path names, of a collection or of the dataset.

    Raises:
        UnknownCollection: There is no such collection.
        UnknownPath: There is no such style.
    """
    name = path["styleId"]
    if "collectionId" in path:
        layer = offered_collection(catalogue, path["collectionId"]).drawn
        try:
            return KnownStyle(resolve_style(layer, name), layer)
        except UnknownStyle as error:
            raise UnknownPath(error.message, locator="styleId") from error
    layer = layer_with_style(name, catalogue)
    return KnownStyle(catalogue.styles.get(name) or resolve_style(layer, name), layer)
