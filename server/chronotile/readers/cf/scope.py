"""Arrays that a group of a file or store uses: its own, and coordinates in other groups (CF 1.9 §2.7).

A name is searched in the group, in the groups above it, and then in the other groups, the nearest first. If two of
these are equally near, the name is ambiguous and none is used.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod

from chronotile.readers.cf.axes import has_role
from chronotile.readers.cf.fields import Field, FieldSet

REFERENCES = ("coordinates", "bounds", "climatology", "grid_mapping")
"""Attributes that name other arrays."""
TRANSFORMS = ("GeoTransform", "spatial:transform", "spatial:bbox", "transform")
"""Attributes that replace coordinates: their arrays use none of other branches."""
MAX_GROUPS, MAX_GROUP_DEPTH = 1000, 32
"""Maximum number of groups of a file or store that are read, and of levels below the root."""
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
    own = tree.load(path)
    if len(tree.shapes) < 2:
        return own
    scope = _Scope(tree, path, dict(own.fields))
    scope.follow_references()
    scope.add_coordinates(own)
    return replace(own, fields=scope.fields, borrowed=frozenset(scope.fields.keys() - own.fields.keys()))


def groups_above(path: str) -> Iterator[str]:
    """Yield the path of a group and those of the groups above it; the root's is empty."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path


def _distance(path: str, other: str) -> int:
    """Return the number of steps between two groups."""
    parts, others = path.split("/") if path else [], other.split("/") if other else []
    common = next((n for n, pair in enumerate(zip(parts, others, strict=False)) if pair[0] != pair[1]), None)
    return len(parts) + len(others) - 2 * (min(len(parts), len(others)) if common is None else common)


@dataclass(slots=True)
class _Scope:
    """The arrays of a group, to which arrays of other groups are added."""

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
            words = array.text(key).split()
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
        above = groups_above(group)
        places = [folder.strip("/")] if word.startswith("/") else [_join(base, folder) for base in above]
        for place in places:
            if name in self.tree.shapes.get(place, ()) and name in (found := self.tree.load(place).fields):
                return place, found[name]
        return None if folder else self._nearest(name, self.tree.shapes)

    def _nearest(
        self, name: str, groups: Iterable[str], shape: tuple[int, ...] | None = None
    ) -> tuple[str, Field] | None:
        """Return the array with a name in the nearest of some groups; `None` if two are equally near."""
        shapes = self.tree.shapes
        holders = [g for g in groups if name in shapes[g] and shape in (None, shapes[g][name])]
        holders.sort(key=lambda group: _distance(self.path, group))
        if not holders or [_distance(self.path, g) for g in holders[:2]].count(_distance(self.path, holders[0])) > 1:
            return None
        found = self.tree.load(holders[0]).fields.get(name)
        return None if found is None else (holders[0], found)

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

    def add_coordinates(self, own: FieldSet) -> None:
        """Add the coordinates of the dimensions of arrays: from above, then from other branches."""
        sizes = {dim: size for array in own.fields.values() if len(array.dims) > 1 for dim, size in array.sizes.items()}
        above = list(groups_above(self.path))
        for group in above[1:]:
            for array in self.tree.load(group).fields.values():
                is_scalar = prod(array.shape) <= 1 and len(array.dims) < 2
                if array.name not in self.fields and (is_scalar or _fits(array, sizes)):
                    self._borrow(group, array)
        known = {array.dims[0] for array in self.fields.values() if len(array.dims) == 1 and _fits(array, sizes)}
        if sizes.keys() <= known or _has_transform(own):
            return
        apexes = {dim: next((g for g in above if dim in self.tree.shapes.get(g, ())), "") for dim in sizes}
        self._add_from_branches(sizes, apexes)

    def _add_from_branches(self, sizes: Mapping[str, int], apexes: Mapping[str, str]) -> None:
        """Add the nearest coordinates of dimensions in other branches, below the groups that define the dimensions."""
        shapes, above = self.tree.shapes, set(groups_above(self.path))
        groups = [
            g for g in shapes if g not in above and any(s and {*s} <= {*sizes.values()} for s in shapes[g].values())
        ]
        groups = sorted(groups, key=lambda group: _distance(self.path, group))[:MAX_SEARCHED]
        fitting = [
            (array, group) for group in groups for array in self.tree.load(group).fields.values() if _fits(array, sizes)
        ]
        for name in dict.fromkeys(array.name for array, _group in fitting if array.name not in self.fields):
            homes = [
                group
                for array, group in fitting
                if array.name == name
                and all(f"{group}/".startswith(apexes[dim] and f"{apexes[dim]}/") for dim in array.dims)
            ]
            if (home := self._nearest(name, homes)) is not None:
                self._borrow(*home)


def _join(*parts: str) -> str:
    """Return one path from parts, in which `..` is the group above."""
    joined: list[str] = []
    for part in "/".join(parts).split("/"):
        if part == "..":
            joined = joined[:-1]
        elif part not in {"", "."}:
            joined.append(part)
    return "/".join(joined)


def _fits(array: Field, sizes: Mapping[str, int]) -> bool:
    """Return whether an array has coordinates along dimensions of these sizes."""
    is_along = bool(array.dims) and all(sizes.get(dim) == size for dim, size in array.sizes.items())
    return is_along and (has_role(array) or array.dims == (array.name,))


def _has_transform(fields: FieldSet) -> bool:
    return any(
        key in attrs for attrs in (fields.levels[0], *(a.attrs for a in fields.fields.values())) for key in TRANSFORMS
    )
