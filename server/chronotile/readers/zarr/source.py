"""Zarr stores read as cubes, with their overviews."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import SourceInfo, SourceSpec
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.cf.array_source import Cube, CubeVariable, level_of
from chronotile.readers.cf.dataset import CfVariable, CfVariables, understand
from chronotile.readers.cf.fields import about
from chronotile.readers.cf.groups import REMEDY, Group, GroupChoice, choose_group, has_planes, inspect_group
from chronotile.readers.cf.scope import GroupTree, fields_in_scope
from chronotile.readers.cf.swath import Swath
from chronotile.readers.cf.swath_reader import serve_swaths
from chronotile.readers.configured_encoding import CIRCLE, encoding_fault
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.library_errors import opening
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.commit import commit_of
from chronotile.readers.zarr.metadata import GroupNode
from chronotile.readers.zarr.product import is_product, understand_product
from chronotile.readers.zarr.remote import RemoteMetadata
from chronotile.readers.zarr.serving_cube import open_serving_cube
from chronotile.readers.zarr.stores import PlainStore, Store, fields_of, levels_listed, names_of, open_group, tree_of

_NO_COPY = f"it is not a coarser copy of the native level; {REMEDY.format(path='its path')}"
EDGE_CELLS = 2
"""Maximum distance of the edges of an overview from the edges of the native level, in its cells."""

SAME_TIME = np.timedelta64(1, "s")
"""Maximum difference of the times of overviews; some writers stamp each level when they write it."""


def open_zarr(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of a source: a local or remote Zarr store, references, or an Icechunk repository.

    Groups are levels of each other if `multiscales` lists them, or if their names are numbers (`0`, `0.zarr`).

    Raises:
        UnsupportedSource: It cannot be served; the message gives the reason.
    """
    caches = caches or ReaderCaches()
    with opening(base_name(spec.href) or host_of(spec.href)):
        store, root = open_group(spec.href, caches.places, names=names_of(spec))
        if not isinstance(store, PlainStore):
            return _cube(root, store, spec, caches)
        place = local_path(spec.href)
        if commit_of(root.attrs) is not None and place is not None and place.is_dir():
            return open_serving_cube(spec, caches)
        return (_cube if place is not None else _cube_elsewhere)(root, store, spec, caches)


def _cube_elsewhere(root: GroupNode, store: PlainStore, spec: SourceSpec, caches: ReaderCaches) -> Reader:
    """Return a remote store, read in one state so that its times match its pixels.

    Raises:
        Replaced: It is being written.
    """
    node = next(root.all_arrays(), None)
    if node is None:
        return _cube(root, store, spec, caches)  # raises why a store without arrays is not a cube
    nodes = root.all_arrays() if node.is_alone else [node]
    metadata = [RemoteMetadata(spec.href, n, is_now=True) for n in nodes]
    cube = _cube(store.read_group(), store, spec, caches)  # metadata read earlier may belong to another state
    for document in metadata:
        document.look()
    return cube


def _cube(root: GroupNode, store: Store, spec: SourceSpec, caches: ReaderCaches) -> Reader:
    tree = tree_of(root, store)
    choice = _choose_group(tree, root, spec)
    understood, findings = _understand_all(tree, choice, root, store, spec=spec)
    findings += store.findings
    variables: dict[str, CubeVariable] = {}
    swaths: dict[str, Swath] = {}
    for name, levels in _group_by_variable(understood).items():
        if levels[0][1].swath is not None:
            swaths[name] = levels[0][1].swath
        variables[name], notes = _variable(name, levels, store, caches)
        findings += notes
    info = SourceInfo(
        variables={name: variable.info for name, variable in variables.items()},
        **about(root.attrs),
        findings=tuple(dict.fromkeys(findings)),
        group=choice.path,
        other_groups=choice.other_paths,
    )
    return serve_swaths(spec.collection, Cube(spec.collection, variables, info), swaths)


def _choose_group(tree: GroupTree, root: GroupNode, spec: SourceSpec) -> GroupChoice:
    """Return the group to read; groups that are levels of each other are one; by default, a product is read whole.

    Raises:
        UnsupportedSource: The configured group does not exist, or there are several with rasters.
    """
    if is_product(root) and spec.group is None:
        return GroupChoice("")

    def probe(path: str) -> Group:
        levels = list(_level_paths(root, path))
        names = dict.fromkeys(name for level in levels for name, s in tree.shapes[level].items() if len(s) > 1)
        groups = [inspect_group(path, names, fields_in_scope(tree, level), spec) for level in levels]
        return next((group for group in groups if not group.fault), groups[0])

    arrays, levels = dict[str, set[str]](), set[str]()
    for path in tree.shapes:
        if path not in levels:
            of_path = list(_level_paths(root, path))
            levels |= {*of_path}
            if any(has_planes(tree.shapes[level]) for level in of_path):
                arrays[path] = {name for level in of_path for name in tree.shapes[level]}
    return choose_group(tree, spec, probe, arrays)


def _level_paths(root: GroupNode, path: str) -> Iterator[str]:
    """Yield the paths of the groups that are levels of each other in a group, or its path alone."""
    top = root.at(path)
    names = {id(group): name for name, group in top.groups.items()}
    for group in _level_groups(top):
        yield path if group is top else f"{path}/{names[id(group)]}".lstrip("/")


def _level_groups(root: GroupNode) -> list[GroupNode]:
    """Return the groups that are levels of each other, in the store's order."""
    paths = [path for path, _stated in levels_listed(root.attrs)]
    listed = [root if path == "." else root.groups[path] for path in paths if path == "." or path in root.groups]
    by_length = sorted(root.groups, key=lambda name: (len(name), name))
    numbered = [root.groups[name] for name in by_length if name.removesuffix(".zarr").removesuffix(".link").isdigit()]
    groups = listed or numbered
    return [root, *groups] if root.arrays and not groups else groups or [root]


def _understand_all(
    tree: GroupTree, choice: GroupChoice, root: GroupNode, store: Store, *, spec: SourceSpec
) -> tuple[list[tuple[GroupNode, CfVariables]], list[Finding]]:
    """Return the variables of each group; groups that cannot be interpreted are skipped with a finding.

    Raises:
        UnsupportedSource: No group can be interpreted.
    """
    if is_product(root):
        return understand_product(root, spec, lambda group: fields_of(group, root, store))
    understood: list[tuple[GroupNode, CfVariables]] = []
    findings = list(choice.findings)
    first: UnsupportedSource | None = None
    for path in _level_paths(root, choice.path):
        group = root.at(path)
        try:
            swaths = choice.swaths if path == choice.path else None
            content = understand(fields_in_scope(tree, path), spec, others=choice.findings, swaths=swaths)
        except UnsupportedSource as error:
            first = first or error
            findings.append(Finding("warning", group.path, f"overview left out: {error.message}"))
            continue
        understood.append((group, content))
        findings += content.findings
    if not understood:
        raise first or UnsupportedSource("it is an empty group")
    return understood, findings


_Level = tuple[GroupNode, CfVariable]


def _group_by_variable(understood: list[tuple[GroupNode, CfVariables]]) -> dict[str, list[_Level]]:
    """Return the levels of each variable, from fine to coarse."""
    levels: dict[str, list[_Level]] = {}
    for group, content in understood:
        for name, variable in content.variables.items():
            levels.setdefault(name, []).append((group, variable))
    return {
        name: sorted(e, key=lambda level: -level[1].grid.width * level[1].grid.height) for name, e in levels.items()
    }


def _variable(
    name: str, levels: list[_Level], store: Store, caches: ReaderCaches
) -> tuple[CubeVariable, list[Finding]]:
    native = levels[0][1]
    reasons = {level[0].path: _unlike(level, native) for level in levels[1:]}
    fitting = [level for level in levels if reasons.get(level[0].path) is None]
    findings = [
        Finding("warning", f"{group.path}/{name}", f"overview left out: {reason}")
        for group, variable in levels[1:]
        if (reason := reasons[group.path])
    ]
    grids = tuple(variable.grid for _group, variable in fitting)
    info = native.info if native.swath is not None else replace(native.info, levels=grids)
    arrays = tuple(
        level_of(variable, store.open_array(group.arrays[variable.array], growing=variable.growing, caches=caches))
        for group, variable in fitting
    )
    return CubeVariable(info, arrays), findings


def _unlike(level: _Level, native: CfVariable) -> str | None:
    """Return how a level contradicts the native level; `None` if it can be read instead of it."""
    info, native_info = level[1].info, native.info
    encoding, times = info.encoding, info.times
    fault = encoding_fault(encoding, native_info.encoding)
    common = native.labels.keys() & level[1].labels.keys()
    faults = {
        "overviews of curvilinear grids are not read": native.swath is not None or level[1].swath is not None,
        "its times are not those of the native level": len(times) != len(native_info.times)
        or bool((np.abs(times.starts - native_info.times.starts) > SAME_TIME).any()),
        "its flags or classes are not those of the native level": encoding.flags != native_info.encoding.flags
        or [c.value for c in info.classes] != [c.value for c in native_info.classes],
        fault: fault is not None,
        "its values are directions, of which it may have plain means; chronotile optimise new writes circular ones": (
            native_info.encoding.circle is not None and CIRCLE not in level[0].arrays[level[1].array].attrs
        ),
        "its steps of further dimensions are not those of the native level": any(
            native.labels[dim] != level[1].labels[dim] for dim in common
        ),
        "its coordinate reference system is not that of the native level": info.grid.crs != native_info.grid.crs,
        _NO_COPY: not _is_coarser(info.grid, native_info.grid),
    }
    return next((reason for reason, is_true in faults.items() if is_true), None)


def _is_coarser(grid: NativeGrid, native: NativeGrid) -> bool:
    """Return whether a grid has fewer cells over the same bbox; overviews may omit parts of cells at the edge."""
    most = EDGE_CELLS * grid.resolution
    is_same_place = all(abs(b - other) <= most for b, other in zip(grid.bbox, native.bbox, strict=True))
    return grid.width * grid.height < native.width * native.height and is_same_place
