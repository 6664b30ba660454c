"""Groups of layers that are asked for as one: collections. Capabilities have them without a name to ask for."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter, UnknownStyle
from chronotile.model.collection import Layer
from chronotile.protocols.common.kvp import MAX_SHOWN, Kvp

LAYER_LIMIT = 20
"""Layers that one map shows; their pixels together are bounded by `max_cube_values`."""


def layers_in(name: str, catalogue: Catalogue) -> tuple[Layer, ...]:
    """Return the layers of a group, the first at the bottom; none if it is no collection, or has too many for a map."""
    collection = catalogue.collections_by_id.get(name)
    return collection.layers if collection is not None and len(collection.layers) <= LAYER_LIMIT else ()


def ungrouped(query: Kvp, catalogue: Catalogue) -> Kvp:
    """Return the parameters with the layers of each group in its place, all in their default styles.

    Raises:
        UnknownStyle: A group is given another style.
        InvalidParameter: There are more styles than names of layers.
    """
    names = [name.strip() for name in query.required("LAYERS").split(",")]
    members = {name: layers_in(name, catalogue) for name in set(names)}
    if not any(members.values()):
        return query
    styles = [style.strip() for style in (query.optional("STYLES") or "").split(",")]
    if len(styles) > len(names) and any(styles):
        raise InvalidParameter(f"STYLES names {len(styles)} styles for {len(names)} layers", locator="STYLES")
    opened: list[tuple[str, str]] = []
    for name, style in zip(names, styles + [""] * len(names), strict=False):
        if members[name] and style not in {"", "default"}:
            raise UnknownStyle(
                f"style {style[:MAX_SHOWN]!r} is not one of {name}, a group of layers; leave it empty", locator="STYLES"
            )
        opened += [(layer.id, "") for layer in members[name]] or [(name, style)]
    opened_names, opened_styles = zip(*opened, strict=True)
    return query.replacing("LAYERS", ",".join(opened_names)).replacing("STYLES", ",".join(opened_styles))
