"""Maps made of a layer's values along time: windows of its cells, each done by itself, then put together as a file.

A window is a coverage of its own, cut out at edges of cells, so that it is read as every other coverage is.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path

import numpy as np

from chronotile.encoders.coverage_strips import require_wanted
from chronotile.encoders.file_parts import Body
from chronotile.errors import ClientGone, InvalidParameter, LimitExceeded, SourceUnavailable
from chronotile.jobs.asked import located, without_limits
from chronotile.jobs.job import Json, Result
from chronotile.jobs.pieces import writing
from chronotile.jobs.process import Input, Inputs, Plan, Work
from chronotile.model.analysis import SLOT_KINDS, Curves, FloatArray
from chronotile.model.collection import Collection
from chronotile.model.coverage import PIECE_BYTES, Coverage, CoverageField, CoverageRequest, Numbers, Trim
from chronotile.model.crs import is_north_first
from chronotile.model.grid import BBox, Grid
from chronotile.model.raster import Encoding
from chronotile.model.time import NO_TIME, TimeDomain, TimeSelection, format_day, format_instant, parse_time
from chronotile.pipeline.deliver_coverage import COVERAGE_FORMATS, storing
from chronotile.pipeline.extract_coverage import extract_coverage
from chronotile.pipeline.services import Services

CRS84_URI = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
LARGEST_SIDE, LEAST_SIDE = 1024, 16
"""Cells along a side of a window. Sources have chunks of 512 as a rule: a smaller window decodes some of them again."""
HELD_BYTES = 192 << 20
"""Of what of a window is held until it is done."""
SLAB_VALUES = 1 << 20
"""Of all times together that are computed with at once, as float64."""
BLOCK_S = 60.0
"""About how long a block may take: so much is lost with a worker, and so often it is told how far a job is."""
READ_S = 2e-9
"""What it takes to read and unpack a number."""
MOST_BLOCKS = 100_000

LAYER = Input(title="Layer", description="Id or alias of the layer.", schema={"type": "string", "maxLength": 200})
DATETIME = Input(
    title="Times",
    description="An instant, an interval, or a list of either, as everywhere; all times of the layer where none is "
    "named.",
    schema={"type": "string", "maxLength": 10_000},
    is_required=False,
)
BBOX = Input(
    title="Bounding box",
    description="Cells that lie outside it are left out; the whole layer where none is named. Coordinates are in the "
    "order of their CRS, which is CRS84 unless another is named.",
    schema={
        "type": "object",
        "required": ["bbox"],
        "additionalProperties": False,
        "properties": {
            "bbox": {"type": "array", "minItems": 4, "maxItems": 4, "items": {"type": "number"}},
            "crs": {"type": "string", "format": "uri", "default": CRS84_URI},
        },
        "format": "ogc-bbox",
    },
    is_required=False,
)
BY = Input(
    title="Cut of the year",
    description="What a year is cut into: days, dekads or months; where it is not told, months for times four weeks "
    "and more apart, else dekads.",
    schema={"type": "string", "enum": list(SLOT_KINDS)},
    is_required=False,
)
GEOTIFF_TYPE = COVERAGE_FORMATS["GTiff"].media_type
GEOTIFF: Json = {"type": "string", "contentEncoding": "binary", "contentMediaType": GEOTIFF_TYPE}
"""Schema of a result."""


def selected(inputs: Inputs, services: Services, name: str = "datetime") -> Coverage:
    """Return the cells that `layer` and `bbox` name at the times of an input, however many; reads no pixels.

    Raises:
        ChronotileError: As `extract_coverage`, but for its limit, with the input at fault; or the layer has no times.
    """
    with located({"time": name, "datetime": name}):
        return _all(inputs, services, parse_time(inputs.get(name)))


def trims_of(inputs: Inputs, services: Services) -> tuple[Trim, ...]:
    """Return what `bbox` leaves: all without it.

    Raises:
        UnsupportedCrs: Its CRS is not offered.
        InvalidParameter: It is no box.
    """
    if "bbox" not in inputs:
        return ()
    with located({"crs": "bbox.crs"}):
        crs = services.catalogue.offered_crs(inputs["bbox"].get("crs", CRS84_URI))
    box = BBox(*map(float, inputs["bbox"]["bbox"]))
    if is_north_first(crs):
        box = BBox(box.ymin, box.xmin, box.ymax, box.xmax)
    return (Trim(box=box, crs=crs, locator="bbox"),)


def planned_windows(coverage: Coverage, *, value_s: float, held_bytes: int, times: Mapping[str, Json]) -> Plan:
    """Return a plan of windows, from north to south.

    Args:
        coverage: All cells.
        value_s: About how long it takes to make something of a number once it is read.
        held_bytes: Of each cell that is held until a window is done: of its numbers, and of what is made of them.
        times: Those that are read, each as they were `pinned`; blocks are told them by these names.

    Raises:
        LimitExceeded: There are too many.
    """
    grid, count = coverage.grid, sum(each["count"] for each in times.values())
    cell_s = count * (READ_S + value_s)
    side = LARGEST_SIDE
    while side > LEAST_SIDE and (side**2 * cell_s > BLOCK_S or side**2 * held_bytes > HELD_BYTES):
        side //= 2
    native = coverage.fields[0].layer.main_variable.grid
    column, row = native.pixels_at(np.array(grid.bbox.xmin), np.array(grid.bbox.ymax))
    down, across = _cuts(grid.height, float(row), side), _cuts(grid.width, float(column), side)
    if len(down) * len(across) > MOST_BLOCKS:
        raise LimitExceeded(
            "blocks of a job",
            allowed=MOST_BLOCKS,
            asked=len(down) * len(across),
            alternative="ask for a smaller bbox",
            locator="inputs.bbox",
        )
    blocks = [
        {"rows": rows, "columns": columns, "box": _box_of(grid, rows, columns), **times}
        for rows, columns in product(down, across)
    ]
    return Plan(blocks=blocks, seconds=grid.width * grid.height * cell_s)


def pinned(coverage: Coverage, asked: str) -> Json:
    """Return what names the times of a coverage also when the layer has got later ones."""
    of_layer, instants = coverage.fields[0].layer.times.instants, coverage.times.instants
    first, last = np.searchsorted(of_layer, instants[[0, -1]]).tolist()
    is_run = last - first + 1 == instants.size
    text = "/".join(format_instant(instant) for instant in instants[[0, -1]]) if is_run else asked
    return {"datetime": text, "count": int(instants.size)}


def all_of(inputs: Inputs, times: Json, services: Services) -> Coverage:
    """Return all cells at times that were `pinned`.

    Raises:
        ChronotileError: As `selected`.
    """
    return _all(inputs, services, parse_time(times["datetime"]))


def window_of(inputs: Inputs, block: Json, times: Json, services: Services) -> Coverage:
    """Return the cells of a block at times that were `pinned`.

    Raises:
        ChronotileError: As `selected`, or the layer's grid or times are others than they were when blocks were planned.
    """
    layer = services.catalogue.layer(inputs["layer"])
    trim = Trim(box=BBox(*block["box"]), crs=layer.main_variable.grid.crs)
    request = CoverageRequest(layers=(layer.id,), trims=(trim,), time=parse_time(times["datetime"]))
    coverage = extract_coverage(request, without_limits(services))
    found = (len(coverage.times), coverage.grid.height, coverage.grid.width)
    if found != (times["count"], _length(block["rows"]), _length(block["columns"])):
        raise SourceUnavailable(f"the grid or the times of layer {layer.id} have changed since the job began")
    return coverage


def read_runs(coverage: Coverage, rows: range, work: Work, *, newest_first: bool = False) -> Iterator[Numbers]:
    """Give (time, y, x) numbers of rows, some times after the others, each block of the source once.

    Raises:
        SourceUnavailable: The source is gone or damaged.
        ClientGone: The job was dismissed.
    """
    for times in reversed(coverage.time_runs) if newest_first else coverage.time_runs:
        require_wanted(work.is_wanted)
        yield coverage.read_times(0, times=times, rows=rows)


def read_all(coverage: Coverage, work: Work) -> Numbers:
    """Return all numbers (time, y, x) of a window that is held.

    Raises:
        SourceUnavailable: The source is gone or damaged.
        ClientGone: The job was dismissed.
    """
    grid = coverage.grid
    numbers = np.empty((len(coverage.times), grid.height, grid.width), dtype=coverage.fields[0].encoding.dtype)
    for rows in coverage.row_runs:
        start = 0
        for run in read_runs(coverage, rows, work):
            numbers[start : start + len(run), rows.start : rows.stop] = run
            start += len(run)
    return numbers


def found_by_cell(
    sources: Sequence[tuple[Coverage, Numbers]], bands: int, find: Callable[..., FloatArray], work: Work
) -> Numbers:
    """Return what is found of the values of each cell along time, (band, y, x), float32.

    Args:
        sources: Windows of the same cells, with all their numbers.
        bands: How many values are found of a cell.
        find: Is given the `Curves` of some cells from each source, and returns (series, band).
        work: Of the job.

    Raises:
        ClientGone: The job was dismissed.
    """
    grid = sources[0][0].grid
    found = np.empty((bands, grid.height, grid.width), dtype=np.float32)
    step = max(1, SLAB_VALUES // (grid.width * sum(len(numbers) for _coverage, numbers in sources)))
    for top in range(0, grid.height, step):
        require_wanted(work.is_wanted)
        rows = slice(top, min(top + step, grid.height))
        values = find(*(_curves(coverage, numbers[:, rows]) for coverage, numbers in sources))
        with np.errstate(over="ignore"):  # larger ones are infinite, as in all files
            found[:, rows] = values.T.reshape(bands, -1, grid.width)
    return found


def keep_piece(numbers: Numbers, block: Json, work: Work) -> Json:
    """Leave (band, y, x) numbers of a block for the end, and return what is remembered of it.

    Raises:
        StorageFull: There is no room.
        ClientGone: The job was dismissed.
    """
    with writing(work.folder / _piece_name(block), work) as file:
        np.save(file, numbers)
    return block


def itemsize(coverage: Coverage) -> int:
    """Return the bytes of a number of a window."""
    return np.dtype(coverage.fields[0].encoding.dtype).itemsize


def made_bands(coverage: Coverage, said: Sequence[tuple[str, str]]) -> list[CoverageField]:
    """Return bands of computed values: what each is, after the name of the layer's variable, and its units."""
    (field,) = coverage.fields
    return [
        replace(field, name=f"{field.name} {text}", title=f"{field.title}, {text}", encoding=floats(units))
        for text, units in said
    ]


def floats(units: str) -> Encoding:
    """Return how values that are computed are written."""
    return Encoding(dtype="float32", nodata=math.nan, units=units)


def dates(times: TimeDomain) -> str:
    """Return the first and the last day, for names of bands."""
    first, last = (format_day(instant) for instant in times.instants[[0, -1]])
    return first if first == last else f"{first}/{last}"


def geotiff_of_pieces(
    coverage: Coverage, bands: Sequence[CoverageField], done: Sequence[Json], work: Work, *, name: str
) -> Result:
    """Write what blocks left as a cloud optimised GeoTIFF.

    Args:
        coverage: What the blocks are windows of.
        bands: What the pieces have, all of one type.
        done: What was remembered of the blocks.
        work: Where the pieces are.
        name: Of the file, without its extension.

    Raises:
        StorageFull: There is no room.
        ClientGone: The job was dismissed.
    """
    pieced = _PiecedCoverage(
        collection=coverage.collection,
        fields=tuple(bands),
        grid=coverage.grid,
        etag=coverage.etag,
        blocks=tuple(done),
        folder=work.folder,
    )
    with storing():
        body = COVERAGE_FORMATS["GTiff"].encode(pieced, work.is_wanted)
    keep(body, work.results / f"{name}.tif", work)
    return Result(file=f"{name}.tif", media_type=GEOTIFF_TYPE)


def kept_result(written: Json, work: Work) -> Result:
    """Return the result that a job's only block left as a piece: its `file` and `media_type`."""
    piece = work.folder / written["file"]
    if piece.exists():  # not when the end of a job is made once more
        piece.replace(work.results / written["file"])
    return Result(file=written["file"], media_type=written["media_type"])


def keep(body: Body, path: Path, work: Work) -> None:
    """Write a body as a file, which is there when it is whole, and close it.

    Raises:
        StorageFull: There is no room.
        ClientGone: The job was dismissed.
    """
    with closing(body), writing(path, work) as file:
        for piece in body.pieces():
            require_wanted(work.is_wanted)
            file.write(piece)


@dataclass(frozen=True, kw_only=True, eq=False)
class _PiecedCoverage:
    """A `Coverage` without time whose numbers lie in pieces, all fields of a block in one."""

    collection: Collection
    fields: tuple[CoverageField, ...]
    grid: Grid
    etag: str
    blocks: tuple[Json, ...]
    folder: Path

    times: TimeDomain = NO_TIME
    time_runs: tuple[range, ...] = (range(1),)

    @property
    def nbytes(self) -> int:
        """Of all numbers."""
        return sum(self._row_bytes(field) for field in range(len(self.fields))) * self.grid.height

    @property
    def rows_at_once(self) -> int:
        """Of the largest run."""
        return max(map(len, self.row_runs))

    @cached_property
    def row_runs(self) -> tuple[range, ...]:
        """Rows of blocks, or parts of them."""
        step = max(1, PIECE_BYTES // max(self._row_bytes(field) for field in range(len(self.fields))))
        return tuple(
            range(start, min(start + step, rows.stop))
            for rows in self._rows_of_blocks
            for start in range(rows.start, rows.stop, step)
        )

    def read(self, field: int, *, time: int, rows: range) -> Numbers:
        """Return (y, x) numbers of a field."""
        numbers: Numbers = self.read_times(field, times=range(time, time + 1), rows=rows)[0]
        return numbers

    def read_times(self, field: int, *, times: range, rows: range) -> Numbers:
        """Return (1, y, x) numbers of a field."""
        numbers = np.empty((len(times), len(rows), self.grid.width), dtype=self.fields[field].encoding.dtype)
        own = next(each for each in self._rows_of_blocks if each.start <= rows.start < each.stop)
        for block in self._rows_of_blocks[own]:
            part = self._piece(block)[field, rows.start - own.start : rows.stop - own.start]
            numbers[:, :, slice(*block["columns"])] = part
        return numbers

    @cached_property
    def _rows_of_blocks(self) -> Mapping[range, Sequence[Json]]:
        """Blocks by their rows, from north to south."""
        found = dict[range, list[Json]]()
        for block in self.blocks:
            found.setdefault(range(*block["rows"]), []).append(block)
        return found

    def _piece(self, block: Json) -> Numbers:
        try:
            piece: Numbers = np.load(self.folder / _piece_name(block), mmap_mode="r")
        except FileNotFoundError as error:
            raise ClientGone("nobody waits any more") from error
        return piece

    def _row_bytes(self, field: int) -> int:
        return self.grid.width * np.dtype(self.fields[field].encoding.dtype).itemsize


def _all(inputs: Inputs, services: Services, time: TimeSelection) -> Coverage:
    request = CoverageRequest(layers=(inputs["layer"],), trims=trims_of(inputs, services), time=time)
    coverage = extract_coverage(request, without_limits(services))
    if not len(coverage.times):
        raise InvalidParameter(f"layer {coverage.fields[0].layer.id} has no times", locator="layer")
    return coverage


def _curves(coverage: Coverage, numbers: Numbers) -> Curves:
    encoding = coverage.fields[0].encoding
    values = np.where(encoding.valid(numbers), encoding.values(numbers), np.nan)
    return Curves(times=coverage.times.instants, values=np.ascontiguousarray(values.reshape(len(numbers), -1).T))


def _cuts(size: int, first: float, side: int) -> list[list[int]]:
    """Start and end of parts of a row of cells, cut at multiples of a side; `first` is the place of the first cell."""
    edges = [0, *range(side - round(first) % side, size, side), size]
    return [list(part) for part in pairwise(edges)]


def _box_of(grid: Grid, rows: Sequence[int], columns: Sequence[int]) -> list[float]:
    """Edges of some cells of a grid."""
    west, east = grid.x_of(np.array(columns, dtype=np.float64)).tolist()
    north, south = grid.y_of(np.array(rows, dtype=np.float64)).tolist()
    return [west, south, east, north]


def _piece_name(block: Json) -> str:
    return f"{block['rows'][0]}-{block['columns'][0]}.npy"


def _length(span: Sequence[int]) -> int:
    return span[1] - span[0]
