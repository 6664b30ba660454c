"""Cube tiles of closed years written as files, for ourselves, a proxy or an object store (docs/reference).

A run may be interrupted and begun again at any moment: each file is there whole or not at all, and before files of
another revision are written those that are there are removed. A file is of the revision and the grid that the manifest
has. Tiles without a pixel have no file: lists below each layer and tile matrix set name them.
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
"""End of the name of the list of a year's tiles without a pixel, a line each."""
MOST_NAMED = 5
"""Items that an error names of those that cannot be read."""
AHEAD = 4
"""Cubes that wait for each thread, so that a list of millions is never held."""

TileProgress = Callable[[str, float], None]
NumberSpan = tuple[int, int]
"""A first and a last whole number, both included."""

_SPAN = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeOptions:
    """Which cubes are written."""

    layers: tuple[str, ...] = ()
    """Ids or aliases; default: all that have values and times."""
    tile_matrix_set: str | None = None
    """Otherwise the first that is served."""
    zooms: NumberSpan | None = None
    """Tile matrices, counted from the coarsest; otherwise up to the one that shows the layer's own pixels."""
    years: NumberSpan | None = None
    """Otherwise all that are closed."""
    threads: int | None = None
    """Cubes made at once; as many as there are cores."""


@dataclass(slots=True, kw_only=True)
class CubeReport:
    """What a run did."""

    written: int = 0
    written_bytes: int = 0
    there: int = 0
    """Files that an earlier run wrote."""
    empty: int = 0
    """Cubes of tiles without a pixel, which have no file."""
    removed: int = 0
    """Files of dates that were made again, or of another grid."""
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield what an operator wants to know."""
        yield from self.notes
        if self.removed:
            yield f"{self.removed} files removed because their dates or grid changed"
        yield f"{self.written} files written, {self.written_bytes / 1e6:.1f} MB"
        yield f"{self.there} files existed, {self.empty} cubes have no pixel and no file"

    def count(self, size: int | None) -> None:
        """Count a cube: its bytes, 0 of one without a pixel, nothing of one that was there."""
        self.there += size is None
        self.empty += size == 0
        self.written += bool(size)
        self.written_bytes += size or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TileYear:
    """A closed year of a layer, and the tiles that it has."""

    layer: Layer
    year: int
    tile_matrix_set: TileMatrixSet
    ranges: tuple[tuple[TileMatrix, TileRange], ...]
    native: str
    """The tile matrix at which viewers request the layer's own cells too."""

    def __len__(self) -> int:
        """Return how many cubes there are."""
        return sum(
            len(_columns(held)) * len(_rows(held)) * len(list(self._kinds(matrix))) for matrix, held in self.ranges
        )

    def requests(self) -> Iterator[CubeRequest]:
        """Yield a request for each."""
        for matrix, held in self.ranges:
            for column in _columns(held):
                for row in _rows(held):
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
        """The resolution of each cube of a tile, and whether it is of native cells."""
        yield from ((res, False) for res in RESOLUTIONS)
        if matrix.id == self.native:
            yield 1, True


class CubeTileFolder:
    """The folder that is written.

    Args:
        path: Made if it is absent.
        disk: Writes.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._lock = threading.Lock()
        self._empty: dict[Path, set[str]] = {}

    def begin_set(self, tile_matrix_set: TileMatrixSet) -> int:
        """Let files of a set be of its grid as it is now; return how many of another were removed."""
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
        """Set the revision of the files of a layer and year; return how many files of another were removed.

        Servers do not use outdated files meanwhile: the manifest does not list that year.
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
        """Write a cube, of which `make` gives the bytes, unless it is there; return how many, `None` if it was."""
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
                if cut:  # was not written to its end: what follows it is not to join it
                    self._disk.append(names, "\n")
            return name in self._empty[names]

    def _write_manifest(self, manifest: Manifest) -> None:
        self._disk.make_folder(self._path)
        self._disk.put(self._path / MANIFEST, manifest_of(manifest))

    def _remove(self, files: str, lists: str) -> int:
        """Remove files and lists of tiles without any; return how many files."""
        old = list(self._path.glob(files))
        for path in (*old, *self._path.glob(lists)):
            self._disk.remove(path)
        self._empty.clear()
        return len(old)


def write_cubes(
    services: Services, target: Path, options: CubeOptions, *, progress: TileProgress, disk: Disk | None = None
) -> CubeReport:
    """Write the cubes of closed years that are not there yet.

    Args:
        services: What is served.
        target: The folder.
        options: Which.
        progress: Called with what is being done, and the share of it that is.
        disk: Writes.

    Raises:
        WriteFailed: A file cannot be written; what is there is whole, and the next run goes on.
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
                    for size in _in_threads(threads, _tasks(work, folder, services)):
                        report.count(size)
                        done += 1
                        progress(f"{work.layer.id} {work.year}", done / total)
    except OSError as error:
        raise WriteFailed(f"{target} cannot be written: {error.strerror}; run again to continue") from error
    return report


def parse_span(text: str | None, *, locator: str) -> NumberSpan | None:
    """Return `A` or `A-B` as a first and a last number.

    Raises:
        InvalidParameter: The text is neither, or they are not in order.
    """
    if text is None:
        return None
    found = _SPAN.fullmatch(text)
    span = None if found is None else (int(found[1]), int(found[2] or found[1]))
    if span is None or span[0] > span[1]:
        raise InvalidParameter(f"--{locator} takes a number or two with a hyphen, got {text[:40]!r}", locator=locator)
    return span


def _tile_years(services: Services, options: CubeOptions) -> Iterator[TileYear]:
    """The years of each layer."""
    catalogue = services.catalogue
    if options.tile_matrix_set is None and not catalogue.tile_matrix_sets:
        raise InvalidParameter("no tile matrix set is served", locator="tile_matrix_set")
    tile_matrix_set = (
        catalogue.tile_matrix_sets[0]
        if options.tile_matrix_set is None
        else catalogue.tile_matrix_set(options.tile_matrix_set)
    )
    named = [layer_with_values(name, services) for name in options.layers]
    for layer in named or [each for each in catalogue.layers if not each.is_composite and len(each.times)]:
        ranges = tuple(_ranges(layer, tile_matrix_set, options.zooms))
        native = tile_matrix_set.matrices[native_matrix(layer.main_variable.grid, tile_matrix_set)].id
        for year in _closed_years(layer, services):
            if options.years is None or options.years[0] <= year <= options.years[1]:
                yield TileYear(layer=layer, year=year, tile_matrix_set=tile_matrix_set, ranges=ranges, native=native)


def _closed_years(layer: Layer, services: Services) -> list[int]:
    """Years in which there are times and to which none is added any more, but by making them again."""
    now = int(str(services.clock().astype("datetime64[Y]")))
    years = {int(str(instant)) for instant in layer.times.instants.astype("datetime64[Y]")}
    return sorted(year for year in years if year < now)


def _ranges(
    layer: Layer, tile_matrix_set: TileMatrixSet, zooms: NumberSpan | None
) -> Iterator[tuple[TileMatrix, TileRange]]:
    """The requested tile matrices, with the tiles that a layer touches."""
    grid, count = layer.main_variable.grid, len(tile_matrix_set.matrices)
    first, last = (0, native_matrix(grid, tile_matrix_set)) if zooms is None else zooms
    if last >= count:
        raise InvalidParameter(f"{tile_matrix_set.id} has zooms 0 to {count - 1}, got {last}", locator="zooms")
    for matrix in tile_matrix_set.matrices[first : last + 1]:
        held = tile_range(grid, tile_matrix_set, matrix)
        if held is not None:
            yield matrix, held


def _revision(work: TileYear, services: Services, report: CubeReport) -> str | None:
    """The revision of a year's cubes, which all tiles have; a note, and `None`, of one that is too long for a cube."""
    try:
        return next((resolve_cube(request, services).revision for request in work.requests()), None)
    except LimitExceeded as error:
        report.notes += (f"{work.layer.id} {work.year} is left out: {error.message}",)
        return None


def _tasks(work: TileYear, folder: CubeTileFolder, services: Services) -> Iterator[Callable[[], int | None]]:
    """What writes each cube of a year and gives its bytes."""
    for request in work.requests():
        path = CubePath(
            layer=work.layer.id, tile=request.tile, year=work.year, res=request.res, is_of_cells=request.is_of_cells
        )
        yield partial(folder.write, path, partial(_body, request, services))


def _body(request: CubeRequest, services: Services) -> bytes:
    made = extract_cube(request, services)
    if made.missing.unreadable_times:
        raise SourceUnavailable(
            f"layer {request.layer} has dates that cannot be read, and cube tiles must have all; replace their files"
        )
    unread_items = made.missing.unread_items
    if unread_items:
        raise SourceUnavailable(
            f"layer {request.layer} has items that cannot be read ({', '.join(unread_items[:MOST_NAMED])}), and cube "
            "tiles must have all; replace their files"
        )
    return made.body


def _in_threads(
    threads: ThreadPoolExecutor, tasks: Iterator[Callable[[], int | None]], *, ahead: int = AHEAD
) -> Iterator[int | None]:
    """What tasks give, as they end; only some of them wait at any time."""
    most = ahead * (this_machine().cores + 1)
    waiting = set[Future[int | None]]()
    for task in tasks:
        waiting.add(threads.submit(task))
        if len(waiting) >= most:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in done)
    yield from (each.result() for each in wait(waiting).done)


def _columns(held: TileRange) -> Sequence[int]:
    return range(held.column_min, held.column_max + 1)


def _rows(held: TileRange) -> Sequence[int]:
    return range(held.row_min, held.row_max + 1)
