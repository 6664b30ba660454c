"""Arrays that a group of a file or store uses: its own, and coordinates in other groups (CF 1.9 §2.7).

A name is searched in the group, in the groups above it, and then in the other groups, the nearest first. If two of
these are equally near, the name is ambiguous and not used.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.cf.axes import role_by_attributes
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.tie_points import add_cell_positions

REFERENCES = ("coordinates", "bounds", "climatology", "grid_mapping")
"""Attributes that name other arrays."""
TRANSFORMS = ("GeoTransform", "spatial:transform", "spatial:bbox", "transform")
"""Attributes that replace coordinates: coordinates in other branches are ignored."""
MAX_GROUPS, MAX_GROUP_DEPTH = 1000, 32
"""Maximum number of groups of a file or store that are read, and of levels below the root."""
MAX_NAMED = 50
"""Maximum number of names of an attribute that are searched."""
MAX_SEARCHED = 100
"""Maximum number of groups whose arrays are searched for coordinates of one group."""


@dataclass(frozen=True, slots=True)
class GroupTree:
    """The groups of a file or store."""

    shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
    """Shapes of arrays by path of the group and name; dimensions without coordinates may be among them."""
    load: Callable[[str], FieldSet]
    """Returns the arrays of the group with a path."""
    cut: str | None = None
    """Path of the first group that was not read, because it is too deep or there are too many."""


def fields_in_scope(tree: GroupTree, path: str) -> FieldSet:
    """Return the arrays of a group, and coordinates, bounds and grid mappings that they use in other groups."""
    fields = tree.load(path)
    if len(tree.shapes) < 2:
        return add_cell_positions(fields)
    scope = _Scope(tree, path, dict(fields.fields))
    scope.follow_references()
    scope.add_coordinates(fields)
    borrowed = frozenset(scope.fields.keys() - fields.fields.keys())
    return add_cell_positions(replace(fields, fields=scope.fields, borrowed=borrowed))


def groups_above(path: str) -> Iterator[str]:
    """Yield the path of a group, then the paths of the groups above it; the root has an empty path."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path


def _distance(path: str, other: str) -> int:
    return len({*groups_above(path)} ^ {*groups_above(other)})  # steps up to a common group, and down


@dataclass(slots=True)
class _Scope:
    """The arrays of a group, and arrays that are added from other groups."""

    tree: GroupTree
    path: str
    fields: dict[str, Field]
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    """Name in the scope of each added array, by its group and its name there."""

    def follow_references(self) -> None:
        """Add the arrays that attributes name."""
        for name, array in list(self.fields.items()):
            self.fields[name] = self._resolve(array, self.path)

    def _resolve(self, array: Field, group: str, *, is_last: bool = False) -> Field:
        """Return an array of a group whose attributes name arrays as in the scope.

        Args:
            array: The array.
            group: Its group.
            is_last: Whether attributes of the named arrays stay unchanged.
        """
        changed = {}
        for key in REFERENCES:
            words = array.text(key).split()[:MAX_NAMED]
            resolved = [self._name_of(word, group, is_last=is_last) for word in words]
            if resolved != words:
                changed[key] = " ".join(resolved)
        return replace(array, attrs={**array.attrs, **changed}) if changed else array

    def _name_of(self, word: str, group: str, *, is_last: bool) -> str:
        name, colon = word.removesuffix(":"), word[len(word.removesuffix(":")) :]
        home = self._find(name, group)
        return word if home is None else self._borrow(*home, is_last=is_last) + colon

    def _find(self, word: str, group: str) -> tuple[str, Field] | None:
        """Return the group and the array that a word in an attribute of an array of `group` means."""
        folder, _slash, name = word.rpartition("/")
        places = [folder.strip("/")] if word.startswith("/") else [_join(base, folder) for base in groups_above(group)]
        for place in places:
            if name in self.tree.shapes.get(place, ()) and name in (arrays := self._load(place)):
                return place, arrays[name]
        holders = [] if folder else [path for path, shapes in self.tree.shapes.items() if name in shapes]
        home = self._nearest(holders)
        return None if home is None or name not in (arrays := self._load(home)) else (home, arrays[name])

    def _nearest(self, groups: Iterable[str]) -> str | None:
        """Return the nearest of some groups; `None` if two are equally near."""
        ranked = sorted((_distance(self.path, group), group) for group in groups)
        is_clear = len(ranked) == 1 or (len(ranked) > 1 and ranked[0][0] < ranked[1][0])
        return ranked[0][1] if is_clear else None

    def _load(self, group: str) -> Mapping[str, Field]:
        """Return the arrays of a group; none if it cannot be opened, as a damaged group does not concern others."""
        try:
            return self.tree.load(group).fields
        except (UnsupportedSource, OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
            return {}

    def _borrow(self, group: str, array: Field, *, is_last: bool = False) -> str:
        """Add an array of a group, with the arrays that it names; return its name in the scope."""
        if group == self.path:
            return array.name
        key = group, array.name
        if key not in self.names:
            name = f"/{_join(group, array.name)}" if array.name in self.fields else array.name
            self.names[key], self.fields[name] = name, array
            resolved = array if is_last else self._resolve(array, group, is_last=True)
            self.fields[name] = replace(resolved, name=name)
        return self.names[key]

    def add_coordinates(self, fields: FieldSet) -> None:
        """Add the coordinates of the dimensions of arrays: from above, then from other branches."""
        sizes = {dim: size for a in fields.fields.values() if len(a.dims) > 1 for dim, size in a.sizes.items()}
        above = list(groups_above(self.path))
        for group in above[1:]:
            for array in self._load(group).values():
                is_scalar = prod(array.shape) <= 1 and len(array.dims) < 2
                if array.name not in self.fields and (is_scalar or _fits(array, sizes)):
                    self._borrow(group, array)
        placed_dims = {a.dims[0] for a in self.fields.values() if len(a.dims) == 1 and _fits(a, sizes)}
        if not sizes.keys() <= placed_dims and not _has_transform(fields):
            self._add_from_branches(sizes, above)

    def _add_from_branches(self, sizes: Mapping[str, int], above: Sequence[str]) -> None:
        """Add the nearest coordinates in other branches: of dimensions below the groups that define these, or of cells.

        Latitudes and longitudes of cells need the shape of an array only, as groups may name dimensions differently.
        """
        shapes = self.tree.shapes
        apexes = {dim: next((group for group in above if dim in shapes.get(group, ())), "") for dim in sizes}
        lengths = {*sizes.values()}
        branches = [g for g in shapes if g not in above and any(s and lengths >= {*s} for s in shapes[g].values())]
        homes: dict[str, dict[str, Field]] = {}
        planes = {a.shape[-2:]: a.dims[-2:] for a in self._load(self.path).values() if len(a.dims) > 1}
        for group in sorted(branches, key=lambda path: _distance(self.path, path))[:MAX_SEARCHED]:
            for array in self._load(group).values():
                if _fits(array, sizes) and all(_is_below(group, apexes[dim]) for dim in array.dims):
                    homes.setdefault(array.name, {})[group] = array
                elif array.shape in planes and role_by_attributes(array) in {"x", "y"}:
                    homes.setdefault(array.name, {})[group] = replace(array, dims=planes[array.shape])
        for name, arrays in homes.items():
            home = self._nearest(arrays)
            if home is not None and name not in self.fields:
                self._borrow(home, arrays[home])


def _is_below(group: str, apex: str) -> bool:
    return not apex or f"{group}/".startswith(f"{apex}/")


def _join(*parts: str) -> str:
    """Return one path from parts; `..` is the group above."""
    joined: list[str] = []
    for part in "/".join(parts).split("/"):
        if part == "..":
            joined = joined[:-1]
        elif part not in {"", "."}:
            joined.append(part)
    return "/".join(joined)


def _fits(array: Field, sizes: Mapping[str, int]) -> bool:
    is_along = bool(array.dims) and all(sizes.get(dim) == size for dim, size in array.sizes.items())
    return is_along and (role_by_attributes(array) is not None or array.dims == (array.name,))


def _has_transform(fields: FieldSet) -> bool:
    return any(
        key in attrs for attrs in (fields.levels[0], *(a.attrs for a in fields.fields.values())) for key in TRANSFORMS
    )
