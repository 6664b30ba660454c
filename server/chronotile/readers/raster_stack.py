"""Raster files, one a date or one band a date, read as one source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rasterio.windows import Window as RasterioWindow

from chronotile.errors import UnsupportedSource
from chronotile.model.grid import Window
from chronotile.model.raster import Numbers, Pixels
from chronotile.model.source import Finding, SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.model.time import NO_TIME, TimeDomain
from chronotile.readers.dates import time_of_text
from chronotile.readers.encoding import as_meant, configured
from chronotile.readers.foreign import reading, unavailable
from chronotile.readers.hrefs import base_name
from chronotile.readers.raster_bands import Band
from chronotile.readers.raster_files import DatedFiles, date_files, find_files
from chronotile.readers.raster_pool import NATIVE_LEVEL, Handle, Layout, file_state, shared_pool
from chronotile.readers.raster_survey import Sample, survey
from chronotile.readers.reader import Reader

STRIP_VALUES = 4 << 20
"""Values held at once while a window is thinned."""

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
    """One a level, as every file must have it."""
    has_mask: bool


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
        plane = source.planes[index]
        with reading(self._collection, variable), self._pool.lend(plane.path, level + NATIVE_LEVEL) as handle:
            self._require_layout(handle, variable, level)
            numbers = _thinned(handle.dataset.read, plane.band, window, step=step)
            valid = _thinned(handle.dataset.read_masks, plane.band, window, step=step) > 0 if source.has_mask else None
        return Pixels(as_meant(numbers, source.info.encoding.dtype), valid)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; a run of times in one file is one read."""
        source = self._variables[variable]
        cell = RasterioWindow(column, row, 1, 1)
        parts = []
        for path, bands in _by_file(source.planes[index] for index in indexes):
            with reading(self._collection, variable), self._pool.lend(path) as handle:
                self._require_layout(handle, variable, 0)
                numbers = handle.dataset.read(bands, window=cell)[:, 0, 0]
                valid = handle.dataset.read_masks(bands, window=cell)[:, 0, 0] > 0 if source.has_mask else None
            parts.append((numbers, valid))
        if not parts:
            return Pixels(np.empty(0, dtype=source.info.encoding.dtype))
        joined = np.concatenate([numbers for numbers, _valid in parts])
        valids = [valid for _numbers, valid in parts if valid is not None]
        return Pixels(as_meant(joined, source.info.encoding.dtype), np.concatenate(valids) if valids else None)

    def close(self) -> None:
        """Close the files that nobody reads."""
        self._pool.close({plane.path for variable in self._variables.values() for plane in variable.planes})

    def _require_layout(self, handle: Handle, variable: str, level: int) -> None:
        expected = self._variables[variable].layouts[level]
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
        variable.id: StackVariable(
            info=_variable_info(variable, band, sample, times),
            planes=tuple(Plane(path, band.number) for path in files.paths),
            layouts=sample.layouts,
            has_mask=band.has_mask,
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
    return {
        variables[0].id: StackVariable(
            info=_variable_info(variables[0], band, sample, times),
            planes=tuple(Plane(files.paths[0], each.number) for each in sample.bands),
            layouts=sample.layouts,
            has_mask=band.has_mask and not any(each.is_alpha for each in sample.bands),
        )
    }


def _variable_info(variable: VariableSpec, band: Band, sample: Sample, times: TimeDomain) -> VariableInfo:
    encoding = configured(band.encoding, variable)
    return VariableInfo(
        name=variable.id,
        encoding=encoding,
        levels=sample.levels,
        times=times,
        title=variable.title or band.title,
        is_categorical=bool(band.classes) and (encoding.scale, encoding.offset) == (1.0, 0.0),
        classes=band.classes,
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


def _by_file(planes: Iterator[Plane]) -> Iterator[tuple[str, list[int]]]:
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


def _thinned(read: Callable[..., Numbers], band: int, window: Window, *, step: int) -> Numbers:
    """Every `step`-th row and column, exactly (GDAL's own thinning takes others); no strip is kept whole."""
    if step == 1:
        return read(band, window=_rasterio_window(window))
    rows = max(1, STRIP_VALUES // window.width // step) * step
    strips = [read(band, window=_rasterio_window(strip))[::step, ::step].copy() for strip in _strips(window, rows)]
    return np.concatenate(strips)


def _strips(window: Window, rows: int) -> Iterator[Window]:
    for start in range(window.row_start, window.row_stop, rows):
        yield window._replace(row_start=start, row_stop=min(start + rows, window.row_stop))


def _rasterio_window(window: Window) -> RasterioWindow:
    return RasterioWindow(window.column_start, window.row_start, window.width, window.height)
