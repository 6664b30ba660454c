"""Groups of layers that are requested as one: collections."""

from collections.abc import Sequence

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN, InvalidParameter, UnknownStyle
from chronotile.model.collection import Collection, Layer
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import name_list
from chronotile.styling.read_sld import SheetLayer

LAYER_LIMIT = 20
"""Layers that one map shows; their pixels together are bounded by `max_cube_values`."""
LAYERS = name_list("LAYERS", "Layers, the first at the bottom")
STYLES = name_list("STYLES", "One per layer, `style` or `style/ramp`; empty for the default", default=("",))


def layers_in(name: str, catalogue: Catalogue) -> tuple[Layer, ...]:
    """Return the layers of a group, the first at the bottom; none if it is not a collection.

    Raises:
        InvalidParameter: The collection has more layers than a map may show.
    """
    collection = catalogue.collections_by_id.get(name)
    if collection is None:
        return ()
    if len(collection.layers) > LAYER_LIMIT:
        raise InvalidParameter(
            f"{name} is a collection of {len(collection.layers)} layers, LayerLimit is {LAYER_LIMIT}; name its layers",
            locator="LAYERS",
        )
    return collection.layers


def named_groups(catalogue: Catalogue, listed: frozenset[str]) -> tuple[Collection, ...]:
    """Return the collections that capabilities name: those of 2 to 20 layers, all of them among the names listed.

    One layer alone is not a group: it would be listed twice.
    """
    return tuple(
        each
        for each in catalogue.collections
        if 1 < len(each.layers) <= LAYER_LIMIT and all(layer.id in listed for layer in each.layers)
    )


def names_of(name: str, style: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the ids of the layers of a group, which has no style but the default; of anything else its own name.

    Raises:
        UnknownStyle: A group is given another style.
        InvalidParameter: It is a collection of too many layers.
    """
    members = layers_in(name, catalogue)
    if members and style not in {"", "default"}:
        raise UnknownStyle(
            f"style {style[:MAX_SHOWN]!r} is not one of {name}, a group of layers; leave it empty", locator="STYLES"
        )
    return tuple(layer.id for layer in members) or (name,)


def check_count(names: Sequence[str], parameter: str) -> None:
    """Refuse more layers than a map may show.

    Raises:
        InvalidParameter: As said.
    """
    if len(names) > LAYER_LIMIT:
        raise InvalidParameter(f"{parameter} names {len(names)} layers, LayerLimit is {LAYER_LIMIT}", locator=parameter)


def refuse_styled_groups(sheets: Sequence[SheetLayer], catalogue: Catalogue) -> None:
    """Refuse SLD that gives a group styles of its own: it has none but its layers'.

    Raises:
        UnknownStyle: As said.
    """
    for sheet in sheets:
        if sheet.styles and sheet.name in catalogue.collections_by_id:
            raise UnknownStyle(
                f"the SLD styles {sheet.name[:MAX_SHOWN]}, a group of layers; name its layers instead", locator="sld"
            )


def expand_groups(query: Kvp, catalogue: Catalogue) -> Kvp:
    """Return the parameters with each group replaced by its layers, all in their default styles.

    Raises:
        UnknownLayer: There is not one of a name among the first `LAYER_LIMIT`.
        UnknownStyle: A group is given another style.
        InvalidParameter: There are more styles than names of layers, or too many names, or layers of a collection.
    """
    names = LAYERS.of(query)
    if len(names) > LAYER_LIMIT:  # refused here, before groups multiply them
        for name in names[:LAYER_LIMIT]:
            if name not in catalogue.collections_by_id:
                catalogue.layer(name)
        check_count(names, "LAYERS")
    members = {name: layers_in(name, catalogue) for name in set(names)}
    if not any(members.values()):
        return query
    styles = STYLES.of(query)
    if len(styles) > len(names) and any(styles):
        raise InvalidParameter(f"STYLES names {len(styles)} styles for {len(names)} layers", locator="STYLES")
    opened: list[tuple[str, str]] = []
    for name, style in zip(names, styles + ("",) * len(names), strict=False):
        found = names_of(name, style, catalogue)
        opened += [(each, "") for each in found] if members[name] else [(name, style)]
    opened_names, opened_styles = zip(*opened, strict=True)
    return query.replacing("LAYERS", ",".join(opened_names)).replacing("STYLES", ",".join(opened_styles))
