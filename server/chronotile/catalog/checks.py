"""Mistakes between parts of a configuration, found in what is written, whether or not each part is right by itself."""

from collections.abc import Collection, Iterator, Mapping

from chronotile.catalog.kinds import in_words
from chronotile.catalog.source_section import KIND_ALIASES, kind_of_word
from chronotile.core.errors import InvalidParameter
from chronotile.core.extras import missing_extra
from chronotile.core.model.collection import KindOptions
from chronotile.core.model.expression import can_be_named, parse_expression
from chronotile.core.yaml_source import KeyPath, Mistake, Node, list_names, nearest

Kinds = Mapping[str, KindOptions]
"""The options of each kind of source, by its name."""

_TIMES_OF_ITEMS = "items have times of their own"
_TIMES_OF_STORE = "for a store without times use times: [2020-06-01]"


def kind_mistakes(collection: Node, path: KeyPath, kinds: Kinds) -> Iterator[Mistake]:
    """Yield a kind that is not known, and keys of the source or of a variable that its kind does not have."""
    written = collection.child("source", "kind")
    kind = kinds.get(kind_of_word(written.text or ""))
    if kind is not None:
        yield from _source_mistakes(collection.child("source"), (*path, "source"), kind, kinds)
        yield from _variable_mistakes(collection, path, kind, kinds)
        yield from items_mistakes(collection, path, kind, kinds)
    elif written.text:
        names = in_words(map(repr, (*kinds, *KIND_ALIASES)), "or")
        problem = f"accepted are {names}, got {written.text[:60]!r}"
        yield Mistake(written.place, (*path, "source", "kind"), problem)


def _source_mistakes(source: Node, path: KeyPath, kind: KindOptions, kinds: Kinds) -> Iterator[Mistake]:
    of_files = in_words([name for name, each in kinds.items() if each.is_of_files], "and")
    of_bands = in_words([name for name, each in kinds.items() if each.is_of_files and each.has_bands], "and")
    has_rasters = kind.is_of_files and kind.has_bands
    if not has_rasters and "{variable}" in (source.child("href").text or ""):
        yield Mistake(source.place, path, f"{{variable}} in href belongs to kind {of_bands}")
    if not has_rasters and not kind.has_items and source.child("series").text:
        problem = f"series belongs to kind {of_bands}; serve a cube made by optimise as its own source"
        yield Mistake(source.place, path, problem)
    if not kind.is_of_files and source.child("time_pattern").text:
        remedy = _TIMES_OF_ITEMS if kind.has_items else _TIMES_OF_STORE
        yield Mistake(source.place, path, f"time_pattern belongs to kinds {of_files}; {remedy}")
    if not kind.is_of_files and "without" in source.entries:
        yield Mistake(source.place, path, f"without belongs to kinds {of_files}, whose href may match several files")


def _variable_mistakes(collection: Node, path: KeyPath, kind: KindOptions, kinds: Kinds) -> Iterator[Mistake]:
    others = in_words([name for name, each in kinds.items() if each.has_bands != kind.has_bands], "or")
    for name, variable in collection.child("variables").entries.items():
        where = (*path, "variables", name)
        key, remedy = ("select", "choose a band") if kind.has_bands else ("band", "name the array with name")
        problem = f"{key} belongs to sources of kind {others}; in kind {kind.name} {remedy}"
        yield from _refused(variable, (key,), where, problem)


Named = tuple[str, KeyPath, Node]
"""A name, where it stands, and its place."""


def cross_mistakes(root: Node, kinds: Kinds) -> list[Mistake]:
    """Return names given twice, variables that are not there, keys that the source's kind lacks, circles, languages."""
    return [
        *_repeated_names(root),
        *(mistake for found in _collections(root) for mistake in _composite_mistakes(*found)),
        *(mistake for found in _collections(root) for mistake in kind_mistakes(*found, kinds)),
        *(mistake for found in _collections(root) for mistake in derived_mistakes(*found)),
        *_language_mistakes(root),
        *_webhook_mistakes(root),
        *_access_mistakes(root),
    ]


def _access_mistakes(root: Node) -> Iterator[Mistake]:
    """Yield rules without `access` at the top, which would hold for nobody, and a provider without its library."""
    issuer = root.child("access", "issuer")
    missing = missing_extra("access", "issuer") if issuer.text else None
    if missing is not None:
        yield Mistake(issuer.place, ("access", "issuer"), missing)
    sections = [(node, path) for node, path in _collections(root)]
    sections += [(node, ("places", name)) for name, node in root.child("places").entries.items()]
    for collection, path in _collections(root):
        for part in ("variables", "composites"):
            sections += [(node, (*path, part, name)) for name, node in collection.child(part).entries.items()]
    rules = [(node.entries["access"], (*path, "access")) for node, path in sections if "access" in node.entries]
    if "access" not in root.entries:
        problem = "access needs the key access at the top of the configuration too, without which all is public"
        yield from (Mistake(rule.place, path, problem) for rule, path in rules)
        return
    top = root.entries["access"]
    if "default" in top.entries:
        rules.append((top.entries["default"], ("access", "default")))
    # What is left empty would be inherited, or public: of rules that is hardly meant.
    for rule, path in [(top, ("access",)), *rules]:
        for each, where in [(rule, path), *((each, (*path, name)) for name, each in rule.entries.items())]:
            if each.content is None:
                yield Mistake(each.place, where, "is empty; write what it is, or remove it")


def style_mistakes(root: Node, styles: Collection[str]) -> list[Mistake]:
    """Return the styles that variables name and that are not there."""
    return [
        Mistake(node.place, path, f"style {node.text!r} is not known{nearest(node.text, styles)}")
        for collection, _path in _collections(root)
        for path, node in _style_references(collection, _path)
        if node.text is not None and node.text not in styles
    ]


def default_id(collection: str, variable: str) -> str:
    """Return the id of a layer whose configuration names none."""
    return f"{collection}.{variable}"


def _collections(root: Node) -> Iterator[tuple[Node, KeyPath]]:
    for name, node in root.child("collections").entries.items():
        yield node, ("collections", name)


def _style_references(collection: Node, path: KeyPath) -> Iterator[tuple[KeyPath, Node]]:
    for name, variable in collection.child("variables").entries.items():
        for index, node in enumerate(variable.child("styles").items):
            yield (*path, "variables", name, "styles", index), node


def _repeated_names(root: Node) -> Iterator[Mistake]:
    first: dict[str, Named] = {}
    for name, path, node in _names(root):
        if name in first:
            _name, other, where = first[name]
            problem = f"{name} is already the name of {'/'.join(map(str, other))} ({where.place}); "
            yield Mistake(node.place, path, f"{problem}collections, layers and aliases are unique together")
        else:
            first[name] = (name, path, node)


def _names(root: Node) -> Iterator[Named]:
    for collection, path in _collections(root):
        yield str(path[-1]), path, collection
    for collection, path in _collections(root):
        for kind in ("variables", "composites"):
            for name, content in collection.child(kind).entries.items():
                yield from _layer_names(str(path[-1]), (*path, kind, name), content)


def _layer_names(collection: str, path: KeyPath, content: Node) -> Iterator[Named]:
    layer = content.entries.get("layer")
    if layer is None:
        yield default_id(collection, str(path[-1])), path, content
    elif layer.text is not None:
        yield layer.text, (*path, "layer"), layer
    for index, alias in enumerate(content.child("aliases").items):
        name = alias.text if alias.text is not None else alias.child("name").text
        if name is not None:
            yield name, (*path, "aliases", index), alias


def _composite_mistakes(collection: Node, path: KeyPath) -> Iterator[Mistake]:
    """A name may be that of a variable and a composite only if their layers have ids of their own."""
    known = collection.child("variables").entries
    if not known:
        return
    for name, composite in collection.child("composites").entries.items():
        for index, node in enumerate(composite.child("variables").items):
            if node.text is not None and node.text not in known:
                yield Mistake(node.place, (*path, "composites", name, "variables", index), _unknown(node.text, known))


def _unknown(name: str, known: Collection[str]) -> str:
    problem = f"variable {name!r} is not one of the collection{nearest(name, known)}"
    has = f"it has {list_names(known)}" if known else f"list {name!r} under its variables"
    return f"{problem}; {has}"


def _language_mistakes(root: Node) -> Iterator[Mistake]:
    offered = [node.text for node in root.child("service", "languages").items if node.text] or ["en"]
    for path, node in _described(root):
        for key in ("title", "abstract"):
            for tag, text in node.child(key).entries.items():
                if tag not in offered:
                    problem = f"language {tag!r} is not one of service.languages ({list_names(offered)})"
                    yield Mistake(text.place, (*path, key, tag), problem)


def _webhook_mistakes(root: Node) -> Iterator[Mistake]:
    known = root.child("collections").entries
    for index, webhook in enumerate(root.child("service", "webhooks").items):
        node = webhook.child("collection")
        if node.text is not None and node.text not in known:
            problem = f"collection {node.text[:40]!r} is not configured{nearest(node.text, known)}"
            yield Mistake(node.place, ("service", "webhooks", index, "collection"), problem)


def _described(root: Node) -> Iterator[tuple[KeyPath, Node]]:
    """Everything that has a title."""
    yield ("service",), root.child("service")
    for key in ("base_maps", "overlays"):
        for index, each in enumerate(root.child("service", "viewer", key).items):
            yield ("service", "viewer", key, index), each
    for name, places in root.child("places").entries.items():
        yield ("places", name), places
    for collection, path in _collections(root):
        yield path, collection
        for kind in ("variables", "composites"):
            for name, content in collection.child(kind).entries.items():
                yield (*path, kind, name), content


# Mistakes in formulas and masks: what they name, and what cannot stand beside them.

OF_FILES = ("name", "asset", "band", "select", "scale", "offset", "nodata", "valid_range", "dtype", "flags")
"""Keys that describe stored numbers; a formula has none."""


def derived_mistakes(collection: Node, path: KeyPath) -> Iterator[Mistake]:
    """Yield the mistakes of a collection's formulas and masks that no variable shows by itself."""
    variables = collection.child("variables").entries
    names = {name: _names_in(variable) for name, variable in variables.items()}
    for name, variable in variables.items():
        where = (*path, "variables", name)
        if "formula" in variable.entries:
            yield from _formula_mistakes(name, variable, where, names)
        yield from _mask_mistakes(name, variable.child("mask", "variable"), where, variables)


def _names_in(variable: Node) -> tuple[str, ...]:
    """The variables that a formula takes; none where it is no formula, which another check reports."""
    try:
        return parse_expression(variable.child("formula").text or "").names
    except InvalidParameter:
        return ()


def _formula_mistakes(
    name: str, variable: Node, path: KeyPath, names: Mapping[str, tuple[str, ...]]
) -> Iterator[Mistake]:
    for key in OF_FILES:
        yield from _refused(variable, (key,), path, "a formula is not stored in a file; remove it")
    place, where = variable.entries["formula"].place, (*path, "formula")
    for each in names[name]:
        if each not in names:
            usable = [other for other in names if other != name and can_be_named(other)]
            yield Mistake(place, where, _unknown(each, usable))
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
        yield Mistake(quality.place, where, _unknown(quality.text, known))
    elif "formula" in variables[quality.text].entries:
        yield Mistake(quality.place, where, f"{quality.text} is a formula; a mask must be a variable stored in a file")


_OF_ITEMS: tuple[KeyPath, ...] = (("mosaic",), ("grid",), ("search",), ("time", "group"))
_NOT_OF_ITEMS = {
    "times": "items have times of their own; remove it",
    "series": "it belongs to files on one grid; serve a cube made by optimise as its own source",
}
_OF_STAC = ("filter", "mode")
_WEB = ("https://", "http://")
_CRS_OF_ITEMS = "items have CRSs of their own; remove it, and write it into files that lack it"


def items_mistakes(
    collection: Node, path: KeyPath, kind: KindOptions, kinds: Mapping[str, KindOptions]
) -> Iterator[Mistake]:
    """Yield the keys of a collection and its variables that do not suit a source with, or without, items."""
    source = collection.child("source")
    has_items = kind.has_items or (kind.may_have_items and source.child("tiles").content is True)
    yield from _items_source_mistakes(source, (*path, "source"), kind, kinds)
    if has_items:
        for key, problem in _NOT_OF_ITEMS.items():
            yield from _refused(source, (key,), (*path, "source"), problem)
    else:
        for keys in _OF_ITEMS:
            yield from _refused(collection, keys, path, f"it belongs to collections of items: {_with_items(kinds)}")
    if not kind.has_items:
        problem = f"asset belongs to sources of kind {_kind_names(kinds)}; in kind {kind.name} use name"
        for name, variable in collection.child("variables").entries.items():
            yield from _refused(variable, ("asset",), (*path, "variables", name), problem)


def _items_source_mistakes(
    source: Node, path: KeyPath, kind: KindOptions, kinds: Mapping[str, KindOptions]
) -> Iterator[Mistake]:
    if not kind.may_have_items:
        of_tiles = in_words([name for name, each in kinds.items() if each.may_have_items], "and")
        yield from _refused(source, ("tiles",), path, f"tiles belongs to kind {of_tiles}")
    if not kind.has_items:
        for key in _OF_STAC:
            yield from _refused(source, (key,), path, f"{key} belongs to kind {_kind_names(kinds)}")
    else:
        yield from _refused(source, ("crs",), path, _CRS_OF_ITEMS)
        if source.child("mode").text == "live" and not (source.child("href").text or "").startswith(_WEB):
            yield from _refused(source, ("mode",), path, "live belongs to STAC APIs, whose href is https:// or http://")


def _refused(node: Node, keys: KeyPath, path: KeyPath, problem: str) -> Iterator[Mistake]:
    found = node.follow(keys)
    if len(found) == len(keys) + 1:
        yield Mistake(found[-1].place, (*path, *keys), problem)


def _kind_names(kinds: Mapping[str, KindOptions]) -> str:
    return in_words([name for name, each in kinds.items() if each.has_items], "and")


def _with_items(kinds: Mapping[str, KindOptions]) -> str:
    tiled = [f"{name} with tiles: true" for name, each in kinds.items() if each.may_have_items]
    return f"kind {in_words([*(name for name, each in kinds.items() if each.has_items), *tiled], 'and')}"
