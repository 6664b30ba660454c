"""Raster files, one a date or one band a date, read as one source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from rasterio.enums import Interleaving

from chronotile.errors import UnsupportedSource
from chronotile.model.grid import Window
from chronotile.model.raster import Pixels
from chronotile.model.source import Finding, SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.model.time import NO_TIME, TimeDomain
from chronotile.readers.dates import time_of_text
from chronotile.readers.encoding import as_meant, configured
from chronotile.readers.file_state import file_state
from chronotile.readers.foreign import reading, unavailable
from chronotile.readers.hrefs import base_name
from chronotile.readers.made_levels import Origin, cells_below, made_pixels, with_made_levels
from chronotile.readers.overviews import Counting
from chronotile.readers.previews import LEAST_FACTOR, Preview, current_previews
from chronotile.readers.raster_bands import Band
from chronotile.readers.raster_files import DatedFiles, date_files, find_files
from chronotile.readers.raster_pixels import every, one_above_another, read_pixels, strips_of
from chronotile.readers.raster_pool import NATIVE_LEVEL, Handle, Layout, shared_pool
from chronotile.readers.raster_survey import Sample, survey
from chronotile.readers.reader import Along, BlockShape, Reader

SERIES_THREADS = 4
"""Of one series that takes many files."""

FILES_A_THREAD = 16
"""Read one after the other; for fewer a second thread costs more than it brings."""

Run = tuple[str, list[int]]
"""A file and some of its bands."""

TIME_TAGS = ("time", "datetime", "date")
"""Metadata of a single file that tells its time."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Where the pixels of one time lie."""

    path: str
    band: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackVariable:
    """One variable of a stack: a plane a time, all of one layout."""

    info: VariableInfo
    planes: tuple[Plane, ...]
    """One for each of `info.times`; a single one without time."""
    layouts: tuple[Layout, ...]
    """One a level that is stored, as every file must have it."""
    origins: tuple[Origin, ...]
    """What each level is read from."""
    has_mask: bool

    @property
    def counting(self) -> Counting:
        """How cells are counted where a level is made of them."""
        return Counting(encoding=self.info.encoding, is_categorical=self.info.is_categorical)

    def preview(self, plane: Plane, origin: Origin) -> Preview:
        """Return which preview holds a level that is made."""
        factors = sorted(each.factor for each in self.origins if each.stored == origin.stored)
        return Preview(
            path=plane.path,
            band=plane.band,
            stored=origin.stored,
            layout=self.layouts[origin.stored],
            factors=tuple(factor for factor in factors if factor >= LEAST_FACTOR),
            counting=self.counting,
            has_mask=self.has_mask,
        )


class RasterStack:
    """Reads a stack of raster files."""

    def __init__(self, collection: str, variables: Mapping[str, StackVariable], findings: tuple[Finding, ...]) -> None:
        self._collection = collection
        self._variables = dict(variables)
        self._pool = shared_pool()
        self._info = SourceInfo(variables={name: each.info for name, each in variables.items()}, findings=findings)

    @property
    def info(self) -> SourceInfo:
        """What the files hold."""
        return self._info

    def revision(self, variable: str, index: int) -> str:
        """Return the size and age of the file of that time."""
        with reading(self._collection, variable):
            state = file_state(self._variables[variable].planes[index].path)
        return f"{state.mtime_ns:x}-{state.size:x}" if state else "0"

    def path(self, variable: str, index: int) -> str:
        """Return the file of that time."""
        return self._variables[variable].planes[index].path

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        source = self._variables[variable]
        plane, origin = source.planes[index], source.origins[level]
        with reading(self._collection, variable):
            if origin.factor == 1:
                return self._read_stored(variable, plane, origin.stored, window, step=step)
            pixels = None
            previews = current_previews()
            if previews is not None and origin.factor >= LEAST_FACTOR:
                pixels = previews.read(source.preview(plane, origin), origin.factor, window, step=step)
            return self._make(variable, plane, origin, window, step=step) if pixels is None else pixels

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; a run of times in one file is one read."""
        source = self._variables[variable]
        cell = Window(row, row + 1, column, column + 1)
        runs = list(_by_file(source.planes[index] for index in indexes))
        if not runs:
            return Pixels(np.empty(0, dtype=source.info.encoding.dtype))
        parts = _mapped(lambda run: self._cells_of_file(variable, *run, cell=cell), runs)
        joined = np.concatenate([part.numbers for part in parts])
        valids = [part.valid for part in parts if part.valid is not None]
        return Pixels(as_meant(joined, source.info.encoding.dtype), np.concatenate(valids) if valids else None)

    def block_shape(self, variable: str, along: Along) -> BlockShape:  # noqa: ARG002 -- there is one layout
        """Return the shape of the blocks of the first file; in one that stores bands pixel by pixel of all of them."""
        plane = self._variables[variable].planes[0]
        with reading(self._collection, variable), self._pool.lend(plane.path) as handle:
            height, width = handle.dataset.block_shapes[plane.band - 1]
            is_by_pixel = handle.dataset.interleaving == Interleaving.pixel
            return BlockShape(handle.dataset.count if is_by_pixel else 1, height, width)

    def read_block(
        self,
        variable: str,
        *,
        indexes: Sequence[int],
        window: Window,
        along: Along,  # noqa: ARG002 -- there is one layout
    ) -> Pixels:
        """Return (time, y, x) pixels of a window; a run of times in one file is one read."""
        source = self._variables[variable]
        runs = _by_file(source.planes[index] for index in indexes)
        parts = [self._bands_of_file(variable, *run, window=window) for run in runs]
        numbers = np.concatenate([part.numbers for part in parts])
        valids = [part.valid for part in parts if part.valid is not None]
        return Pixels(as_meant(numbers, source.info.encoding.dtype), np.concatenate(valids) if valids else None)

    def _bands_of_file(self, variable: str, path: str, bands: list[int], *, window: Window) -> Pixels:
        """(band, y, x) pixels of a window."""
        with reading(self._collection, variable), self._pool.lend(path) as handle:
            self._require_layout(handle, variable, 0)
            numbers = handle.read_bands(bands, window)
            if not self._variables[variable].has_mask:
                return Pixels(numbers)
            return Pixels(numbers, handle.read_bands(bands, window, is_mask=True) > 0)

    def _cells_of_file(self, variable: str, path: str, bands: list[int], *, cell: Window) -> Pixels:
        """(band,) pixels of one cell."""
        pixels = self._bands_of_file(variable, path, bands, window=cell)
        return Pixels(pixels.numbers[:, 0, 0], None if pixels.valid is None else pixels.valid[:, 0, 0])

    def close(self) -> None:
        """Close the files that nobody reads."""
        self._pool.close({plane.path for variable in self._variables.values() for plane in variable.planes})

    def _read_stored(self, variable: str, plane: Plane, stored: int, window: Window, *, step: int = 1) -> Pixels:
        source = self._variables[variable]
        with self._pool.lend(plane.path, stored + NATIVE_LEVEL) as handle:
            self._require_layout(handle, variable, stored)
            dtype = source.info.encoding.dtype
            return read_pixels(handle, plane.band, window, dtype=dtype, has_mask=source.has_mask, step=step)

    def _make(self, variable: str, plane: Plane, origin: Origin, window: Window, *, step: int) -> Pixels:
        """Cells of a level that no file holds, out of all the stored cells that they cover."""
        source = self._variables[variable]
        layout = source.layouts[origin.stored]
        with self._pool.lend(plane.path, origin.stored + NATIVE_LEVEL) as handle:
            self._require_layout(handle, variable, origin.stored)
            block_width = handle.dataset.block_shapes[plane.band - 1][1]
        parts = []
        for strip in [window] if step == 1 else strips_of(window, step):
            made = made_pixels(
                lambda region: self._read_stored(variable, plane, origin.stored, region),
                cells_below(strip, origin.factor, height=layout.height, width=layout.width),
                (origin.factor,),
                source.counting,
                block_width=block_width,
            )
            parts.append(every(made[origin.factor], step))
        return one_above_another(parts)

    def _require_layout(self, handle: Handle, variable: str, stored: int) -> None:
        expected = self._variables[variable].layouts[stored]
        if handle.layout is expected:
            return
        if not handle.layout.matches(expected):
            raise unavailable(self._collection, variable, "have another grid or type than when they were opened")
        handle.layout = expected  # the handle comes back for the next read, which need not compare again


def open_raster_stack(spec: SourceSpec) -> Reader:
    """Return a reader of the raster files that `spec` names.

    Raises:
        UnsupportedSource: They cannot be served; the message says why.
    """
    variables: dict[str, StackVariable] = {}
    findings: list[Finding] = []
    for name, paths in sorted(find_files(spec).items(), key=lambda entry: entry[0] or ""):
        found, notes = _open_files(spec, name, paths)
        variables |= found
        findings += notes
    if not variables:
        raise UnsupportedSource(f"{base_name(spec.href)} matches no file that holds a variable")
    return RasterStack(spec.collection, _in_order(variables, spec), tuple(findings))


def _in_order(variables: dict[str, StackVariable], spec: SourceSpec) -> dict[str, StackVariable]:
    """In the order of the configuration, else as found."""
    return {name: variables[name] for name in (spec.variables or variables) if name in variables}


def _open_files(
    spec: SourceSpec, name: str | None, paths: tuple[str, ...]
) -> tuple[dict[str, StackVariable], tuple[Finding, ...]]:
    """The variables of one set of files: of all, or of those whose href has `name` for `{variable}`."""
    if spec.times is not None and len(paths) != 1:
        raise UnsupportedSource(
            f"times: is for the bands of one file, and {len(paths)} files match; leave it out, and say "
            "time_pattern: if the files' names tell no times that are found by themselves"
        )
    sample, files = survey(date_files(paths, spec), spec)
    if spec.times is not None:
        return _one_band_a_time(spec, name, files=files, sample=sample), files.findings
    wanted = _wanted(spec, name, sample.bands)
    times = files.times if len(files.times) else _time_in_tags(sample)
    return {
        variable.id: _stack_variable(
            variable, band, sample, times=times, planes=tuple(Plane(path, band.number) for path in files.paths)
        )
        for variable, band in wanted
    }, files.findings


def _one_band_a_time(
    spec: SourceSpec, name: str | None, *, files: DatedFiles, sample: Sample
) -> dict[str, StackVariable]:
    times = spec.times or NO_TIME
    if len(sample.bands) != len(times):
        raise UnsupportedSource(f"times: names {len(times)} times for the {len(sample.bands)} bands of the file")
    band = replace(sample.bands[0], title=None)
    variables = [variable for variable, _band in _wanted(spec, name, (band,))]
    if len(variables) != 1:
        raise UnsupportedSource("a file with a band a time holds one variable; name only one")
    planes = tuple(Plane(files.paths[0], each.number) for each in sample.bands)
    variable = _stack_variable(variables[0], band, sample, times=times, planes=planes)
    has_mask = band.has_mask and not any(each.is_alpha for each in sample.bands)
    return {variables[0].id: replace(variable, has_mask=has_mask)}


def _stack_variable(
    variable: VariableSpec, band: Band, sample: Sample, *, times: TimeDomain, planes: tuple[Plane, ...]
) -> StackVariable:
    encoding = configured(band.encoding, variable)
    is_scaled = (encoding.scale, encoding.offset) != (1.0, 0.0)
    is_categorical = bool(variable.has_classes) or (bool(band.classes) and not is_scaled)
    # Whole numbers of which nothing is said may be classes, whose means would be others.
    is_known = is_categorical or variable.has_classes is not None or is_scaled or encoding.dtype.startswith("float")
    levels = {Origin(number): grid for number, grid in enumerate(sample.levels)}
    if is_known:
        levels = with_made_levels(sample.levels, encoding, is_categorical=is_categorical)
    info = VariableInfo(
        name=variable.id,
        encoding=encoding,
        levels=tuple(levels.values()),
        made_levels=frozenset(number for number, origin in enumerate(levels) if origin.factor > 1),
        times=times,
        title=variable.title or band.title,
        is_categorical=is_categorical,
        classes=band.classes,
    )
    return StackVariable(
        info=info, planes=planes, layouts=sample.layouts, origins=tuple(levels), has_mask=band.has_mask
    )


def _wanted(spec: SourceSpec, name: str | None, bands: tuple[Band, ...]) -> list[tuple[VariableSpec, Band]]:
    """The variables that are to be read, each with its band."""
    if spec.variables:
        variables = [each for each in spec.variables.values() if name is None or (each.name or each.id) == name]
        return [(each, _band_of(each, bands, in_name=name is not None)) for each in variables]
    if name is not None:
        return [(VariableSpec(id=name), bands[0])]
    return [(VariableSpec(id=band.name), band) for band in bands if not band.is_alpha]


def _band_of(variable: VariableSpec, bands: tuple[Band, ...], *, in_name: bool) -> Band:
    """The band of a configured variable: by number, by name, or the only one."""
    if variable.band is not None:
        found = [band for band in bands if band.number == variable.band]
    else:
        found = [band for band in bands if band.name == (variable.name or variable.id)]
    if found:
        return found[0]
    if variable.band is None and (in_name or sum(not band.is_alpha for band in bands) == 1):
        return bands[0]
    names = ", ".join(f"{band.number} ({band.name})" for band in bands[:12])
    raise UnsupportedSource(f"no band for {variable.id}; say band: one of {names}")


def _time_in_tags(sample: Sample) -> TimeDomain:
    """The time that a single file's own metadata tells."""
    for tag in TIME_TAGS:
        span = time_of_text(sample.tags.get(tag, ""))
        if span is not None:
            return TimeDomain(np.array([span.start]), np.array([span.end]))
    return NO_TIME


def _mapped(read: Callable[[Run], Pixels], runs: list[Run]) -> list[Pixels]:
    """What is read of each run, in that order: of many files in a few threads, since inflating a block frees Python."""
    if len(runs) <= FILES_A_THREAD:
        return [read(run) for run in runs]
    spans = [runs[start : start + FILES_A_THREAD] for start in range(0, len(runs), FILES_A_THREAD)]
    with ThreadPoolExecutor(SERIES_THREADS) as threads:
        return [pixels for part in threads.map(lambda span: [read(run) for run in span], spans) for pixels in part]


def _by_file(planes: Iterator[Plane]) -> Iterator[Run]:
    """Runs of planes of one file, with their bands."""
    path, bands = "", list[int]()
    for plane in planes:
        if plane.path != path and bands:
            yield path, bands
            bands = []
        path = plane.path
        bands.append(plane.band)
    if bands:
        yield path, bands
