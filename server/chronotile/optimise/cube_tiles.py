"""Cube tiles of closed years as files, for this server, a proxy or an object store (docs/reference).

A run may be interrupted and repeated at any time: each file is complete or missing, and files of another revision are
removed before new ones are written. All files of a year have the revision and grid in the manifest. A tile without a
pixel has no file: lists per layer and tile matrix set name these tiles.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from chronotile.core.durable_files import Disk
from chronotile.core.errors import InvalidParameter, LimitExceeded, SourceUnavailable, WriteFailed
from chronotile.core.machine import this_machine
from chronotile.core.model.collection import Layer
from chronotile.core.model.cube import CubeRequest, CubeTile, Res
from chronotile.core.model.space.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.pipeline.caches.cube_tiles import (
    MANIFEST,
    CubePath,
    Manifest,
    grid_of,
    manifest_of,
    read_manifest,
    times_of_year,
)
from chronotile.pipeline.cube_tiles import extract_cube, resolve_cube
from chronotile.pipeline.resolve_series import layer_with_values
from chronotile.pipeline.services import Services, make_caches
from chronotile.pipeline.tile_ranges import native_matrix, tile_range

RESOLUTIONS: tuple[Res, ...] = (1, 2)
EMPTY = "-empty.txt"
"""End of the name of the list of a year's tiles without a pixel, one per line."""
MAX_NAMED = 5
"""Unreadable items listed in an error."""
AHEAD = 4
"""Cubes waiting per thread, so that a list of millions is never in memory."""

TileProgress = Callable[[str, float], None]
NumberSpan = tuple[int, int]
"""First and last whole number, both included."""

_SPAN = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeOptions:
    """Selection of cubes."""

    layers: tuple[str, ...] = ()
    """Ids or aliases; all layers with values and times if empty."""
    tile_matrix_set: str | None = None
    """`None`: the first served one."""
    zooms: NumberSpan | None = None
    """Indexes of tile matrices, 0 is the coarsest; `None`: up to the one that shows the native cells of the layer."""
    years: NumberSpan | None = None
    """`None`: all closed years."""
    threads: int | None = None
    """Cubes made in parallel; `None`: one per core."""


@dataclass(slots=True, kw_only=True)
class CubeReport:
    """Counts of a run."""

    written: int = 0
    written_bytes: int = 0
    existing: int = 0
    """Files from an earlier run."""
    empty: int = 0
    """Cubes without a pixel, which have no file."""
    removed: int = 0
    """Files of changed dates or of another grid."""
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report for the operator."""
        yield from self.notes
        if self.removed:
            yield f"{self.removed} files removed because their dates or grid changed"
        yield f"{self.written} files written, {self.written_bytes / 1e6:.1f} MB"
        yield f"{self.existing} files existed, {self.empty} cubes have no pixel and no file"

    def count(self, size: int | None) -> None:
        """Count a cube by its bytes: 0 without a pixel, `None` if its file existed."""
        self.existing += size is None
        self.empty += size == 0
        self.written += bool(size)
        self.written_bytes += size or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TileYear:
    """A closed year of a layer, with its tiles."""

    layer: Layer
    year: int
    tile_matrix_set: TileMatrixSet
    ranges: tuple[tuple[TileMatrix, TileRange], ...]
    native: str
    """Tile matrix whose cubes exist twice: resampled, and with the native cells that viewers request there."""

    def __len__(self) -> int:
        """Return the number of cubes."""
        return sum(
            len(_columns(tiles)) * len(_rows(tiles)) * len(list(self._kinds(matrix))) for matrix, tiles in self.ranges
        )

    def requests(self) -> Iterator[CubeRequest]:
        """Yield the request of each cube."""
        for matrix, tiles in self.ranges:
            for column in _columns(tiles):
                for row in _rows(tiles):
                    tile = CubeTile(
                        tile_matrix_set=self.tile_matrix_set.id,
                        matrix=matrix.id,
                        column=column,
                        row=row,
                        grid=self.tile_matrix_set.tile_grid(matrix, row=row, column=column),
                    )
                    time = times_of_year(self.year)
                    yield from (
                        CubeRequest(layer=self.layer.id, tile=tile, time=time, res=res, is_of_cells=is_of_cells)
                        for res, is_of_cells in self._kinds(matrix)
                    )

    def _kinds(self, matrix: TileMatrix) -> Iterator[tuple[Res, bool]]:
        """Yield the resolution of each cube of a tile, and whether it has native cells."""
        yield from ((res, False) for res in RESOLUTIONS)
        if matrix.id == self.native:
            yield 1, True


class CubeTileFolder:
    """The target folder.

    Args:
        path: Created if it is missing.
        disk: Writes files.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._lock = threading.Lock()
        self._empty: dict[Path, set[str]] = {}

    def begin_set(self, tile_matrix_set: TileMatrixSet) -> int:
        """Set the grid of the files of a tile matrix set; return the number of removed files of another grid."""
        manifest, grid = read_manifest(self._path), grid_of(tile_matrix_set)
        if manifest.grids.get(tile_matrix_set.id) == grid:
            return 0
        manifest.grids.pop(tile_matrix_set.id, None)
        self._write_manifest(manifest)
        removed = self._remove(f"*/{tile_matrix_set.id}/*/*/*/*.ctc.gz", f"*/{tile_matrix_set.id}/*{EMPTY}")
        manifest.grids[tile_matrix_set.id] = grid
        self._write_manifest(manifest)
        return removed

    def begin(self, layer: str, year: int, revision: str) -> int:
        """Set the revision of the files of a layer and year; return the number of removed files of another revision.

        During the removal the manifest does not list the year, so servers do not use outdated files.
        """
        manifest = read_manifest(self._path)
        years = manifest.revisions.setdefault(layer, {})
        if years.get(year) == revision:
            return 0
        years.pop(year, None)
        self._write_manifest(manifest)
        removed = self._remove(f"{layer}/*/*/*/*/{year}-*.ctc.gz", f"{layer}/*/{year}{EMPTY}")
        years[year] = revision
        self._write_manifest(manifest)
        return removed

    def write(self, path: CubePath, make: Callable[[], bytes]) -> int | None:
        """Write the bytes from `make` unless the file exists; return their number, `None` if the file exists."""
        file = path.path_in(self._path)
        if file.exists():
            return None
        names = self._path / path.layer / path.tile.tile_matrix_set / f"{path.year}{EMPTY}"
        name = f"{path.tile.matrix}/{path.tile.column}/{path.tile.row}-{path.kind}"
        if self._is_empty(names, name):
            return 0
        body = make()
        if body:
            self._disk.make_folder(file.parent)
            self._disk.put(file, body)
        else:
            with self._lock:
                self._disk.make_folder(names.parent)
                self._disk.append(names, f"{name}\n")
                self._empty[names].add(name)
        return len(body)

    def _is_empty(self, names: Path, name: str) -> bool:
        with self._lock:
            if names not in self._empty:
                whole, _, cut = (names.read_text() if names.exists() else "").rpartition("\n")
                self._empty[names] = set(whole.splitlines())
                if cut:  # the last line is incomplete, and the next name must not continue it
                    self._disk.append(names, "\n")
            return name in self._empty[names]

    def _write_manifest(self, manifest: Manifest) -> None:
        self._disk.make_folder(self._path)
        self._disk.put(self._path / MANIFEST, manifest_of(manifest))

    def _remove(self, files: str, lists: str) -> int:
        """Remove files and lists of empty tiles; return the number of removed files."""
        old = list(self._path.glob(files))
        for path in (*old, *self._path.glob(lists)):
            self._disk.remove(path)
        self._empty.clear()
        return len(old)


def write_cubes(
    services: Services, target: Path, options: CubeOptions, *, progress: TileProgress, disk: Disk | None = None
) -> CubeReport:
    """Write the missing cubes of closed years.

    Args:
        services: Services that read the data.
        target: The folder.
        options: Selection of cubes.
        progress: Called with layer and year, and the finished fraction.
        disk: Writes files.

    Raises:
        WriteFailed: A file cannot be written; existing files are complete, and the next run continues.
        ChronotileError: A layer, set or zoom is not served, or a source cannot be read.
    """
    services = replace(services, caches=make_caches(payload_bytes=0))
    folder, report = CubeTileFolder(target, disk or Disk()), CubeReport()
    works = list(_tile_years(services, options))
    total, done = sum(len(work) for work in works), 0
    if not works:
        report.notes = ("there is no closed year among those requested",)
    try:
        if works:
            report.removed = folder.begin_set(works[0].tile_matrix_set)
        with ThreadPoolExecutor(options.threads or this_machine().cores) as threads:
            for work in works:
                revision = _revision(work, services, report)
                if revision is not None:
                    report.removed += folder.begin(work.layer.id, work.year, revision)
                    for size in _run_in_threads(threads, _tasks(work, folder, services)):
                        report.count(size)
                        done += 1
                        progress(f"{work.layer.id} {work.year}", done / total)
    except OSError as error:
        raise WriteFailed(f"{target} cannot be written: {error.strerror}; run again to continue") from error
    return report


def parse_span(text: str | None, *, locator: str) -> NumberSpan | None:
    """Return `A` or `A-B` as a first and a last number; `None` without a text.

    Raises:
        InvalidParameter: The text has another form, or the numbers descend.
    """
    if text is None:
        return None
    match = _SPAN.fullmatch(text)
    span = None if match is None else (int(match[1]), int(match[2] or match[1]))
    if span is None or span[0] > span[1]:
        raise InvalidParameter(f"--{locator} takes a number or two with a hyphen, got {text[:40]!r}", locator=locator)
    return span


def _tile_years(services: Services, options: CubeOptions) -> Iterator[TileYear]:
    """Yield the selected years of each layer."""
    catalogue = services.catalogue
    if options.tile_matrix_set is None and not catalogue.tile_matrix_sets:
        raise InvalidParameter("no tile matrix set is served", locator="tile_matrix_set")
    tile_matrix_set = (
        catalogue.tile_matrix_sets[0]
        if options.tile_matrix_set is None
        else catalogue.tile_matrix_set(options.tile_matrix_set)
    )
    selected = [layer_with_values(name, services) for name in options.layers]
    for layer in selected or [
        candidate for candidate in catalogue.layers if not candidate.is_composite and len(candidate.times)
    ]:
        ranges = tuple(_ranges(layer, tile_matrix_set, options.zooms))
        native = tile_matrix_set.matrices[native_matrix(layer.main_variable.grid, tile_matrix_set)].id
        for year in _closed_years(layer, services):
            if options.years is None or options.years[0] <= year <= options.years[1]:
                yield TileYear(layer=layer, year=year, tile_matrix_set=tile_matrix_set, ranges=ranges, native=native)


def _closed_years(layer: Layer, services: Services) -> list[int]:
    """Return the years that have times and are over, so that times are replaced but not added."""
    now = int(str(services.clock().astype("datetime64[Y]")))
    years = {int(str(instant)) for instant in layer.times.instants.astype("datetime64[Y]")}
    return sorted(year for year in years if year < now)


def _ranges(
    layer: Layer, tile_matrix_set: TileMatrixSet, zooms: NumberSpan | None
) -> Iterator[tuple[TileMatrix, TileRange]]:
    """Yield the selected tile matrices with the tiles that a layer touches."""
    grid, count = layer.main_variable.grid, len(tile_matrix_set.matrices)
    first, last = (0, native_matrix(grid, tile_matrix_set)) if zooms is None else zooms
    if last >= count:
        raise InvalidParameter(f"{tile_matrix_set.id} has zooms 0 to {count - 1}, got {last}", locator="zooms")
    for matrix in tile_matrix_set.matrices[first : last + 1]:
        tiles = tile_range(grid, tile_matrix_set, matrix)
        if tiles is not None:
            yield matrix, tiles


def _revision(work: TileYear, services: Services, report: CubeReport) -> str | None:
    """Return the revision of all cubes of a year; `None`, with a note in the report, if the year is too long."""
    try:
        return next((resolve_cube(request, services).revision for request in work.requests()), None)
    except LimitExceeded as error:
        report.notes += (f"{work.layer.id} {work.year} is left out: {error.message}",)
        return None


def _tasks(work: TileYear, folder: CubeTileFolder, services: Services) -> Iterator[Callable[[], int | None]]:
    """Yield a function per cube of a year that writes it and returns its bytes."""
    for request in work.requests():
        path = CubePath(
            layer=work.layer.id, tile=request.tile, year=work.year, res=request.res, is_of_cells=request.is_of_cells
        )
        yield partial(folder.write, path, partial(_body, request, services))


def _body(request: CubeRequest, services: Services) -> bytes:
    cube = extract_cube(request, services)
    if cube.missing.unreadable_times:
        raise SourceUnavailable(
            f"layer {request.layer} has dates that cannot be read, and cube tiles must have all; replace their files"
        )
    unread_items = cube.missing.unread_items
    if unread_items:
        raise SourceUnavailable(
            f"layer {request.layer} has items that cannot be read ({', '.join(unread_items[:MAX_NAMED])}), and cube "
            "tiles must have all; replace their files"
        )
    return cube.body


def _run_in_threads(
    threads: ThreadPoolExecutor, tasks: Iterator[Callable[[], int | None]], *, ahead: int = AHEAD
) -> Iterator[int | None]:
    """Yield the results of tasks as they end; only some tasks wait at any time."""
    most = ahead * (this_machine().cores + 1)
    waiting = set[Future[int | None]]()
    for task in tasks:
        waiting.add(threads.submit(task))
        if len(waiting) >= most:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    yield from (future.result() for future in wait(waiting).done)


def _columns(tiles: TileRange) -> Sequence[int]:
    return range(tiles.column_min, tiles.column_max + 1)


def _rows(tiles: TileRange) -> Sequence[int]:
    return range(tiles.row_min, tiles.row_max + 1)
