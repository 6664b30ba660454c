"""Raster files, one per date or one band per date, read as one source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import attrgetter

import numpy as np

from chronotile.core.errors import ChronotileError, SourceUnavailable, UnsupportedSource
from chronotile.core.model.collection import Finding, SourceInfo
from chronotile.core.model.grid import Window
from chronotile.core.model.raster import Encoding, Pixels
from chronotile.core.read_cost import ReadCost
from chronotile.readers.hrefs import FileState, file_state, is_any_there, names_among
from chronotile.readers.library_errors import BeingWritten, opening, unavailable
from chronotile.readers.overviews import means_fault
from chronotile.readers.raster.band_decoding import BandDecoding, FileBands
from chronotile.readers.raster.overview_facts import UnlikeOverview, overview_fault
from chronotile.readers.raster.overviews.implied import Origin, cells_below, make_pixels
from chronotile.readers.raster.overviews.previews import LEAST_FACTOR
from chronotile.readers.raster.pool import NATIVE_LEVEL, Handle, HandlePool, every, read_pixels, strips_of
from chronotile.readers.raster.survey import FileSurvey, skipped_overviews
from chronotile.readers.raster.variable import Plane, StackVariable
from chronotile.readers.reader import (
    PLAIN_BLOCK,
    Along,
    BlockShape,
    Reader,
    concatenate_pixels,
    reading_dates,
    stack_pixels,
)
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.requests import one_read

SERIES_THREADS = 4
"""Of one series that takes many files."""

FILES_A_THREAD = 16
"""Read one after the other; for fewer a second thread costs more than it brings."""

MAX_OVERVIEW_FILES = 500
"""Files of a variable whose overviews are compared for `check` (about 5 ms each); of more, some spread over all."""
MAX_IDLE_LEVELS = 8
"""Levels of files that stay open meanwhile, as thousands of planes may be bands of one file."""

Run = list[Plane]
"""Some planes of one file."""


FILE_S = 2.5e-3
"""Processor time of opening a file of this machine."""
GDAL_BLOCK_S = 150e-6
GDAL_VALUE_S = 10e-9
"""Of decoding a block, and each number in it."""


class RasterStack(Reader):
    """Reads a stack of raster files."""

    def __init__(
        self,
        collection: str,
        variables: Mapping[str, StackVariable],
        findings: tuple[Finding, ...],
        looked: Mapping[str, FileSurvey],
        *,
        caches: ReaderCaches | None = None,
    ) -> None:
        self._collection = collection
        self._variables = dict(variables)
        self._caches = caches or ReaderCaches()
        self._pool = self._caches.files
        self._info = SourceInfo(
            variables={name: each.info for name, each in variables.items()}, findings=findings, is_of_files=True
        )
        self._bands: dict[str, tuple[FileState | None, FileBands]] = {
            path: (each.state, each.bands) for path, each in looked.items()
        }
        # Not those of a file as it is now: which one can be read may differ from process to process, and stores of
        # layers have chunks of this shape.
        self._blocks = {
            name: next((looked[plane.path].block for plane in each.planes if plane.path in looked), PLAIN_BLOCK)
            for name, each in variables.items()
        }

    def revision(self, variable: str, index: int) -> str:
        """Return the fingerprint of the file of that time."""
        path = self._variables[variable].planes[index].path
        with self._reading(variable, path):
            return file_state(path).text

    def revision_key(self, variable: str, index: int) -> str:
        """Return the file of that time."""
        return self._variables[variable].planes[index].path

    def file_of(self, variable: str, index: int) -> str:
        """Return the file of that time."""
        return self._variables[variable].planes[index].path

    raster_file = file_of

    def file_encodings(self, variable: str) -> frozenset[Encoding]:
        """Return the encodings that the files themselves tell, of those looked at; whatever the configuration says."""
        source = self._variables[variable]
        found = set()
        for plane in source.planes:
            _state, bands = self._bands.get(plane.path, (None, None))
            if bands is not None:
                found.add(bands.bands[source.decodings.of(bands, plane.band).band - 1].encoding)
        return frozenset(found)

    def unlike_files(self) -> Iterator[Finding]:
        """Yield files that were not inspected and cannot be read as what they are, and skipped overviews of files.

        All are opened, and overviews of some of them.
        """
        done, pool = set(self._bands), HandlePool(max_idle=MAX_IDLE_LEVELS)
        for name, source in self._variables.items():
            names = names_among([plane.path for plane in source.planes])
            for plane, place in zip(source.planes, names, strict=True):
                bands = None if plane.path in done else _bands_of(plane.path)
                try:
                    if bands is not None:
                        source.decodings.of(bands, plane.band)
                except UnsupportedSource as error:
                    yield Finding("error", place, f"{name} is not served of it: {error.message}")
            every = max(1, len(names) // MAX_OVERVIEW_FILES)
            for plane, place in list(zip(source.planes, names, strict=True))[::every]:
                yield from skipped_overviews(place, self._overview_faults(name, plane, pool))

    def _overview_faults(self, variable: str, plane: Plane, pool: HandlePool) -> Mapping[int, str]:
        """Why overviews of a file are not read that most files have, by the number of the level."""
        faults = {}
        for stored in self._variables[variable].layouts:
            with suppress(OSError, ChronotileError):  # which is reported elsewhere
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
                return self._thinned(variable, plane, origin, window, step=step, error=error)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; a run of times in one file is one read."""
        source = self._variables[variable]
        cell = Window.of_cell(row, column)
        runs = list(_by_file(source.planes[index] for index in indexes))
        if not runs:
            return Pixels(np.empty(0, dtype=source.info.encoding.dtype))
        return concatenate_pixels(_mapped(lambda run: self._cells_of_file(variable, run, cell=cell), runs))

    def block_shape(self, variable: str, along: Along) -> BlockShape:  # noqa: ARG002 -- there is one layout
        """Return the shape of the blocks of the first file that was looked at, as it was then."""
        return self._blocks[variable]

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:  # noqa: ARG002 -- of all windows alike
        """Return the cost of opening the files of some times, and of GDAL's decoding."""
        planes = self._variables[variable].planes
        files = len({planes[index].path for index in indexes})
        return ReadCost(opening_s=files * FILE_S, block_s=GDAL_BLOCK_S, value_s=GDAL_VALUE_S)

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:  # noqa: ARG002 -- there is one layout
        """Return (time, y, x) pixels of a window; a run of times in one file is one read."""
        source = self._variables[variable]
        runs = _by_file(source.planes[index] for index in indexes)
        return concatenate_pixels([self._bands_of_file(variable, run, window=window) for run in runs])

    def _bands_of_file(self, variable: str, run: Sequence[Plane], *, window: Window) -> Pixels:
        """(band, y, x) pixels of a window."""

        def read(handle: Handle) -> Pixels:
            decodings = [self._decoding(handle, variable, plane, 0) for plane in run]
            if len(decodings) == 1 or all(decoding.is_like(decodings[0]) for decoding in decodings):
                bands = [decoding.band for decoding in decodings]
                valid = handle.read_bands(bands, window, is_mask=True) > 0 if decodings[0].has_mask else None
                return decodings[0].pixels(Pixels(handle.read_bands(bands, window), valid))
            return stack_pixels([decoding.pixels(_read(handle, decoding, window)) for decoding in decodings])

        with self._reading(variable, run[0].path):
            return self._pool.read(run[0].path, read)

    def _cells_of_file(self, variable: str, run: Sequence[Plane], *, cell: Window) -> Pixels:
        # (band,) pixels of one cell.
        pixels = self._bands_of_file(variable, run, window=cell)
        return Pixels(pixels.numbers[:, 0, 0], None if pixels.valid is None else pixels.valid[:, 0, 0])

    def close(self) -> None:
        """Close the files that nothing reads."""
        self._pool.close({plane.path for variable in self._variables.values() for plane in variable.planes})

    @contextmanager
    def _reading(self, variable: str, path: str) -> Iterator[None]:
        """Name the variable in what goes wrong with one file; while it or another is there, its dates alone failed."""
        planes = self._variables[variable].planes

        def is_there() -> bool:
            return is_any_there([path, *(plane.path for plane in planes)])

        with reading_dates(self._collection, variable, is_source_there=is_there), one_read():
            yield

    def _read_stored(self, variable: str, plane: Plane, stored: int, window: Window, *, step: int) -> Pixels:
        def read(handle: Handle) -> Pixels:
            decoding = self._decoding(handle, variable, plane, stored)
            return decoding.pixels(_read(handle, decoding, window, step=step))

        try:
            return self._pool.read(plane.path, read, level=stored + NATIVE_LEVEL)
        except (OSError, SourceUnavailable) as error:
            if stored == 0:
                raise
            return self._thinned(variable, plane, Origin(stored), window, step=step, error=error)

    def _thinned(
        self, variable: str, plane: Plane, origin: Origin, window: Window, *, step: int, error: Exception
    ) -> Pixels:
        """Native cells instead of those of an overview that this file lacks, or that contradicts its native level.

        Raises:
            Exception: The error, if the file has the overview.
        """
        native, at = self._variables[variable].layouts[0], slice(origin.stored - 1, origin.stored)
        factors = native.overviews[at]

        def read(handle: Handle) -> Pixels:
            has_overview = tuple(handle.dataset.overviews(1)[at]) == factors
            if not factors or (has_overview and not isinstance(error, UnlikeOverview)):
                raise error
            decoding = self._decoding(handle, variable, plane, 0)
            factor = factors[0] * origin.factor
            under = cells_below(window, factor, height=native.height, width=native.width)
            return decoding.pixels(_read(handle, decoding, under, step=step * factor))

        return self._pool.read(plane.path, read)

    def _read_made(self, variable: str, plane: Plane, origin: Origin, window: Window, *, step: int) -> Pixels:
        """Cells of a level that no file holds, from a preview or made now.

        Raises:
            BeingWritten: The file was written meanwhile.
        """
        source, state = self._variables[variable], file_state(plane.path)
        decoding = self._decoding_of(variable, plane, self._bands_in(plane.path, state))
        pixels = None
        if origin.stored:
            with self._pool.lend(plane.path, origin.stored + NATIVE_LEVEL) as handle:
                self._decoding(handle, variable, plane, origin.stored)
        previews = self._caches.previews
        if previews is not None and origin.factor >= LEAST_FACTOR:
            preview = source.preview(plane.path, decoding, origin)
            pixels = previews.read(preview, origin.factor, window, step=step, files=self._pool)
        if pixels is None:
            pixels = self._make(variable, plane, origin, window, step=step, decoding=decoding)
        if file_state(plane.path) != state:
            raise BeingWritten("the file is being written")
        return decoding.recoded(pixels)

    def _make(
        self, variable: str, plane: Plane, origin: Origin, window: Window, *, step: int, decoding: BandDecoding
    ) -> Pixels:
        """Cells of a level that no file holds, out of all the stored cells that they cover; the file's own numbers."""
        layout = self._variables[variable].layouts[origin.stored]
        with self._pool.lend(plane.path, origin.stored + NATIVE_LEVEL) as handle:
            block_width = handle.dataset.block_shapes[decoding.band - 1][1]

        def read(region: Window) -> Pixels:
            with self._pool.lend(plane.path, origin.stored + NATIVE_LEVEL) as handle:
                if self._decoding(handle, variable, plane, origin.stored) is not decoding:
                    raise BeingWritten("the file is being written")
                return decoding.meant(_read(handle, decoding, region))

        parts = []
        for strip in [window] if step == 1 else strips_of(window, step):
            made = make_pixels(
                read,
                cells_below(strip, origin.factor, height=layout.height, width=layout.width),
                (origin.factor,),
                decoding.counting,
                block_width=block_width,
            )
            parts.append(every(made[origin.factor], step))
        return concatenate_pixels(parts)

    def _decoding(self, handle: Handle, variable: str, plane: Plane, stored: int) -> BandDecoding:
        """How the file is read as it is now.

        Raises:
            SourceUnavailable: It is another than it was, and cannot be read as the others.
            UnlikeOverview: It is opened at an overview that does not state what its native level does.
        """
        source = self._variables[variable]
        expected = source.layouts[stored]
        if handle.layout is not expected:
            if not handle.layout.matches(expected):
                raise unavailable(self._collection, variable, "have another grid than when they were opened")
            handle.layout = expected  # the handle comes back for the next read, which need not compare again
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

    def _decoding_of(self, variable: str, plane: Plane, bands: FileBands) -> BandDecoding:
        try:
            return self._variables[variable].decodings.of(bands, plane.band)
        except UnsupportedSource as error:
            fault = unavailable(self._collection, variable, "are not stored as those of other times")
            raise fault from OSError(f"{plane.path}: {error.message}")  # for the log, which has a line per date

    def _bands_in(self, path: str, state: FileState) -> FileBands:
        """The bands of a file in that state, which its overviews do not state; it is opened once for each state.

        Raises:
            BeingWritten: It is in another state.
        """
        known, bands = self._bands.get(path, (None, None))
        if bands is not None and known == state:
            return bands
        with self._pool.lend(path) as native:
            if native.bands is None or native.state != state:
                raise BeingWritten("the file is being written")
            self._bands[path] = state, native.bands
            return native.bands


def _bands_of(path: str) -> FileBands | None:
    """What a file says of its bands; `None` of one that cannot be opened, which is reported elsewhere."""
    try:
        with opening("it"), HandlePool(max_idle=0).lend(path) as handle:
            return handle.bands
    except UnsupportedSource:
        return None


def _read(handle: Handle, decoding: BandDecoding, window: Window, *, step: int = 1) -> Pixels:
    # (y, x) pixels as stored in the file.
    return read_pixels(handle, decoding.band, window, has_mask=decoding.has_mask, step=step)


def _mapped(read: Callable[[Run], Pixels], runs: list[Run]) -> list[Pixels]:
    """What is read of each run, in that order: of many files in a few threads, since inflating a block frees Python."""
    if len(runs) <= FILES_A_THREAD:
        return [read(run) for run in runs]
    spans = [runs[start : start + FILES_A_THREAD] for start in range(0, len(runs), FILES_A_THREAD)]
    with ThreadPoolExecutor(SERIES_THREADS) as threads:
        return [pixels for part in threads.map(lambda span: [read(run) for run in span], spans) for pixels in part]


def _by_file(planes: Iterator[Plane]) -> Iterator[Run]:
    # Runs of planes of one file.
    return (list(run) for _path, run in groupby(planes, key=attrgetter("path")))
