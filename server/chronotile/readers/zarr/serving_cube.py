"""Serving cubes (docs/design/serving-cube.md): maps from one layout, series from the other, always from a single state.

Every call checks the root's document (one `stat`); a changed document means a new state, which is then loaded. Visible
data are never overwritten before a new document is written. Therefore pixels belong to one state if the document is the
same before and after reading them.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from chronotile.core.errors import ChronotileError, UnsupportedSource
from chronotile.core.model.raster import Pixels, reinterpret_numbers
from chronotile.core.model.source import SourceInfo, SourceSpec, VariableInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import BoolArray, Int64Array, NumberArray, UInt64Array
from chronotile.readers.cf.dataset import CfVariable, understand
from chronotile.readers.cf.fields import about
from chronotile.readers.file_states import FileState, fingerprint_of
from chronotile.readers.hrefs import base_name, local_path, tensorstore_path
from chronotile.readers.library_errors import BeingWritten, one_line, opening, reading, reading_dates
from chronotile.readers.reader import Along, BlockShape, Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.arrays import Gone
from chronotile.readers.zarr.commit import OVERLAY, SERIES, SOURCES, Commit, commit_of
from chronotile.readers.zarr.metadata import GroupNode, group_of_document
from chronotile.readers.zarr.stores import PlainStore, fields_of, load_all

Cells = int | slice | Int64Array
"""Rows or columns; for single cells, arrays of equal length."""


class StoredArray:
    """An array that is opened at its first read."""

    def __init__(self, folder: Path, caches: ReaderCaches) -> None:
        self._folder, self._caches = folder, caches

    @cached_property
    def _array(self) -> Any:  # noqa: ANN401 -- tensorstore's stubs lack it
        spec = {
            "driver": "zarr3",
            "kvstore": {"driver": "file", "path": f"{tensorstore_path(self._folder)}/"},
            "recheck_cached_data": "open",
            "recheck_cached_metadata": "open",
            "fill_missing_data_reads": False,
        }
        return ts.open(spec, open=True, read=True, context=self._caches.chunks).result()

    def window(self, position: int, rows: slice, columns: slice) -> NumberArray:
        """Return (y, x) numbers."""
        numbers: NumberArray = self._array[position, rows, columns].read().result()
        return numbers

    @property
    def block_shape(self) -> BlockShape:
        """Shape of a decoded unit."""
        return BlockShape(*self._array.chunk_layout.read_chunk.shape)

    def read(self, positions: Int64Array, rows: Cells, columns: Cells) -> NumberArray:
        """Return (time, …) numbers of cells; reads the whole run of times if at least half of it is requested."""
        first, last = int(positions.min()), int(positions.max())
        if last - first >= 2 * positions.size:
            some: NumberArray = self._array[positions.tolist()][:, rows, columns].read().result()
            return some
        run: NumberArray = self._array[first : last + 1, rows, columns].read().result()
        is_whole = last - first + 1 == positions.size and (np.diff(positions) == 1).all()
        return run if is_whole else run[positions - first]


@dataclass(frozen=True, slots=True)
class StoredVariable:
    """The arrays of a variable in the cube or in its overlay."""

    levels: tuple[StoredArray, ...]
    series: StoredArray | None

    @property
    def cells(self) -> StoredArray:
        """The array for reading cells along time."""
        return self.levels[0] if self.series is None else self.series

    def along(self, along: Along) -> StoredArray:
        """Return the array of native cells in the requested layout, or in the only existing one."""
        return self.cells if along == "time" else self.level(0)

    def level(self, number: int) -> StoredArray:
        """Return the array of a level; a cube without maps has only its series."""
        return self.levels[number] if self.levels else self.cells


log = logging.getLogger(__name__)

DOCUMENT = "zarr.json"

ATTEMPTS = 10
"""Number of times a read is repeated because the state changed during it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeState:
    """The part of a cube that is visible in one commit."""

    identity: FileState
    """Fingerprint of the document."""
    commit: Commit
    info: SourceInfo
    positions: Int64Array
    """(time,) position along the stored time dimension."""
    stored: Mapping[str, StoredVariable]
    overlay: Mapping[str, StoredVariable]

    def window(self, variable: str, index: int, level: int, window: tuple[slice, slice]) -> NumberArray:
        """Return (y, x) numbers of one time."""
        position = int(self.positions[index])
        arrays = self.overlay if position in self.commit.overlay else self.stored
        return arrays[variable].level(level).window(position, *window)

    def cells(self, variable: str, indexes: Sequence[int], cells: tuple[Cells, Cells], along: Along) -> NumberArray:
        """Return (time, …) numbers of native cells by rows and columns, from the cube's arrays or the overlay."""
        positions = self.positions[np.asarray(indexes, dtype=np.int64)]
        in_series = self.commit.has_series and (along == "time" or not self.commit.has_map)
        moved = self._are_in_overlay(positions, in_series=in_series)
        if not moved.any():
            return self.stored[variable].along(along).read(positions, *cells)
        if moved.all():
            return self.overlay[variable].along(along).read(positions, *cells)
        from_cube = self.stored[variable].along(along).read(positions[~moved], *cells)
        numbers = np.empty((positions.size, *from_cube.shape[1:]), dtype=from_cube.dtype)
        numbers[~moved], numbers[moved] = from_cube, self.overlay[variable].along(along).read(positions[moved], *cells)
        return numbers

    def _are_in_overlay(self, positions: Int64Array, *, in_series: bool) -> BoolArray:
        """Return which positions are read from the overlay; for series these are whole blocks."""
        if not self.commit.overlay:
            return np.zeros(positions.shape, dtype=bool)
        if in_series:
            return np.isin(positions // self.commit.block, list(self.commit.overlay_blocks))
        return np.isin(positions, self.commit.overlay)


class ServingCube(Reader):
    """Reader of a serving cube that may grow.

    Dates newer than all others join `info` when they are committed, and replaced pixels are read immediately. A late
    date would change the meaning of later indexes, so it joins when the cube is reopened.
    """

    def __init__(self, spec: SourceSpec, folder: Path, caches: ReaderCaches) -> None:
        self._caches, self._spec, self._folder = caches, spec, folder
        self._document = str(folder / DOCUMENT)
        self._lock = threading.Lock()
        self._told: dict[str, FileState] = {}
        """Version of the cube when damaged series were last logged, by variable."""
        self._state = self._load(None)

    @property
    def info(self) -> SourceInfo:
        """The content of the cube; its last known content if it was deleted."""
        try:
            return self._current().info
        except (OSError, ChronotileError):
            return self._state.info

    def revision(self, variable: str, index: int) -> str:
        """Return a text that identifies the cube, the date and its last replacement."""
        with reading(self._spec.collection, variable):
            state = self._current()
        position = int(state.positions[index])
        return f"{state.commit.id[:12]}-{position}-{state.commit.changed.get(position, 0)}"

    def revision_of_times(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> str:  # noqa: ARG002 -- windows have no states
        """Return a text that identifies the cube, the dates and their last replacements."""
        with reading(self._spec.collection, variable):
            state = self._current()
        positions = state.positions[np.asarray(indexes, dtype=np.int64)]
        changed = state.commit.changed
        replaced = [(position, changed[position]) for position in positions.tolist() if position in changed]
        return f"{state.commit.id[:12]}-{positions.tobytes().hex()}-{replaced}"

    def source_states(self, array: str) -> UInt64Array:
        """Return (time,) numbers that identify the states of the sources of an array's dates.

        Raises:
            SourceUnavailable: The cube was deleted.
        """
        with reading(self._spec.collection, SERIES):
            state = self._current()
            node = _root(self._document)[0].groups[SOURCES].arrays["state"]
            states: UInt64Array = load_all(PlainStore(self._spec.href), node)
            source_states: UInt64Array = states[state.positions, node.attrs["variables"].index(array)]
            return source_states

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        part = (slice(window.row_start, window.row_stop, step), slice(window.column_start, window.column_stop, step))
        return self._read(variable, lambda state, _along: state.window(variable, index, level, part), along="space")

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        if not indexes:
            return Pixels(np.empty(0, dtype=self._state.info.variables[variable].encoding.dtype))
        return self._read(variable, lambda state, x: state.cells(variable, indexes, (row, column), x))

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of blocks of a layout."""
        with reading(self._spec.collection, variable):
            return self._current().stored[variable].along(along).block_shape

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid."""
        part = (slice(window.row_start, window.row_stop), slice(window.column_start, window.column_stop))
        return self._read(variable, lambda state, x: state.cells(variable, indexes, part, x), along=along)

    def has_fast_cells(self, variable: str) -> bool:  # noqa: ARG002 -- all have the same layouts
        """Return whether the cube has a layout of series."""
        return self._state.commit.has_series

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of native cells, from the layout for series, whose chunks have many times."""
        return self._read(variable, lambda state, x: state.cells(variable, indexes, (rows, columns), x))

    def _read(self, variable: str, read: Callable[[CubeState, Along], NumberArray], *, along: Along = "time") -> Pixels:
        """Return pixels of a single state; series fall back to the maps if they are damaged and both layouts exist."""
        with reading_dates(self._spec.collection, variable, is_source_reachable=self._is_there):
            for _ in range(ATTEMPTS):
                state = self._current()
                try:
                    numbers = read(state, along)
                except (OSError, ValueError) as error:
                    if self._current() is not state:
                        continue
                    if along == "space" or not (state.commit.has_map and state.commit.has_series):
                        raise
                    self._tell_damaged_series(variable, state, error)
                    along = "space"
                    continue
                if self._current() is state:
                    return Pixels(reinterpret_numbers(numbers, state.info.variables[variable].encoding.dtype))
            raise BeingWritten("its state changed whenever it was read")

    def _tell_damaged_series(self, variable: str, state: CubeState, error: Exception) -> None:
        """Log once per state that series are read from the maps, which takes longer."""
        if self._told.get(variable) != state.identity:
            self._told[variable] = state.identity
            log.warning(
                "series of %s in %s are damaged and read from its maps: %s", variable, self._folder, one_line(error)
            )

    def _is_there(self) -> bool:
        """Return whether the document exists and is complete; pixels may still be damaged."""
        try:
            self._current()
        except (OSError, ChronotileError):
            return False
        return True

    def _current(self) -> CubeState:
        """Return the state of the current document."""
        status = os.stat(self._document)  # noqa: PTH116 -- the path is text, since building one takes longer
        if fingerprint_of(status) == self._state.identity:
            return self._state
        with self._lock:
            if fingerprint_of(status) != self._state.identity:
                try:
                    self._state = self._load(self._state)
                except Exception as error:  # truncated or edited metadata raise many kinds of errors
                    raise Gone("its metadata cannot be read") from error
            return self._state

    def _load(self, before: CubeState | None) -> CubeState:
        root, identity = _root(self._document)
        commit = commit_of(root.attrs)
        if commit is None:
            raise UnsupportedSource("it is not a serving cube any more")
        group = root.at(commit.path_of(commit.groups[0]))
        content = understand(fields_of(group, root, PlainStore(self._spec.href)), self._spec)
        times, positions = _in_order(next(iter(content.variables.values())), before)
        info = SourceInfo(
            variables={name: _info(variable, times, commit) for name, variable in content.variables.items()},
            **about(root.attrs),
            findings=content.findings,
        )
        stored = partial(_open_stored, commit=commit, caches=self._caches)
        return CubeState(
            identity=identity,
            commit=commit,
            info=info,
            positions=positions,
            stored={name: stored(self._folder, v.array) for name, v in content.variables.items()},
            overlay={name: stored(self._folder / OVERLAY, v.array) for name, v in content.variables.items()},
        )


def open_serving_cube(spec: SourceSpec, caches: ReaderCaches) -> ServingCube:
    """Return a reader of the serving cube in a folder of this machine.

    Raises:
        UnsupportedSource: It cannot be served; the message gives the reason.
    """
    folder = local_path(spec.href)
    if folder is None:
        raise UnsupportedSource(f"{base_name(spec.href)} is elsewhere")
    with opening(base_name(spec.href)):
        return ServingCube(spec, folder, caches)


def _root(document: str) -> tuple[GroupNode, FileState]:
    with Path(document).open("rb") as file:
        return group_of_document(file.read()), fingerprint_of(os.fstat(file.fileno()))


def _info(variable: CfVariable, times: TimeDomain, commit: Commit) -> VariableInfo:
    levels = tuple(variable.grid.coarser(2**level) for level in range(commit.levels)) if commit.has_map else None
    return replace(variable.info, times=times, levels=levels or variable.info.levels)


def _open_stored(folder: Path, array: str, commit: Commit, caches: ReaderCaches) -> StoredVariable:
    return StoredVariable(
        levels=tuple(StoredArray(folder / commit.path_of(str(level), array), caches) for level in range(commit.levels)),
        series=StoredArray(folder / commit.path_of(SERIES, array), caches) if commit.has_series else None,
    )


def _in_order(variable: CfVariable, before: CubeState | None) -> tuple[TimeDomain, Int64Array]:
    """Return the times and their positions; indexes returned earlier keep their meaning."""
    times, positions = variable.info.times, np.array(variable.positions, dtype=np.int64)
    if before is None:
        return times, positions
    earlier_times = next(iter(before.info.variables.values())).times
    was_served = np.isin(positions, before.positions)
    newer = times.starts > (earlier_times.starts[-1] if len(earlier_times) else times.starts[0])
    served = was_served | newer
    return times.at(served), positions[served]
