"""Sources of a cube: files and stores of one grid, and the position of each date in them."""

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
from chronotile.core.model.source import DimensionStep, SourceInfo, SourceSpec, TargetGrid, VariableInfo, VariableSpec
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan, format_instant
from chronotile.core.model.types import InstantArray
from chronotile.optimise.mosaics import CollectionMosaic
from chronotile.optimise.options import Options
from chronotile.readers.cf.time import JoinedTimes, join_times
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.kind import SourceKind
from chronotile.readers.kinds import KINDS, kind_of_argument, kind_of_path, kind_of_spec, open_source
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.commit import state_number

DEFAULT_OPTIONS = Options()
COLLECTION = "the source"
"""Name of the collection in messages of readers."""


@dataclass(frozen=True, slots=True)
class DateOrigin:
    """Source of the pixels of one date."""

    source: int
    index: int
    """Index of the date in that source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeInputs:
    """Sources of one grid, and their dates in order."""

    specs: tuple[SourceSpec, ...]
    variables: Mapping[str, VariableInfo]
    """Variables of the first source, in an encoding that holds the values of all sources."""
    times: TimeDomain
    origins: tuple[DateOrigin, ...]
    """Source of each time."""
    states: tuple[tuple[int, ...], ...]
    """(time, variable): numbers that change when the pixels of that date may have changed."""
    files: Mapping[DateOrigin, tuple[Path, ...]] = field(default_factory=dict)
    """Raster files of each date; empty for other sources."""
    notes: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    """Title, attribution and license of the first source."""
    mosaic: CollectionMosaic | None = None
    """The mosaics that are read instead of `specs`."""

    @property
    def grid(self) -> NativeGrid:
        """The native grid, which all variables share."""
        return next(iter(self.variables.values())).grid

    @property
    def have_times_in_blocks(self) -> bool:
        """Whether a block of any source may contain several dates."""
        return any(kind_of_spec(spec).has_times_in_blocks(spec) for spec in self.specs)

    @property
    def have_map_layout(self) -> bool:
        """Whether the sources have a map layout already: small blocks of one date each, and overviews."""
        if self.have_times_in_blocks or any(len(info.stored_levels) < 2 for info in self.variables.values()):
            return False
        return kind_of_spec(self.specs[0]).has_map_layout(self.specs[0])

    def reorder(self, names: Sequence[str]) -> "CubeInputs":
        """Return the same inputs with the variables in another order."""
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
    sources: Sequence[str], options: Options = DEFAULT_OPTIONS, *, target: Path | None = None
) -> CubeInputs:
    """Return the inputs in files, folders, patterns and stores.

    Args:
        sources: Paths and patterns of the operator.
        options: Selection of the sources.
        target: The cube, which is not a source even if it is in a source folder.

    Raises:
        UnsupportedSource: They are not sources of one grid with times; the message has the reason.
    """
    variables = _select_variable(options.variable, options.select)
    specs = tuple(
        replace(spec, group=options.group, grid=options.grid)
        for spec in _specs(_find(sources, target), variables, options.time_pattern)
    )
    if options.group is not None and any(kind_of_spec(spec).options.has_bands for spec in specs):
        raise UnsupportedSource("--group is for NetCDF, HDF5 and Zarr; rasters have no groups")
    caches = ReaderCaches()
    readers = [open_source(spec, caches) for spec in specs]
    try:
        inputs = _inputs(specs, readers, options.variable)
        _require_grid(inputs.grid, options.grid)
        return inputs
    finally:
        for reader in readers:
            reader.close()


def _require_grid(grid: NativeGrid, target: TargetGrid | None) -> None:
    if target is not None and (grid.crs, grid.resolution) != (crs_of(target.crs), target.resolution):
        raise UnsupportedSource(
            "--crs and --resolution are for swaths, curvilinear grids and --collection; other cells are not resampled"
        )


def mosaic_inputs(
    mosaic: CollectionMosaic, names: Sequence[str], about: Mapping[str, str], notes: Sequence[str] = ()
) -> CubeInputs:
    """Return the mosaics of a collection as inputs.

    Args:
        mosaic: The mosaics.
        names: Variables to write.
        about: Title, attribution and license.
        notes: Notes for the report.

    Raises:
        UnsupportedSource: Its variables cannot be written.
        SourceUnavailable: The index does not answer.
    """
    with mosaic.open_reader() as reader:
        _require_ids(names)
        variables = {name: reader.info.variables[name] for name in names}
        states = mosaic.states(reader, names)
    origins = tuple(DateOrigin(0, index) for index in range(len(mosaic.times)))
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
    """Add the dates of a cube whose items were all removed, so that the run replaces their values by nodata.

    Args:
        inputs: Inputs; returned unchanged unless they are mosaics.
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
    """Return the selected variable with its steps.

    Raises:
        UnsupportedSource: Steps are given without a variable.
    """
    if select and variable is None:
        raise UnsupportedSource("--select needs --variable: the variable whose step is used")
    return {} if variable is None else {variable: VariableSpec(id=variable, select=select)}


def _specs(walked: WalkResult, variables: Mapping[str, VariableSpec], time_pattern: str | None) -> Iterator[SourceSpec]:
    has_steps = any(variable.select for variable in variables.values())
    # Without a step all variables are opened, so that the error for an unknown name can list them.
    selected = dict(variables) if has_steps else {}
    places = {KINDS[name]: paths for name, paths in walked.places.items()}
    for kind in sorted(places, key=lambda kind: not kind.options.is_of_files):
        if not kind.options.has_bands:
            yield from (replace(spec, variables=selected) for spec in _array_specs(kind, places[kind], time_pattern))
    for kind, paths in places.items():
        if kind.options.has_bands and has_steps:
            raise UnsupportedSource("--select is for NetCDF and Zarr; a band of rasters is chosen in a configuration")
        if kind.options.has_bands:
            yield from _stack_specs(kind, sorted(set(paths)), variables, time_pattern)


def _array_specs(kind: SourceKind, paths: Sequence[Path], time_pattern: str | None) -> Iterator[SourceSpec]:
    """Yield one specification per file or store. A pattern of file names gives the time of files without one inside."""
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
    """Return the files whose paths match; a generous glob pattern may list others too."""
    try:
        dated = [path for path in paths if re.search(time_pattern, str(path))]
    except re.error as error:
        raise UnsupportedSource(f"--time-pattern is not a valid regular expression: {error}") from error
    if not dated:
        raise UnsupportedSource(f"--time-pattern finds nothing in any of {len(paths)} files, such as {paths[0].name}")
    return dated


def _draft_specs(draft: Draft) -> Iterator[SourceSpec]:
    """Yield one specification of all files; one per file if their names have no times, but bands may have."""
    rasters = raster_variables(draft)
    variables = {variable.id: variable for variable in rasters.variables}
    if rasters.band_times:
        times = TimeDomain(*_bounds(rasters.band_times))
        yield replace(draft.spec(rasters.variables, times), collection=COLLECTION)
        return
    series = [sole_series(draft.root / file) for file in draft.files]
    if not draft.variables and all(series):
        for file, times_of_file in zip(draft.files, series, strict=True):
            spec = replace(
                draft.spec(rasters.variables, times_of_file), collection=COLLECTION, href=str(draft.root / file)
            )
            yield spec
        return
    paths = {str(draft.root / file) for file in draft.files}
    spec = replace(draft.spec(rasters.variables), collection=COLLECTION)
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
    """Return the paths of the sources by kind: files and stores that the operator named, and the contents of folders.

    A named file may be a raster with any extension. `target`, the cube to write, is skipped.

    Raises:
        UnsupportedSource: A source does not exist or is a configuration, or no source contains data.
    """
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
            places.setdefault(kind_of_argument(path).name, []).append(path)
    for folder in folders:
        for name, paths in folder.places.items():
            kept_paths = [path for path in paths if target is None or path != target.absolute()]
            places.setdefault(name, []).extend(kept_paths)
    non_empty = {name: paths for name, paths in places.items() if paths}
    if not non_empty:
        raise UnsupportedSource(f"{', '.join(sources[:3])}: there is no raster, NetCDF or Zarr in it")
    return WalkResult(non_empty)


def _paths(source: str) -> list[Path]:
    path = Path(source).absolute()
    if path.exists():
        return [path]
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 -- pathlib cannot glob from an absolute pattern
    if not matches:
        raise UnsupportedSource(f"{source} does not exist and matches no file")
    return [Path(match) for match in matches]


def _inputs(specs: Sequence[SourceSpec], readers: Sequence[Reader], variable: str | None) -> CubeInputs:
    variables = _find_common_encodings(_variables(readers[0], variable), readers)
    domains = [_times(reader, variables) for reader in readers]
    if any(domain.is_climatology != domains[0].is_climatology for domain in domains):
        raise UnsupportedSource("some of the sources are climatologies, others are not; name those of one kind")
    times = join_times(domains)
    origins = tuple(DateOrigin(*pair) for pair in times.slices)
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
    """Return the findings of the sources, and notes on skipped times."""
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
    texts = {"title": info.title, "attribution": info.attribution, "license": info.license}
    return {name: text for name, text in texts.items() if text}


def _variables(reader: Reader, selected: str | None) -> dict[str, VariableInfo]:
    variables = dict(reader.info.variables)
    if selected is not None:
        if selected not in variables:
            left_out = next(
                (
                    f"{finding.place}: {finding.message}"
                    for finding in reader.info.findings
                    if finding.place == selected
                ),
                "",
            )
            reason = left_out or f"there is no variable {selected} in it; there are {', '.join(variables)}"
            raise UnsupportedSource(reason)
        variables = {selected: variables[selected]}
    _require_ids(variables)
    first = next(iter(variables.values()))
    for name, info in variables.items():
        if not _same_grid(info.grid, first.grid) or not np.array_equal(info.times.starts, first.times.starts):
            raise UnsupportedSource(f"{name} has another grid or other times than {first.name}; name one: --variable")
    return variables


def _require_ids(names: Iterable[str]) -> None:
    odd = next((name for name in names if as_id(name) != name), None)
    if odd is not None:
        raise UnsupportedSource(f"the variable's name {odd!r} cannot be an id; rename it, or name another: --variable")


def _find_common_encodings(variables: Mapping[str, VariableInfo], readers: Sequence[Reader]) -> dict[str, VariableInfo]:
    """Return the variables of the first source in encodings that hold the values of all sources.

    Raises:
        UnsupportedSource: The sources differ in units, or in the meaning of classes or bands.
    """
    common = dict(variables)
    for name, info in variables.items():
        further = [reader.info.variables[name] for reader in readers[1:] if name in reader.info.variables]
        moved = {variable.title for variable in variables.values()} - {info.title, None}
        if any(other.title in moved for other in further):
            raise UnsupportedSource(f"the sources differ in the order of their bands; name one at a time, for {name}")
        scales = {(variable.encoding.scale, variable.encoding.offset) for variable in (info, *further)}
        if info.is_categorical and len(scales) > 1:
            raise UnsupportedSource(f"the sources differ in the scale of {name}, which has classes")
        common[name] = replace(
            info, encoding=common_encoding([info.encoding, *(variable.encoding for variable in further)])
        )
    return common


def _times(reader: Reader, variables: Mapping[str, VariableInfo]) -> TimeDomain:
    """Return the times of a source after checking that its grid is that of the first one."""
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
