"""Choice of the group of a file or store that a source reads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from chronotile.core.errors import ChronotileError, SeveralGroups, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import SourceSpec
from chronotile.core.yaml_source import list_names
from chronotile.readers.cf.axes import is_coordinate
from chronotile.readers.cf.dataset import NO_RASTER, understand
from chronotile.readers.cf.fields import FieldSet
from chronotile.readers.cf.scope import MAX_GROUP_DEPTH, MAX_GROUPS, GroupTree
from chronotile.readers.cf.swath import Swaths, open_swath
from chronotile.readers.library_errors import one_line

MAX_PROBED = 40
"""Maximum number of groups that are opened to check whether they have rasters."""
MAX_LISTED = 20
"""Maximum number of groups that a message names."""
MAX_PLACE = 80
"""Maximum number of characters of a path in a finding."""
MAX_LISTED_ARRAYS = 5
"""Maximum number of variables of a group that a finding names."""

REMEDY = "serve it as another source, with group: {path}"


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """The group that a source reads."""

    path: str
    findings: tuple[Finding, ...] = ()
    other_paths: tuple[str, ...] = ()
    """Paths of other groups with rasters."""
    swaths: Swaths | None = None
    """Swaths of the group, if it was inspected."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group with its arrays of two dimensions or more."""

    path: str
    """Path from the root; empty for the root itself."""
    arrays: tuple[str, ...]
    fault: str = ""
    """The reason if it has no raster."""
    swaths: Swaths | None = None


def inspect_group(path: str, names: Iterable[str], fields: FieldSet, spec: SourceSpec) -> Group:
    """Return a group with its arrays, except coordinates, and the reason if it has no raster.

    Args:
        path: Path of the group.
        names: Names of its arrays of two dimensions or more.
        fields: The group with the coordinates of its arrays.
        spec: Configuration of the source.
    """
    arrays = [name for name in names if name not in fields.fields or not is_coordinate(fields.fields[name], fields)]
    swaths = Swaths(fields, spec.grid, open_swath)
    return Group(path, tuple(arrays), raster_fault(fields, spec, swaths) if arrays else NO_RASTER, swaths)


def raster_fault(fields: FieldSet, spec: SourceSpec, swaths: Swaths) -> str:
    """Return why no array of a group is a raster; empty if one is: an array with coordinates along x and y."""
    try:
        understand(fields, replace(spec, variables={}), swaths=swaths)
    except ChronotileError as error:
        return error.message
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        return f"it cannot be opened: {one_line(error)}"
    return ""


def choose_group(
    tree: GroupTree,
    spec: SourceSpec,
    probe: Callable[[str], Group],
    arrays: Mapping[str, AbstractSet[str]] | None = None,
) -> GroupChoice:
    """Return the group to read: the configured one, the root if it has rasters, or the only group with rasters.

    Args:
        tree: The groups.
        spec: Configuration of the source.
        probe: Inspects the group with a path.
        arrays: Names of the arrays of groups that may have rasters, by path; by default of all groups with arrays of
            two dimensions or more.

    Raises:
        UnsupportedSource: The configured group does not exist.
        SeveralGroups: Several groups have rasters, and the root has none.
    """
    if arrays is None:
        arrays = {path: shapes.keys() for path, shapes in tree.shapes.items() if has_planes(shapes)}
    paths = list(arrays)
    if spec.group is not None:
        return _require_group(spec.group, tree, paths)
    notes = _cut_findings(tree)
    names = {variable.name or variable.id for variable in spec.variables.values()}
    holders = [path for path in paths if names & arrays[path]]
    if "" in holders or not any(paths):
        return GroupChoice("", notes)
    if len(holders) == 1:
        return GroupChoice(holders[0], (*notes, _note(holders[0], "the configured variables")))
    groups = [probe(path) for path in (holders or paths)[:MAX_PROBED]]
    fit = [group.path for group in groups if not group.fault]
    swaths = {group.path: group.swaths for group in groups}
    if "" in fit or not fit:
        below = [group for group in groups if group.path]
        return GroupChoice("", (*notes, *group_findings(below)), tuple(path for path in fit if path), swaths.get(""))
    if len(fit) > 1:
        listed = list_names(fit, most=MAX_LISTED)
        raise SeveralGroups(f"its groups {listed} have rasters; set group: to choose", fit)
    rest = [replace(finding, severity="note") for finding in group_findings(g for g in groups if g.fault and g.path)]
    return GroupChoice(fit[0], (*notes, _note(fit[0], "rasters that can be served"), *rest), swaths=swaths[fit[0]])


def has_planes(shapes: Mapping[str, Sequence[int]]) -> bool:
    """Return whether an array has two dimensions or more."""
    return any(len(shape) > 1 for shape in shapes.values())


def _require_group(path: str, tree: GroupTree, paths: Sequence[str]) -> GroupChoice:
    if path in tree.shapes:
        return GroupChoice(path, _cut_findings(tree))
    listed = list_names((existing or "/" for existing in paths), most=MAX_LISTED)
    raise UnsupportedSource(f"group: there is no group {path} with arrays in it; there are {listed or 'none'}")


def _note(path: str, contents: str) -> Finding:
    return Finding("note", path, f"only this group has {contents}, so it is read")


def _cut_findings(tree: GroupTree) -> tuple[Finding, ...]:
    if tree.cut is None:
        return ()
    place = tree.cut if len(tree.cut) < MAX_PLACE else f"{tree.cut[:MAX_PLACE]}…"
    message = (
        f"group {place} is not read, and others may not be: read are {MAX_GROUP_DEPTH} levels and {MAX_GROUPS} groups "
        "of a file or store"
    )
    return (Finding("warning", place, message),)


def group_findings(groups: Iterable[Group]) -> tuple[Finding, ...]:
    """Return a warning for each group that is not served."""
    return tuple(_finding(group) for group in groups if group.arrays)


def _finding(group: Group) -> Finding:
    names = list_names(group.arrays, most=MAX_LISTED_ARRAYS)
    where = f"group {group.path}" if group.path else "the root group"
    because = f": {group.fault}" if group.fault else f"; {REMEDY.format(path=group.path)}"
    return Finding("warning", group.path or "/", f"{where} is not served, with its variables {names}{because}")
