"""Raster files, one per date or one band per date, read as one source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import attrgetter

import numpy as np

from chronotile.core.errors import ChronotileError, SourceUnavailable, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.read_cost import ReadCost
from chronotile.readers.file_states import FileState, file_state
from chronotile.readers.hrefs import is_any_there, names_among
from chronotile.readers.library_errors import BeingWritten, opening, reading_dates, unavailable
from chronotile.readers.overview_summaries import means_fault
from chronotile.readers.pixel_arrays import concatenate_pixels, stack_pixels
from chronotile.readers.raster.band_decoding import BandDecoding
from chronotile.readers.raster.bands import FileBands
from chronotile.readers.raster.handle import NATIVE_LEVEL, RasterHandle
from chronotile.readers.raster.overview_facts import UnlikeOverview, overview_fault
from chronotile.readers.raster.overviews.implied import LevelOrigin, cells_below, make_pixels
from chronotile.readers.raster.overviews.previews import MIN_FACTOR
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.raster.survey import FileSurvey, skipped_overviews
from chronotile.readers.raster.thinning import read_pixels, strips_of, thin
from chronotile.readers.raster.variable import StackPlane, StackVariable
from chronotile.readers.reader import PLAIN_BLOCK, Along, BlockShape, Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.requests import one_read

SERIES_THREADS = 4
"""Threads of one series that reads many files."""

FILES_A_THREAD = 16
"""Files that one thread reads sequentially; for fewer, a second thread costs more than it saves."""

MAX_OVERVIEW_FILES = 500
"""Files of a variable whose overviews `check` compares (about 5 ms each), spread over all files."""
MAX_IDLE_LEVELS = 8
"""Levels of files that stay open during the check; thousands of planes may be bands of one file."""

PlaneRun = list[StackPlane]
"""Consecutive planes of one file."""


FILE_S = 2.5e-3
"""Processor time of opening a local file."""
GDAL_BLOCK_S = 150e-6
GDAL_VALUE_S = 10e-9
"""Processor time of decoding a block, and of each number in it."""


class RasterStack(Reader):
    """Reader of a stack of raster files on one grid, whose times are files or bands of files."""

    def __init__(
        self,
        collection: str,
        variables: Mapping[str, StackVariable],
        findings: tuple[Finding, ...],
        surveys: Mapping[str, FileSurvey],
        *,
        caches: ReaderCaches | None = None,
    ) -> None:
        self._collection = collection
        self._variables = dict(variables)
        self._caches = caches or ReaderCaches()
        self._pool = self._caches.files
        self._info = SourceInfo(
            variables={name: v.info for name, v in variables.items()}, findings=findings, is_of_files=True
        )
        self._bands: dict[str, tuple[FileState | None, FileBands]] = {
            path: (o.state, o.bands) for path, o in surveys.items()
        }
        # From the opening of the source: blocks of the current file may have another shape. Chunks of the layer's Zarr
        # store have this shape, so it must be the same in all processes.
        self._blocks = {
            name: next((surveys[plane.path].block for plane in v.planes if plane.path in surveys), PLAIN_BLOCK)
            for name, v in variables.items()
        }

    def revision(self, variable: str, index: int) -> str:
        """Return the fingerprint of the file of that time."""
        path = self._variables[variable].planes[index].path
        with self._reading(variable, path):
            return file_state(path).text

    def file_of(self, variable: str, index: int) -> str:
        """Return the file of that time."""
        return self._variables[variable].planes[index].path

    revision_key = raster_file = file_of

    def file_encodings(self, variable: str) -> frozenset[Encoding]:
        """Return the encodings in the metadata of the inspected files, without configured values."""
        source = self._variables[variable]
        encodings = set()
        for plane in source.planes:
            _state, bands = self._bands.get(plane.path, (None, None))
            if bands is not None:
                encodings.add(bands.bands[source.decodings.decoding_of(bands, plane.band).band - 1].encoding)
        return frozenset(encodings)

    def unlike_files(self) -> Iterator[Finding]:
        """Yield files that were not inspected yet and cannot be decoded, and skipped overviews.

        Opens all files, and overviews of at most `MAX_OVERVIEW_FILES` per variable.
        """
        done, pool = set(self._bands), HandlePool(max_idle=MAX_IDLE_LEVELS)
        for name, source in self._variables.items():
            names = names_among([plane.path for plane in source.planes])
            for plane, place in zip(source.planes, names, strict=True):
                bands = None if plane.path in done else _bands_of(plane.path)
                try:
                    if bands is not None:
                        source.decodings.decoding_of(bands, plane.band)
                except UnsupportedSource as error:
                    yield Finding("error", place, f"{name} is not served of it: {error.message}")
            every = max(1, len(names) // MAX_OVERVIEW_FILES)
            for plane, place in list(zip(source.planes, names, strict=True))[::every]:
                yield from skipped_overviews(place, self._overview_faults(name, plane, pool))

    def _overview_faults(self, variable: str, plane: StackPlane, pool: HandlePool) -> Mapping[int, str]:
        """Return why overviews of a file that most files have are not read, by their level."""
        faults = {}
        for stored in self._variables[variable].layouts:
            with suppress(OSError, ChronotileError):  # `damage_findings` reports damaged overviews
                try:
                    with pool.lend(plane.path, stored + NATIVE_LEVEL) as handle:
                        self._decoding(handle, variable, plane, stored)
                except UnlikeOverview as error:
                    faults[stored] = str(error)
        return faults

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        source = self._variables[variable]
        plane, origin = source.planes[index], source.origins[level]
        with self._reading(variable, plane.path):
            if origin.factor == 1:
                return self._read_stored(variable, plane, origin.stored, window, step=step)
            try:
                return self._read_made(variable, plane, origin, window, step=step)
            except BeingWritten:
                return self._read_made(variable, plane, origin, window, step=step)
            except UnlikeOverview as error:
                return self._read_native(variable, plane, origin, window, step=step, error=error)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; consecutive times in one file are one read."""
        source = self._variables[variable]
        cell = Window.from_cell(row, column)
        runs = list(_group_by_file(source.planes[index] for index in indexes))
        if not runs:
            return Pixels(np.empty(0, dtype=source.info.encoding.dtype))
        return concatenate_pixels(_read_runs(lambda run: self._cells_of_file(variable, run, cell=cell), runs))

    def block_shape(self, variable: str, along: Along) -> BlockShape:  # noqa: ARG002 -- there is one layout
        """Return the shape of the blocks of the first inspected file, when the stack was opened."""
        return self._blocks[variable]

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:  # noqa: ARG002 -- equal for all windows
        """Return the cost of opening the files of these times, and of decoding blocks with GDAL."""
        planes = self._variables[variable].planes
        files = len({planes[index].path for index in indexes})
        return ReadCost(opening_s=files * FILE_S, block_s=GDAL_BLOCK_S, value_s=GDAL_VALUE_S)

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:  # noqa: ARG002 -- there is one layout
        """Return (time, y, x) pixels of a window; consecutive times in one file are one read."""
        source = self._variables[variable]
        runs = _group_by_file(source.planes[index] for index in indexes)
        return concatenate_pixels([self._bands_of_file(variable, run, window=window) for run in runs])

    def _bands_of_file(self, variable: str, run: Sequence[StackPlane], *, window: Window) -> Pixels:
        """Return (band, y, x) pixels of a window."""

        def read(handle: RasterHandle) -> Pixels:
            decodings = [self._decoding(handle, variable, plane, 0) for plane in run]
            if len(decodings) == 1 or all(decoding.is_like(decodings[0]) for decoding in decodings):
                bands = [decoding.band for decoding in decodings]
                valid = handle.read_bands(bands, window, is_mask=True) > 0 if decodings[0].has_mask else None
                return decodings[0].decode(Pixels(handle.read_bands(bands, window), valid))
            return stack_pixels([decoding.decode(_read(handle, decoding, window)) for decoding in decodings])

        with self._reading(variable, run[0].path):
            return self._pool.read(run[0].path, read)

    def _cells_of_file(self, variable: str, run: Sequence[StackPlane], *, cell: Window) -> Pixels:
        # (band,) pixels of one cell.
        pixels = self._bands_of_file(variable, run, window=cell)
        return Pixels(pixels.numbers[:, 0, 0], None if pixels.valid is None else pixels.valid[:, 0, 0])

    def close(self) -> None:
        """Close the idle files."""
        self._pool.close({plane.path for variable in self._variables.values() for plane in variable.planes})

    @contextmanager
    def _reading(self, variable: str, path: str) -> Iterator[None]:
        """Add the variable to errors of one file; while a file of the variable exists, only its dates fail."""
        planes = self._variables[variable].planes

        def is_there() -> bool:
            return is_any_there([path, *(plane.path for plane in planes)])

        with reading_dates(self._collection, variable, is_source_reachable=is_there), one_read():
            yield

    def _read_stored(self, variable: str, plane: StackPlane, stored: int, window: Window, *, step: int) -> Pixels:
        def read(handle: RasterHandle) -> Pixels:
            decoding = self._decoding(handle, variable, plane, stored)
            return decoding.decode(_read(handle, decoding, window, step=step))

        try:
            return self._pool.read(plane.path, read, level=stored + NATIVE_LEVEL)
        except (OSError, SourceUnavailable) as error:
            if stored == 0:
                raise
            return self._read_native(variable, plane, LevelOrigin(stored), window, step=step, error=error)

    def _read_native(
        self, variable: str, plane: StackPlane, origin: LevelOrigin, window: Window, *, step: int, error: Exception
    ) -> Pixels:
        """Return native cells instead of an overview that the file lacks, or that contradicts its native level.

        Raises:
            Exception: `error`, if the file has the overview and it was not refused.
        """
        native, at = self._variables[variable].layouts[0], slice(origin.stored - 1, origin.stored)
        factors = native.overviews[at]

        def read(handle: RasterHandle) -> Pixels:
            has_overview = tuple(handle.dataset.overviews(1)[at]) == factors
            if not factors or (has_overview and not isinstance(error, UnlikeOverview)):
                raise error
            decoding = self._decoding(handle, variable, plane, 0)
            factor = factors[0] * origin.factor
            under = cells_below(window, factor, height=native.height, width=native.width)
            return decoding.decode(_read(handle, decoding, under, step=step * factor))

        return self._pool.read(plane.path, read)

    def _read_made(self, variable: str, plane: StackPlane, origin: LevelOrigin, window: Window, *, step: int) -> Pixels:
        """Return cells of a made level, from a preview or made now.

        Raises:
            BeingWritten: The file was written during the read.
        """
        source, state = self._variables[variable], file_state(plane.path)
        decoding = self._decoding_of(variable, plane, self._bands_in(plane.path, state))
        pixels = None
        if origin.stored:
            with self._pool.lend(plane.path, origin.stored + NATIVE_LEVEL) as handle:
                self._decoding(handle, variable, plane, origin.stored)
        previews = self._caches.previews
        if previews is not None and origin.factor >= MIN_FACTOR:
            preview = source.preview(plane.path, decoding, origin)
            pixels = previews.read(preview, origin.factor, window, step=step, files=self._pool)
        if pixels is None:
            pixels = self._make(variable, plane, origin, window, step=step, decoding=decoding)
        if file_state(plane.path) != state:
            raise BeingWritten("the file is being written")
        return decoding.recode(pixels)

    def _make(
        self,
        variable: str,
        plane: StackPlane,
        origin: LevelOrigin,
        window: Window,
        *,
        step: int,
        decoding: BandDecoding,
    ) -> Pixels:
        """Return cells of a made level in the encoding of the file, from all stored cells that they cover."""
        layout = self._variables[variable].layouts[origin.stored]
        with self._pool.lend(plane.path, origin.stored + NATIVE_LEVEL) as handle:
            block_width = handle.dataset.block_shapes[decoding.band - 1][1]

        def read(region: Window) -> Pixels:
            with self._pool.lend(plane.path, origin.stored + NATIVE_LEVEL) as handle:
                if self._decoding(handle, variable, plane, origin.stored) is not decoding:
                    raise BeingWritten("the file is being written")
                return decoding.cast(_read(handle, decoding, region))

        parts = []
        for strip in [window] if step == 1 else strips_of(window, step):
            made = make_pixels(
                read,
                cells_below(strip, origin.factor, height=layout.height, width=layout.width),
                (origin.factor,),
                decoding.counting,
                block_width=block_width,
            )
            parts.append(thin(made[origin.factor], step))
        return concatenate_pixels(parts)

    def _decoding(self, handle: RasterHandle, variable: str, plane: StackPlane, stored: int) -> BandDecoding:
        """Return the decoding of the open file.

        Raises:
            SourceUnavailable: The file was replaced and no longer fits the stack.
            UnlikeOverview: The file is opened at an overview that contradicts its native level.
        """
        source = self._variables[variable]
        expected = source.layouts[stored]
        if handle.layout is not expected:
            if not handle.layout.matches(expected):
                raise unavailable(self._collection, variable, "have another grid than when they were opened")
            handle.layout = expected  # the same object, so that the next read with this handle compares faster
        if handle.bands is None:
            handle.bands = self._bands_in(plane.path, handle.state)
        decoding = self._decoding_of(variable, plane, handle.bands)
        facts = handle.overview
        if facts is not None:
            nodata, is_categorical = facts.stated.nodata[decoding.band - 1], source.info.is_categorical
            reason = overview_fault(handle.bands, facts) or means_fault(
                facts.resampling, nodata, decoding.encoding, is_categorical=is_categorical
            )
            if reason is not None:
                raise UnlikeOverview(reason)
        return decoding

    def _decoding_of(self, variable: str, plane: StackPlane, bands: FileBands) -> BandDecoding:
        try:
            return self._variables[variable].decodings.decoding_of(bands, plane.band)
        except UnsupportedSource as error:
            fault = unavailable(self._collection, variable, "are not stored as those of other times")
            raise fault from OSError(f"{plane.path}: {error.message}")  # the cause, for the log line of the date

    def _bands_in(self, path: str, state: FileState) -> FileBands:
        """Return the bands of a version of a file, which overviews do not state: the native level is opened once.

        Raises:
            BeingWritten: The file has another version now.
        """
        known_state, bands = self._bands.get(path, (None, None))
        if bands is not None and known_state == state:
            return bands
        with self._pool.lend(path) as native:
            if native.bands is None or native.state != state:
                raise BeingWritten("the file is being written")
            self._bands[path] = state, native.bands
            return native.bands


def _bands_of(path: str) -> FileBands | None:
    """Return the bands of a file; `None` if it cannot be opened, which `damage_findings` reports."""
    try:
        with opening("it"), HandlePool(max_idle=0).lend(path) as handle:
            return handle.bands
    except UnsupportedSource:
        return None


def _read(handle: RasterHandle, decoding: BandDecoding, window: Window, *, step: int = 1) -> Pixels:
    # (y, x) pixels in the encoding of the file.
    return read_pixels(handle, decoding.band, window, has_mask=decoding.has_mask, step=step)


def _read_runs(read: Callable[[PlaneRun], Pixels], runs: list[PlaneRun]) -> list[Pixels]:
    """Return the pixels of each run, in order. Many files are read in threads, because inflating releases the GIL."""
    if len(runs) <= FILES_A_THREAD:
        return [read(run) for run in runs]
    spans = [runs[start : start + FILES_A_THREAD] for start in range(0, len(runs), FILES_A_THREAD)]
    with ThreadPoolExecutor(SERIES_THREADS) as threads:
        return [pixels for part in threads.map(lambda span: [read(run) for run in span], spans) for pixels in part]


def _group_by_file(planes: Iterator[StackPlane]) -> Iterator[PlaneRun]:
    # Consecutive planes of one file.
    return (list(run) for _path, run in groupby(planes, key=attrgetter("path")))
