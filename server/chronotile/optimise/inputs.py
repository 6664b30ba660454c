"""What a cube is made of: sources of one grid, and where each date lies in them."""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from chronotile.archive.discovery.drafts import Draft, drafts_of
from chronotile.archive.discovery.names import as_id
from chronotile.archive.discovery.variables import looks_below, raster_variables, sole_series
from chronotile.archive.discovery.walk import WalkResult, walk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import DimensionStep, SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan, format_instant
from chronotile.core.model.types import InstantArray
from chronotile.optimise.mosaics import CollectionMosaic
from chronotile.readers.cf.time import JoinedTimes, join_times
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.kind import SourceKind
from chronotile.readers.kinds import KINDS, kind_of_named, kind_of_path, kind_of_spec, open_source
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.commit import state_number

COLLECTION = "the source"
"""What messages of readers call it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the pixels of one date come from."""

    source: int
    index: int
    """The date's index in that source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeInputs:
    """Sources of one grid, and their dates in order."""

    specs: tuple[SourceSpec, ...]
    variables: Mapping[str, VariableInfo]
    """As the first source has them, in an encoding that holds the values of all."""
    times: TimeDomain
    origins: tuple[Origin, ...]
    """(time,)."""
    states: tuple[tuple[int, ...], ...]
    """(time, variable): numbers that change when a source's pixels of that date may have."""
    files: Mapping[Origin, tuple[Path, ...]] = field(default_factory=dict)
    """Of raster files, those of each date."""
    notes: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    """Title, attribution and license, where the first source has them."""
    mosaic: CollectionMosaic | None = None
    """What the dates are in place of `specs`."""

    @property
    def grid(self) -> NativeGrid:
        """The native grid, which all variables share."""
        return next(iter(self.variables.values())).grid

    @property
    def have_times_in_blocks(self) -> bool:
        """Whether a block of some source may hold several dates."""
        return any(kind_of_spec(spec).has_times_in_blocks(spec) for spec in self.specs)

    @property
    def have_map_layout(self) -> bool:
        """Whether the sources have a map layout already: small blocks of one date each, and overviews."""
        if self.have_times_in_blocks or any(len(info.stored_levels) < 2 for info in self.variables.values()):
            return False
        return kind_of_spec(self.specs[0]).has_map_layout(self.specs[0])

    def in_order(self, names: Sequence[str]) -> "CubeInputs":
        """Return the same with the variables in another order."""
        columns = [list(self.variables).index(name) for name in names]
        return replace(
            self,
            variables={name: self.variables[name] for name in names},
            states=tuple(tuple(state[column] for column in columns) for state in self.states),
            files={
                origin: tuple(paths[column] for column in columns) if paths else ()
                for origin, paths in self.files.items()
            },
        )


def find_inputs(
    sources: Sequence[str],
    *,
    variable: str | None = None,
    select: tuple[DimensionStep, ...] = (),
    time_pattern: str | None = None,
    target: Path | None = None,
) -> CubeInputs:
    """Return what the files, folders, patterns and stores of `sources` hold.

    Args:
        sources: As they were named.
        variable: The only one that is taken.
        select: Of that one, the steps of its further dimensions.
        time_pattern: Regular expression with a group `time`, over the paths of raster files.
        target: A cube that is not a source though it may lie in one of the folders.

    Raises:
        UnsupportedSource: They are not sources of one grid with times; the message gives the reason.
    """
    specs = tuple(_specs(_find(sources, target), _select_variable(variable, select), time_pattern))
    caches = ReaderCaches()
    readers = [open_source(spec, caches) for spec in specs]
    try:
        return _inputs(specs, readers, variable)
    finally:
        for reader in readers:
            reader.close()


def mosaic_inputs(
    mosaic: CollectionMosaic, names: Sequence[str], about: Mapping[str, str], notes: Sequence[str] = ()
) -> CubeInputs:
    """Return the mosaics of a collection as what a cube is made of.

    Args:
        mosaic: It.
        names: Variables that are written.
        about: Title, attribution and license, where it has them.
        notes: What the output reports of it.

    Raises:
        UnsupportedSource: Its variables cannot be written.
        SourceUnavailable: The index does not answer.
    """
    with mosaic.open_reader() as reader:
        _require_ids(names)
        variables = {name: reader.info.variables[name] for name in names}
        states = mosaic.states(reader, names)
    origins = tuple(Origin(0, index) for index in range(len(mosaic.times)))
    return CubeInputs(
        specs=(),
        variables=variables,
        times=mosaic.times,
        origins=origins,
        states=states,
        files=dict.fromkeys(origins, ()),
        notes=tuple(notes),
        about=about,
        mosaic=mosaic,
    )


def add_removed_dates(inputs: CubeInputs, starts: InstantArray, bounds: InstantArray) -> CubeInputs:
    """Return inputs with dates that a cube has and whose items are all gone, so that nothing of them is left in it.

    Args:
        inputs: Of mosaics; others are returned as they are.
        starts: (time,), of the cube.
        bounds: (time, 2), of the cube.
    """
    if inputs.mosaic is None:
        return inputs
    mosaic = inputs.mosaic.add_dates(starts, bounds)
    if mosaic is inputs.mosaic:
        return inputs
    return mosaic_inputs(mosaic, list(inputs.variables), inputs.about, inputs.notes)


def _select_variable(variable: str | None, select: tuple[DimensionStep, ...]) -> Mapping[str, VariableSpec]:
    """The variable that is named, with its steps.

    Raises:
        UnsupportedSource: There are steps, but no variable is named.
    """
    if select and variable is None:
        raise UnsupportedSource("--select needs --variable: the variable whose step is used")
    return {} if variable is None else {variable: VariableSpec(id=variable, select=select)}


def _specs(found: WalkResult, variables: Mapping[str, VariableSpec], time_pattern: str | None) -> Iterator[SourceSpec]:
    has_steps = any(each.select for each in variables.values())
    # Without a step all is opened, so that a name that is not there is answered with those that are.
    own = dict(variables) if has_steps else {}
    places = {KINDS[name]: paths for name, paths in found.places.items()}
    for kind in sorted(places, key=lambda kind: not kind.options.is_of_files):
        if not kind.options.has_bands:
            yield from (replace(spec, variables=own) for spec in _array_specs(kind, places[kind], time_pattern))
    for kind, paths in places.items():
        if kind.options.has_bands and has_steps:
            raise UnsupportedSource("--select is for NetCDF and Zarr; a band of rasters is chosen in a configuration")
        if kind.options.has_bands:
            yield from _stack_specs(kind, sorted(set(paths)), variables, time_pattern)


def _array_specs(kind: SourceKind, paths: Sequence[Path], time_pattern: str | None) -> Iterator[SourceSpec]:
    """One a file, whose time is in its name where it is not inside and the names differ in it; one a store."""
    if not kind.options.is_of_files:
        yield from (SourceSpec(collection=COLLECTION, kind=kind.name, href=str(path)) for path in paths)
        return
    for draft in _drafts(kind, paths):
        pattern = time_pattern or draft.time_pattern
        for file in draft.files:
            yield SourceSpec(collection=COLLECTION, kind=kind.name, href=str(draft.root / file), time_pattern=pattern)


def _stack_specs(
    kind: SourceKind, paths: Sequence[Path], variables: Mapping[str, VariableSpec], time_pattern: str | None
) -> Iterator[SourceSpec]:
    if time_pattern is not None:
        yield _stack_spec(kind, _select_dated(paths, time_pattern), time_pattern, variables)
        return
    drafts = _drafts(kind, paths)
    if len(drafts) > 1:
        names = ", ".join(f"{draft.text} ({len(draft.files)} files)" for draft in drafts[:5])
        raise UnsupportedSource(f"the file names form {len(drafts)} stacks: {names}; name the files of one")
    yield from _draft_specs(drafts[0])


def _drafts(kind: SourceKind, paths: Sequence[Path]) -> list[Draft]:
    root = Path(os.path.commonpath([path.parent for path in paths]))
    return drafts_of(WalkResult({kind.name: paths}), root, looks_below(root))


def _select_dated(paths: Sequence[Path], time_pattern: str) -> list[Path]:
    """The files in whose paths the pattern finds something; a generous pattern of files matches others too."""
    try:
        dated = [path for path in paths if re.search(time_pattern, str(path))]
    except re.error as error:
        raise UnsupportedSource(f"--time-pattern is not a valid regular expression: {error}") from error
    if not dated:
        raise UnsupportedSource(f"--time-pattern finds nothing in any of {len(paths)} files, such as {paths[0].name}")
    return dated


def _draft_specs(draft: Draft) -> Iterator[SourceSpec]:
    """One of all files; where their names tell no times, one a file, which may tell its own."""
    found = raster_variables(draft)
    variables = {each.id: each for each in found.variables}
    if found.band_times:
        times = TimeDomain(*_bounds(found.band_times))
        yield replace(draft.spec(found.variables, times), collection=COLLECTION)
        return
    series = [sole_series(draft.root / file) for file in draft.files]
    if not draft.variables and all(series):
        for file, own in zip(draft.files, series, strict=True):
            spec = replace(draft.spec(found.variables, own), collection=COLLECTION, href=str(draft.root / file))
            yield spec
        return
    paths = {str(draft.root / file) for file in draft.files}
    spec = replace(draft.spec(found.variables), collection=COLLECTION)
    matched = set(glob.glob(spec.href)) if "{" not in spec.href else paths  # noqa: PTH207 -- an absolute pattern
    if len(paths) == 1 or matched != paths:
        groups = [sorted(paths)] if draft.time_pattern else [[path] for path in sorted(paths)]
        for group in groups:
            yield _stack_spec(draft.kind, [Path(path) for path in group], draft.time_pattern, variables)
    else:
        yield replace(spec, looks_at_all=True)


def _stack_spec(
    kind: SourceKind, paths: Sequence[Path], time_pattern: str | None, variables: Mapping[str, VariableSpec]
) -> SourceSpec:
    return SourceSpec(
        collection=COLLECTION,
        kind=kind.name,
        href=str(paths[0]),
        time_pattern=time_pattern,
        variables=dict(variables),
        files=tuple(map(str, paths)),
        looks_at_all=True,
    )


def _bounds(spans: Iterable[TimeSpan]) -> tuple[np.ndarray, np.ndarray]:
    spans = list(spans)
    return np.array([span.start for span in spans]), np.array([span.end for span in spans])


def _find(sources: Sequence[str], target: Path | None) -> WalkResult:
    """What is named, and what lies in folders that are; a named file may be a raster whatever it is called."""
    places: dict[str, list[Path]] = {}
    folders = []
    for path in (path for source in sources for path in _paths(source)):
        if path.suffix in {".yaml", ".yml"}:
            raise UnsupportedSource(
                f"{path.name} is a configuration: name the files, folder or store that its href names; of a collection "
                f"of scenes or tiles use --config {path.name} --collection ID"
            )
        if path.is_dir() and kind_of_path(path) is None:
            folders.append(walk(path))
        elif target is None or path != target.absolute():
            places.setdefault(kind_of_named(path).name, []).append(path)
    for folder in folders:
        for name, paths in folder.places.items():
            others = [path for path in paths if target is None or path != target.absolute()]
            places.setdefault(name, []).extend(others)
    found = {name: paths for name, paths in places.items() if paths}
    if not found:
        raise UnsupportedSource(f"{', '.join(sources[:3])}: there is no raster, NetCDF or Zarr in it")
    return WalkResult(found)


def _paths(source: str) -> list[Path]:
    path = Path(source).absolute()
    if path.exists():
        return [path]
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 -- pathlib cannot glob from an absolute pattern
    if not found:
        raise UnsupportedSource(f"{source} does not exist and matches no file")
    return [Path(each) for each in found]


def _inputs(specs: Sequence[SourceSpec], readers: Sequence[Reader], variable: str | None) -> CubeInputs:
    variables = _find_common_encodings(_variables(readers[0], variable), readers)
    domains = [_times(reader, variables) for reader in readers]
    if any(domain.is_climatology != domains[0].is_climatology for domain in domains):
        raise UnsupportedSource("some of the sources are climatologies, others are not; name those of one kind")
    times = join_times(domains)
    origins = tuple(Origin(*each) for each in times.slices)
    return CubeInputs(
        specs=tuple(specs),
        variables=variables,
        times=times.domain,
        origins=origins,
        states=tuple(_state(readers[origin.source], variables, origin.index) for origin in origins),
        files={origin: _files(readers[origin.source], variables, origin.index) for origin in origins},
        notes=_notes(readers, times),
        about=_about(readers[0].info),
    )


def _notes(readers: Sequence[Reader], times: JoinedTimes) -> tuple[str, ...]:
    """What the sources tell, and which of their times are left out."""
    notes = [f"{finding.place}: {finding.message}" for reader in readers for finding in reader.info.findings]
    place = dict(zip(times.slices, times.domain.starts, strict=True))
    notes += [f"{format_instant(place[first])} occurs twice; the first is used" for _dropped, first in times.repeated]
    if times.unlike is not None:
        notes.append(
            "the bounds of some times are shorter than a day or do not hold their coordinate; all times go by their "
            "coordinates, not by the starts of their bounds"
        )
    return tuple(dict.fromkeys(notes))


def _files(reader: Reader, variables: Mapping[str, VariableInfo], index: int) -> tuple[Path, ...]:
    paths = [reader.raster_file(name, index) for name in variables]
    return () if None in paths else tuple(Path(path) for path in paths if path is not None)


def _about(info: SourceInfo) -> dict[str, str]:
    said = {"title": info.title, "attribution": info.attribution, "license": info.license}
    return {name: text for name, text in said.items() if text}


def _variables(reader: Reader, selected: str | None) -> dict[str, VariableInfo]:
    held = dict(reader.info.variables)
    if selected is not None:
        if selected not in held:
            left_out = next(
                (f"{each.place}: {each.message}" for each in reader.info.findings if each.place == selected), ""
            )
            reason = left_out or f"there is no variable {selected} in it; there are {', '.join(held)}"
            raise UnsupportedSource(reason)
        held = {selected: held[selected]}
    _require_ids(held)
    first = next(iter(held.values()))
    for name, info in held.items():
        if not _same_grid(info.grid, first.grid) or not np.array_equal(info.times.starts, first.times.starts):
            raise UnsupportedSource(f"{name} has another grid or other times than {first.name}; name one: --variable")
    return held


def _require_ids(names: Iterable[str]) -> None:
    odd = next((name for name in names if as_id(name) != name), None)
    if odd is not None:
        raise UnsupportedSource(f"the variable's name {odd!r} cannot be an id; rename it, or name another: --variable")


def _find_common_encodings(variables: Mapping[str, VariableInfo], readers: Sequence[Reader]) -> dict[str, VariableInfo]:
    """The variables of the first source in encodings that hold the values of all sources.

    Raises:
        UnsupportedSource: The sources differ in units, or in what their classes or bands are.
    """
    found = dict(variables)
    for name, info in variables.items():
        others = [reader.info.variables[name] for reader in readers[1:] if name in reader.info.variables]
        moved = {each.title for each in variables.values()} - {info.title, None}
        if any(other.title in moved for other in others):
            raise UnsupportedSource(f"the sources differ in the order of their bands; name one at a time, for {name}")
        scales = {(each.encoding.scale, each.encoding.offset) for each in (info, *others)}
        if info.is_categorical and len(scales) > 1:
            raise UnsupportedSource(f"the sources differ in the scale of {name}, which has classes")
        found[name] = replace(info, encoding=common_encoding([info.encoding, *(each.encoding for each in others)]))
    return found


def _times(reader: Reader, variables: Mapping[str, VariableInfo]) -> TimeDomain:
    """The times of a source that is like the first one."""
    for name, like in variables.items():
        info = reader.info.variables.get(name)
        if info is None or not _same_grid(info.grid, like.grid):
            raise UnsupportedSource(f"the sources differ in the grid of {name}, or one has none")
    times = reader.info.variables[next(iter(variables))].times
    if not len(times):
        raise UnsupportedSource("its file names contain no times; use --time-pattern with a group (?P<time>…)")
    return times


def _same_grid(grid: NativeGrid, other: NativeGrid) -> bool:
    tolerance = grid.resolution * 1e-4
    near = all(abs(a - b) <= tolerance for a, b in zip(grid.transform, other.transform, strict=True))
    return (grid.width, grid.height, grid.crs) == (other.width, other.height, other.crs) and near


def _state(reader: Reader, variables: Mapping[str, VariableInfo], index: int) -> tuple[int, ...]:
    return tuple(state_number(reader.revision(name, index)) for name in variables)
