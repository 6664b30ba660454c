"""Mistakes between parts of a configuration, found in its YAML even if a part is invalid itself."""

from collections.abc import Collection, Iterator

from chronotile.catalog.derived_checks import derived_mistakes, unknown_variable
from chronotile.catalog.kind_checks import Kinds, kind_mistakes
from chronotile.core.extras import missing_extra
from chronotile.core.yaml_source import KeyPath, Mistake, YamlNode, list_names, nearest

NamePosition = tuple[str, KeyPath, YamlNode]
"""A name, its key and its node."""


def cross_mistakes(root: YamlNode, kinds: Kinds) -> list[Mistake]:
    """Return repeated names, unknown variables, keys that the kind of source lacks, circles and unknown languages."""
    return [
        *_list_repeated_names(root),
        *(mistake for collection in _list_collections(root) for mistake in _composite_mistakes(*collection)),
        *(mistake for collection in _list_collections(root) for mistake in kind_mistakes(*collection, kinds)),
        *(mistake for collection in _list_collections(root) for mistake in derived_mistakes(*collection)),
        *_language_mistakes(root),
        *_webhook_mistakes(root),
        *_access_mistakes(root),
    ]


def _access_mistakes(root: YamlNode) -> Iterator[Mistake]:
    """Yield rules without `access` at the top, which would have no effect, and a provider without its library."""
    issuer = root.child("access", "issuer")
    missing = missing_extra("access", "issuer") if issuer.text else None
    if missing is not None:
        yield Mistake(issuer.place, ("access", "issuer"), missing)
    sections = [(node, path) for node, path in _list_collections(root)]
    sections += [(node, ("places", name)) for name, node in root.child("places").entries.items()]
    for collection, path in _list_collections(root):
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
    # An empty value would be inherited or public, which is hardly intended in a rule.
    for rule, path in [(top, ("access",)), *rules]:
        for value, where in [(rule, path), *((value, (*path, name)) for name, value in rule.entries.items())]:
            if value.content is None:
                yield Mistake(value.place, where, "is empty; write what it is, or remove it")


def style_mistakes(root: YamlNode, styles: Collection[str]) -> list[Mistake]:
    """Return mistakes for unknown styles of variables."""
    return [
        Mistake(node.place, path, f"style {node.text!r} is not known{nearest(node.text, styles)}")
        for collection, _path in _list_collections(root)
        for path, node in _style_references(collection, _path)
        if node.text is not None and node.text not in styles
    ]


def default_id(collection: str, variable: str) -> str:
    """Return the id of a layer whose configuration names none."""
    return f"{collection}.{variable}"


def _list_collections(root: YamlNode) -> Iterator[tuple[YamlNode, KeyPath]]:
    for name, node in root.child("collections").entries.items():
        yield node, ("collections", name)


def _style_references(collection: YamlNode, path: KeyPath) -> Iterator[tuple[KeyPath, YamlNode]]:
    for name, variable in collection.child("variables").entries.items():
        for index, node in enumerate(variable.child("styles").items):
            yield (*path, "variables", name, "styles", index), node


def _list_repeated_names(root: YamlNode) -> Iterator[Mistake]:
    first: dict[str, NamePosition] = {}
    for name, path, node in _list_names(root):
        if name in first:
            _name, other, where = first[name]
            problem = f"{name} is already the name of {'/'.join(map(str, other))} ({where.place}); "
            yield Mistake(node.place, path, f"{problem}collections, layers and aliases are unique together")
        else:
            first[name] = (name, path, node)


def _list_names(root: YamlNode) -> Iterator[NamePosition]:
    for collection, path in _list_collections(root):
        yield str(path[-1]), path, collection
    for collection, path in _list_collections(root):
        for kind in ("variables", "composites"):
            for name, content in collection.child(kind).entries.items():
                yield from _list_layer_names(str(path[-1]), (*path, kind, name), content)


def _list_layer_names(collection: str, path: KeyPath, content: YamlNode) -> Iterator[NamePosition]:
    layer = content.entries.get("layer")
    if layer is None:
        yield default_id(collection, str(path[-1])), path, content
    elif layer.text is not None:
        yield layer.text, (*path, "layer"), layer
    for index, alias in enumerate(content.child("aliases").items):
        name = alias.text if alias.text is not None else alias.child("name").text
        if name is not None:
            yield name, (*path, "aliases", index), alias


def _composite_mistakes(collection: YamlNode, path: KeyPath) -> Iterator[Mistake]:
    """Yield unknown variables in composites."""
    variables = collection.child("variables").entries
    if not variables:
        return
    for name, composite in collection.child("composites").entries.items():
        for index, node in enumerate(composite.child("variables").items):
            if node.text is not None and node.text not in variables:
                yield Mistake(
                    node.place, (*path, "composites", name, "variables", index), unknown_variable(node.text, variables)
                )


def _language_mistakes(root: YamlNode) -> Iterator[Mistake]:
    offered = [node.text for node in root.child("service", "languages").items if node.text] or ["en"]
    for path, node in _list_titled(root):
        for key in ("title", "abstract"):
            for tag, text in node.child(key).entries.items():
                if tag not in offered:
                    problem = f"language {tag!r} is not one of service.languages ({list_names(offered)})"
                    yield Mistake(text.place, (*path, key, tag), problem)


def _webhook_mistakes(root: YamlNode) -> Iterator[Mistake]:
    collections = root.child("collections").entries
    for index, webhook in enumerate(root.child("service", "webhooks").items):
        node = webhook.child("collection")
        if node.text is not None and node.text not in collections:
            problem = f"collection {node.text[:40]!r} is not configured{nearest(node.text, collections)}"
            yield Mistake(node.place, ("service", "webhooks", index, "collection"), problem)


def _list_titled(root: YamlNode) -> Iterator[tuple[KeyPath, YamlNode]]:
    """Yield every section that has a title."""
    yield ("service",), root.child("service")
    for key in ("base_maps", "overlays"):
        for index, section in enumerate(root.child("service", "viewer", key).items):
            yield ("service", "viewer", key, index), section
    for name, places in root.child("places").entries.items():
        yield ("places", name), places
    for collection, path in _list_collections(root):
        yield path, collection
        for kind in ("variables", "composites"):
            for name, content in collection.child(kind).entries.items():
                yield (*path, kind, name), content
