"""Reads, merges and checks configuration files; all mistakes are reported together."""

import glob
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from chronotile.catalog.access_section import AccessSection
from chronotile.catalog.checks import cross_mistakes, style_mistakes
from chronotile.catalog.configuration import CollectionSection, RootSection
from chronotile.catalog.kind_checks import Kinds
from chronotile.catalog.places_section import PlacesSection
from chronotile.catalog.service_section import ServiceSection
from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from chronotile.core import yaml_source
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.crs import Crs, crs_of
from chronotile.core.model.space.tiles import TileMatrixSet
from chronotile.core.sections import ID, validate
from chronotile.core.yaml_source import KeyPath, Mistake, YamlLocation, YamlNode, raise_mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The checked configuration of an archive."""

    service: ServiceSection
    access: AccessSection | None
    collections: Mapping[str, CollectionSection]
    """Collections by id."""
    places: Mapping[str, PlacesSection]
    """Place sets by id."""
    crs: tuple[Crs, ...]
    tile_matrix_sets: tuple[TileMatrixSet, ...]
    root: YamlNode
    """The merged YAML with the position of each value."""
    kinds: Kinds
    """Options of the kinds of its sources, by name of the kind."""

    def folder_of(self, *path: str) -> Path:
        """Return the folder from which relative paths at that key count: the one of its file."""
        return _folder_of(self.root.child(*path).place)


def load_configuration(
    file: Path, *, kinds: Kinds, environment: Mapping[str, str], styles: Collection[str] | None = None
) -> Configuration:
    """Return the configuration in a file and the files that it includes.

    Args:
        file: The main file; messages repeat this path unchanged.
        kinds: Options of the kinds of sources.
        environment: Values of `${NAME}`.
        styles: Ids of existing styles; `None` leaves this check to `build_catalogue`.

    Raises:
        ConfigurationError: Lists all mistakes, including unreadable files.
    """
    root, mistakes = _read_all(file, environment)
    if not root.entries:
        raise_mistakes(mistakes)
    return _validate(root, mistakes, styles, kinds)


def read_configured_id(file: Path, *, environment: Mapping[str, str]) -> str | None:
    """Return `service.id` of a configuration, or `None`, without checking anything else.

    Raises:
        ConfigurationError: A file cannot be read, or the id is not valid.
    """
    root, mistakes = _read_all(file, environment)
    written = root.child("service", "id")
    if not root.entries:
        raise_mistakes(mistakes)
    if written.content is None:
        return None
    if written.text is None or not ID.fullmatch(written.text):
        problem = "is not a valid id; use letters, digits, _, . and -, and begin with a letter or digit"
        raise_mistakes([Mistake(written.place, ("service", "id"), problem)])
    return written.text


def parse_configuration(
    values: Mapping[str, object], *, file: Path, kinds: Kinds, styles: Collection[str] | None = None
) -> Configuration:
    """Return the configuration made of `values`, as if they were written in `file`.

    Raises:
        ConfigurationError: Lists all mistakes.
    """
    return _validate(yaml_source.node_of(values, str(file)), [], styles, kinds)


def _validate(root: YamlNode, mistakes: list[Mistake], styles: Collection[str] | None, kinds: Kinds) -> Configuration:
    sections, wrong = validate(RootSection, root)
    sets, unknown = _tile_matrix_sets(root)
    mistakes = [*mistakes, *wrong, *unknown, *cross_mistakes(root, kinds)]
    if styles is not None:
        mistakes += style_mistakes(root, styles)
    raise_mistakes(mistakes)
    assert sections is not None  # noqa: S101 -- without mistakes there is a value
    return Configuration(
        service=sections.service,
        access=sections.access,
        collections=sections.collections,
        places=sections.places,
        crs=tuple(dict.fromkeys(crs_of(name) for name in sections.service.crs)),
        tile_matrix_sets=sets,
        root=root,
        kinds=kinds,
    )


def _read_all(file: Path, environment: Mapping[str, str]) -> tuple[YamlNode, list[Mistake]]:
    """Return the merged files; each is read once, even if several files include it."""
    start = YamlLocation(str(file), 1)
    waiting: list[tuple[Path, YamlLocation, KeyPath]] = [(file, start, ())]
    read_paths: set[Path] = set()
    merged, mistakes = YamlNode(start, {}), list[Mistake]()
    while waiting:
        path, named_at, key = waiting.pop(0)
        if path.resolve() in read_paths:
            continue
        read_paths.add(path.resolve())
        node, wrong = _read(path, named_at, key, environment=environment)
        included, missing = _list_included(node, path)
        waiting += included
        merged, repeated = _merge(merged, node)
        mistakes += [*wrong, *missing, *repeated]
    return merged, mistakes


def _read(
    path: Path, named_at: YamlLocation, key: KeyPath, *, environment: Mapping[str, str]
) -> tuple[YamlNode, list[Mistake]]:
    empty = YamlNode(YamlLocation(str(path), 1), {})
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        origin = named_at if key else YamlLocation("", 0)  # named on the command line, so no line of YAML
        return empty, [Mistake(origin, key, f"{path} cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        problem = f"the file is not UTF-8 text: byte {error.start} cannot be read; save it as UTF-8"
        return empty, [Mistake(empty.place, (), problem)]
    node, mistakes = yaml_source.read_yaml(text, str(path), environment=environment)
    return node or empty, mistakes


def _list_included(node: YamlNode, path: Path) -> tuple[list[tuple[Path, YamlLocation, KeyPath]], list[Mistake]]:
    written = node.child("include")
    files, mistakes = list[tuple[Path, YamlLocation, KeyPath]](), list[Mistake]()
    for index, pattern in enumerate([written] if written.text else written.items):
        if not pattern.text:
            continue
        key: KeyPath = ("include",) if written.text else ("include", index)
        matches = sorted(glob.glob(str(path.parent / pattern.text), recursive=True))  # noqa: PTH207 -- may be absolute
        if not matches and not glob.has_magic(pattern.text):
            mistakes.append(Mistake(pattern.place, key, f"{pattern.text} matches no file"))
        files += [(Path(match), pattern.place, key) for match in matches]
    return files, mistakes


def _merge(first: YamlNode, second: YamlNode) -> tuple[YamlNode, list[Mistake]]:
    """Merge the top-level keys of two files, and the keys directly below them; any other key in both is a mistake."""
    together, mistakes = dict(first.entries), list[Mistake]()
    for key, node in second.entries.items():
        present = together.get(key)
        if present is None or key == "include":
            together[key] = node
        elif isinstance(present.content, dict) and isinstance(node.content, dict):
            together[key] = YamlNode(present.place, present.content | dict(node.content))
            mistakes += [
                _repeated_key(node.content[name], (key, name), present.content[name].place)
                for name in node.content
                if name in present.content
            ]
        else:
            mistakes.append(_repeated_key(node, (key,), present.place))
    return YamlNode(first.place, together), mistakes


def _repeated_key(node: YamlNode, path: KeyPath, first: YamlLocation) -> Mistake:
    return Mistake(node.place, path, f"the key is written twice, first in {first}")


def _tile_matrix_sets(root: YamlNode) -> tuple[tuple[TileMatrixSet, ...], list[Mistake]]:
    written = root.child("service", "tile_matrix_sets")
    if written.content is None:
        defaults = ServiceSection().tile_matrix_sets
        return tuple(load_tile_matrix_set(name, folder=_folder_of(root.place)) for name in defaults), []
    sets, mistakes = dict[str, TileMatrixSet](), list[Mistake]()
    for index, node in enumerate(written.items):
        path = ("service", "tile_matrix_sets", index)
        if not node.text:
            continue
        try:
            matrix_set = load_tile_matrix_set(node.text, folder=_folder_of(node.place))
        except InvalidParameter as error:
            mistakes.append(Mistake(node.place, path, error.message))
            continue
        if matrix_set.id in sets:
            mistakes.append(Mistake(node.place, path, f"tile matrix set {matrix_set.id} is listed twice"))
        sets.setdefault(matrix_set.id, matrix_set)
    return tuple(sets.values()), mistakes


def _folder_of(place: YamlLocation) -> Path:
    return Path(place.file).parent.absolute()
