"""Zarr stores read as cubes, with their overviews."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.collection import Finding, SourceInfo, SourceSpec
from chronotile.core.model.grid import NativeGrid
from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.cf.array_source import Cube, CubeVariable, level_of
from chronotile.readers.cf.dataset import CfVariable, CfVariables, understand
from chronotile.readers.cf.fields import Group, about, group_findings
from chronotile.readers.encoding import CIRCLE
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.library_errors import opening
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.commit import commit_of
from chronotile.readers.zarr.metadata import GroupNode
from chronotile.readers.zarr.product import is_product, understand_product
from chronotile.readers.zarr.remote import RemoteMetadata
from chronotile.readers.zarr.serving_cube import open_serving_cube
from chronotile.readers.zarr.stores import LEVEL_KEYS, PlainStore, Store, fields_of, open_group

REMEDY = "serve it as a source of its own, with href: the store's path, then /{path}"

EDGE_CELLS = 2
"""Cells of an overview by which its edges may lie beside those of the native level."""

SAME_TIME = np.timedelta64(1, "s")
"""Times of overviews may differ by this: some writers stamp each level as they write it."""


def open_zarr(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of what `spec` names: a Zarr store here or elsewhere, references to one, or a repository.

    Groups that `multiscales` lists, or that have numbers for names (`0`, `0.zarr`), are overviews of one another.

    Raises:
        UnsupportedSource: It cannot be served; the message gives the reason.
    """
    caches = caches or ReaderCaches()
    with opening(base_name(spec.href) or host_of(spec.href)):
        names = [variable.name or variable.id for variable in spec.variables.values()]
        store, root = open_group(spec.href, caches.places, names=names)
        if not isinstance(store, PlainStore):
            return _cube(root, store, spec, caches)
        place = local_path(spec.href)
        if commit_of(root.attrs) is not None and place is not None and place.is_dir():
            return open_serving_cube(spec, caches)
        return (_cube if place is not None else _cube_elsewhere)(root, store, spec, caches)


def _cube_elsewhere(root: GroupNode, store: PlainStore, spec: SourceSpec, caches: ReaderCaches) -> Cube:
    """The store in one state, so that its times are those of its pixels.

    Raises:
        Replaced: It is being written.
    """
    node = next(root.all_arrays(), None)
    if node is None:
        return _cube(root, store, spec, caches)  # which says what is wrong
    nodes = root.all_arrays() if node.is_alone else [node]
    metadata = [RemoteMetadata(spec.href, each, is_now=True) for each in nodes]
    cube = _cube(store.read_group(), store, spec, caches)  # what was read before the look may be of another state
    for each in metadata:
        each.look()
    return cube


def _cube(root: GroupNode, store: Store, spec: SourceSpec, caches: ReaderCaches) -> Cube:
    groups = _level_groups(root)
    below = () if spec.variables or is_product(root) else _unserved(root, groups)
    others = group_findings([_group(each, store, spec) for each in below], REMEDY)
    understood, findings = _understand_all(groups, root, store, spec, others=others)
    variables: dict[str, CubeVariable] = {}
    for name, levels in _by_variable(understood).items():
        variables[name], notes = _variable(name, levels, store, caches)
        findings += notes
    info = SourceInfo(
        variables={name: variable.info for name, variable in variables.items()},
        **about(root.attrs),
        findings=tuple(dict.fromkeys(findings)),
    )
    return Cube(spec.collection, variables, info)


def _level_groups(root: GroupNode) -> list[GroupNode]:
    """The groups that are one another's overviews, in the store's order."""
    paths = _multiscale_paths(root.attrs.get("multiscales"))
    listed = [root if path == "." else root.groups[path] for path in paths if path == "." or path in root.groups]
    by_length = sorted(root.groups, key=lambda name: (len(name), name))
    numbered = [root.groups[name] for name in by_length if name.removesuffix(".zarr").removesuffix(".link").isdigit()]
    groups = listed or numbered
    return [root, *groups] if root.arrays and not groups else groups or [root]


def _multiscale_paths(multiscales: object) -> list[str]:
    """The groups that GeoZarr's metadata list in any of its forms: `datasets`, or a `layout` of groups or assets."""
    entries = multiscales if isinstance(multiscales, list) else [multiscales]
    levels = [
        level
        for entry in entries
        if isinstance(entry, dict)
        for level in (entry.get("datasets") or entry.get("layout") or [])
    ]
    paths = [
        level if isinstance(level, str) else next((level[key] for key in LEVEL_KEYS if key in level), "")
        for level in levels
    ]
    return [str(path).strip("/") for path in paths]


def _unserved(root: GroupNode, served: Sequence[GroupNode]) -> Iterator[GroupNode]:
    if root not in served:
        yield root
    for group in root.groups.values():
        yield from _unserved(group, served)


def _group(node: GroupNode, store: Store, spec: SourceSpec) -> Group:
    """A group that is not served, with the reason if it could not be served as a store of its own."""
    arrays, fault = tuple(name for name, array in node.arrays.items() if len(array.shape) > 1), ""
    try:
        if arrays:
            understand(fields_of(node, node, store), spec)
    except UnsupportedSource as error:
        fault = error.message
    return Group(node.path, arrays, fault=fault)


def _understand_all(
    groups: Sequence[GroupNode], root: GroupNode, store: Store, spec: SourceSpec, *, others: tuple[Finding, ...]
) -> tuple[list[tuple[GroupNode, CfVariables]], list[Finding]]:
    """What each group holds; a group that cannot be understood is left out, unless all are."""
    if is_product(root):
        return understand_product(root, spec, lambda group: fields_of(group, root, store))
    understood: list[tuple[GroupNode, CfVariables]] = []
    findings: list[Finding] = []
    first: UnsupportedSource | None = None
    for group in groups:
        try:
            found = understand(fields_of(group, root, store), spec, others=others)
        except UnsupportedSource as error:
            first = first or error
            findings.append(Finding("warning", group.path, f"overview left out: {error.message}"))
            continue
        understood.append((group, found))
        findings += found.findings
    if not understood:
        raise first or UnsupportedSource("it is an empty group")
    return understood, findings


_Level = tuple[GroupNode, CfVariable]


def _by_variable(understood: list[tuple[GroupNode, CfVariables]]) -> dict[str, list[_Level]]:
    """The levels of each variable from fine to coarse."""
    levels: dict[str, list[_Level]] = {}
    for group, found in understood:
        for name, variable in found.variables.items():
            levels.setdefault(name, []).append((group, variable))
    return {
        name: sorted(each, key=lambda level: -level[1].grid.width * level[1].grid.height)
        for name, each in levels.items()
    }


def _variable(
    name: str, levels: list[_Level], store: Store, caches: ReaderCaches
) -> tuple[CubeVariable, list[Finding]]:
    native = levels[0][1]
    fitting = [level for level in levels if _fits(level[1], native) and not _may_be_plain_mean(level, native)]
    findings = [
        Finding("warning", f"{group.path}/{name}", f"overview left out: {_unlike(variable, native)}")
        for group, variable in levels
        if (group, variable) not in fitting
    ]
    info = replace(native.info, levels=tuple(variable.grid for _group, variable in fitting))
    arrays = tuple(
        level_of(variable, store.open_array(group.arrays[variable.array], growing=variable.growing, caches=caches))
        for group, variable in fitting
    )
    return CubeVariable(info, arrays), findings


def _fits(level: CfVariable, native: CfVariable) -> bool:
    # Whether a level shows what the native one shows.
    return level is native or (_has_same_values(level, native) and _is_coarser(level.grid, native.grid))


def _may_be_plain_mean(level: _Level, native: CfVariable) -> bool:
    """Whether an overview of directions may have plain means: those that `optimise` wrote have an attribute."""
    group, variable = level
    has_circle = CIRCLE in group.arrays[variable.array].attrs
    return variable is not native and native.info.encoding.circle is not None and not has_circle


def _unlike(level: CfVariable, native: CfVariable) -> str:
    if _fits(level, native):
        return "its values are directions, of which it may have plain means; chronotile optimise writes circular ones"
    if not _has_same_values(level, native):
        return "other times or another type than the native level"
    return f"it is not a coarser copy of the native level; {REMEDY.format(path='its path')}"


def _has_same_values(level: CfVariable, native: CfVariable) -> bool:
    return (
        len(level.info.times) == len(native.info.times)
        and bool(np.all(np.abs(level.info.times.starts - native.info.times.starts) <= SAME_TIME))
        and level.info.encoding.dtype == native.info.encoding.dtype
        and level.grid.crs == native.grid.crs
    )


def _is_coarser(grid: NativeGrid, native: NativeGrid) -> bool:
    """Whether a grid has fewer cells over the same place; writers of overviews leave rests of cells out."""
    most = EDGE_CELLS * grid.resolution
    is_same_place = all(abs(own - other) <= most for own, other in zip(grid.bbox, native.bbox, strict=True))
    return grid.width * grid.height < native.width * native.height and is_same_place
