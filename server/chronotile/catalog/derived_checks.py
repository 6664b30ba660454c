"""Mistakes in formulas and masks: unknown variables, circles, keys of stored numbers."""

from collections.abc import Collection, Iterator, Mapping

from chronotile.catalog.kind_checks import refuse_key
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.expression import can_be_named, parse_expression
from chronotile.core.yaml_source import KeyPath, Mistake, YamlNode, list_names, nearest


def unknown_variable(name: str, accepted: Collection[str]) -> str:
    """Return the message about a variable that the collection does not have."""
    problem = f"variable {name!r} is not one of the collection{nearest(name, accepted)}"
    remedy = f"it has {list_names(accepted)}" if accepted else f"list {name!r} under its variables"
    return f"{problem}; {remedy}"


NUMBER_KEYS = ("name", "asset", "band", "select", "scale", "offset", "nodata", "valid_range", "dtype", "flags")
"""Keys that describe stored numbers; formulas cannot have them."""


def derived_mistakes(collection: YamlNode, path: KeyPath) -> Iterator[Mistake]:
    """Yield mistakes in formulas and masks that involve several variables of a collection."""
    variables = collection.child("variables").entries
    names = {name: _formula_names(variable) for name, variable in variables.items()}
    for name, variable in variables.items():
        where = (*path, "variables", name)
        if "formula" in variable.entries:
            yield from _formula_mistakes(name, variable, where, names)
        yield from _mask_mistakes(name, variable.child("mask", "variable"), where, variables)


def _formula_names(variable: YamlNode) -> tuple[str, ...]:
    """Return the variables in a formula; none if it is invalid, which another check reports."""
    try:
        return parse_expression(variable.child("formula").text or "").names
    except InvalidParameter:
        return ()


def _formula_mistakes(
    name: str, variable: YamlNode, path: KeyPath, names: Mapping[str, tuple[str, ...]]
) -> Iterator[Mistake]:
    for key in NUMBER_KEYS:
        yield from refuse_key(variable, (key,), path, "a formula is not stored in a file; remove it")
    place, where = variable.entries["formula"].place, (*path, "formula")
    for variable_name in names[name]:
        if variable_name not in names:
            usable = [other for other in names if other != name and can_be_named(other)]
            yield Mistake(place, where, unknown_variable(variable_name, usable))
    circle = _find_circle(name, names)
    if circle:
        yield Mistake(place, where, f"the formula takes itself: {' takes '.join(circle)}")


def _find_circle(name: str, names: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the chain of variables from a formula back to itself, or an empty list."""
    ways, visited = [[name]], set[str]()
    while ways:
        way = ways.pop()
        for variable in names.get(way[-1], ()):
            if variable == name:
                return [*way, name]
            if variable not in visited:
                visited.add(variable)
                ways.append([*way, variable])
    return []


def _mask_mistakes(name: str, quality: YamlNode, path: KeyPath, variables: Mapping[str, YamlNode]) -> Iterator[Mistake]:
    where = (*path, "mask", "variable")
    if quality.text is None:
        return
    if quality.text == name:
        yield Mistake(quality.place, where, "a variable cannot mask itself; use valid_range and flags")
    elif quality.text not in variables:
        accepted = [other for other in variables if other != name]
        yield Mistake(quality.place, where, unknown_variable(quality.text, accepted))
    elif "formula" in variables[quality.text].entries:
        yield Mistake(quality.place, where, f"{quality.text} is a formula; a mask must be a variable stored in a file")
