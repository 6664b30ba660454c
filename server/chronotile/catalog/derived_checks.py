"""Mistakes in formulas and masks: what they name, and what cannot stand beside them."""

from collections.abc import Iterator, Mapping

from chronotile.errors import InvalidParameter
from chronotile.model.expression import can_be_named, parse_expression
from chronotile.yaml_source import KeyPath, Mistake, Node, list_names, nearest

OF_FILES = ("name", "asset", "band", "select", "scale", "offset", "nodata", "valid_range", "dtype", "flags")
"""Keys that describe stored numbers; a formula has none."""


def derived_mistakes(collection: Node, path: KeyPath) -> Iterator[Mistake]:
    """Yield the mistakes of a collection's formulas and masks that no variable shows by itself."""
    variables = collection.child("variables").entries
    names = {name: _names(variable) for name, variable in variables.items()}
    for name, variable in variables.items():
        where = (*path, "variables", name)
        if "formula" in variable.entries:
            yield from _formula_mistakes(name, variable, where, names)
        yield from _mask_mistakes(name, variable.child("mask", "variable"), where, variables)


def _names(variable: Node) -> tuple[str, ...]:
    """The variables that a formula takes; none where it is no formula, which another check reports."""
    try:
        return parse_expression(variable.child("formula").text or "").names
    except InvalidParameter:
        return ()


def _formula_mistakes(
    name: str, variable: Node, path: KeyPath, names: Mapping[str, tuple[str, ...]]
) -> Iterator[Mistake]:
    for key in OF_FILES:
        if key in variable.entries:
            yield Mistake(variable.entries[key].place, (*path, key), "a formula is not stored in a file; remove it")
    place, where = variable.entries["formula"].place, (*path, "formula")
    for each in names[name]:
        if each not in names:
            usable = [other for other in names if other != name and can_be_named(other)]
            problem = f"variable {each!r} is not one of the collection{nearest(each, usable)}"
            yield Mistake(place, where, f"{problem}; it has {list_names(usable)}")
    circle = _circle(name, names)
    if circle:
        yield Mistake(place, where, f"the formula takes itself: {' takes '.join(circle)}")


def _circle(name: str, names: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The way from a formula back to itself, or nothing."""
    ways, seen = [[name]], set[str]()
    while ways:
        way = ways.pop()
        for each in names.get(way[-1], ()):
            if each == name:
                return [*way, name]
            if each not in seen:
                seen.add(each)
                ways.append([*way, each])
    return []


def _mask_mistakes(name: str, quality: Node, path: KeyPath, variables: Mapping[str, Node]) -> Iterator[Mistake]:
    where = (*path, "mask", "variable")
    if quality.text is None:
        return
    if quality.text == name:
        yield Mistake(quality.place, where, "a variable cannot mask itself; use valid_range and flags")
    elif quality.text not in variables:
        known = [other for other in variables if other != name]
        problem = f"variable {quality.text!r} is not one of the collection{nearest(quality.text, known)}"
        yield Mistake(quality.place, where, f"{problem}; it has {list_names(known)}")
    elif "formula" in variables[quality.text].entries:
        yield Mistake(quality.place, where, f"{quality.text} is a formula; a mask must be a variable stored in a file")
