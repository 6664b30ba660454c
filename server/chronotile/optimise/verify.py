"""Comparison of every value of a cube with its sources, which are read again by independent code.

This finds faults of the readers and of the conversion, because neither is used: xarray reads the cube, and the sources
are read as by `chronotile audit`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from chronotile.audit.truth import OtherPlace
from chronotile.core.durable_files import Disk
from chronotile.core.errors import MissingExtra, UnsupportedSource
from chronotile.core.extras import missing_extra
from chronotile.core.model.space.grid import Window, windows_over
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.optimise.existing import require_existing
from chronotile.optimise.inputs import CubeInputs, find_inputs
from chronotile.optimise.journal import FOLDER, Journal
from chronotile.optimise.mosaic_cells import MosaicCells
from chronotile.optimise.options import Options
from chronotile.optimise.plan import ServingCubePlan
from chronotile.optimise.planning import PlannedCube, plan_cube
from chronotile.optimise.source_cells import SourceCells, has_bands, require_readable_sources
from chronotile.optimise.store import CubeFolder
from chronotile.optimise.stored_cubes import LAYOUTS, StoredCube
from chronotile.optimise.tasks import TaskDate
from chronotile.readers.zarr.commit import commit_of

SIDE_PX = 512
MAX_SHOWN = 3
"""Differing dates with a location in the message."""

VerifyProgress = Callable[[str, float], None]


@dataclass(slots=True)
class Count:
    """Counts of a comparison."""

    values: int = 0
    empty: int = 0
    """Cells without a value in both."""
    differing_cells: Counter[int] = field(default_factory=Counter)
    """Number of differing cells by the position of their date."""
    examples: dict[int, str] = field(default_factory=dict)
    unverified: dict[tuple[str, int], str] = field(default_factory=dict)
    """Reasons by variable and position of dates that cannot be compared."""
    undated: set[int] = field(default_factory=set)
    """Positions whose times cannot be read independently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedDates:
    """Dates of a cube that are compared with a date of the sources, and numbers of other dates."""

    dates: tuple[TaskDate, ...]
    extra: int
    """Dates of the cube without a source, or with skipped items."""
    missing: int
    """Dates of the sources that the cube lacks."""


def verify_cube(
    sources: Sequence[str], target: Path, options: Options, *, progress: VerifyProgress = lambda _what, _share: None
) -> str:
    """Compare every value of an existing cube with files and stores; return a summary.

    Args:
        sources: Paths and patterns of the sources.
        target: Folder of the cube.
        options: Selection of the sources.
        progress: Called with a text and the finished fraction.

    Raises:
        UnsupportedSource: Values or times differ, or nothing can be compared; or there is no complete cube.
        SourceUnavailable: A source cannot be read.
        MissingExtra: A library is not installed.
    """
    document = require_complete(target)
    inputs = find_inputs(sources, options, target=target)
    require_readable_sources(inputs)
    return verify_inputs(inputs, target, document, options, progress=progress)


def require_complete(target: Path) -> Json:
    """Return the root document of a cube after checking that it can be verified.

    Raises:
        UnsupportedSource: It does not exist, or a run has not ended.
        MissingExtra: A library is not installed.
    """
    if message := missing_extra("zarr", "chronotile optimise verify"):
        raise MissingExtra(message)
    document = require_existing(target)
    if Journal(target / FOLDER, Disk()).is_there:
        raise UnsupportedSource(
            f"a run on {target.name} is active or was interrupted; verify the cube after the run, which --resume "
            "continues"
        )
    return document


def verify_inputs(
    inputs: CubeInputs, target: Path, document: Json, options: Options, *, progress: VerifyProgress
) -> str:
    """Compare every value of the cube with this root document; return a summary, with the parts not compared.

    Raises:
        UnsupportedSource: Values or times differ, or nothing can be compared.
    """
    shape = commit_of(document["attributes"])
    assert shape is not None  # noqa: S101 -- a cube has a commit
    folder = CubeFolder(target.absolute(), Disk())
    cube = plan_cube(inputs, shape, options, folder=folder, document=document, may_round=True)
    mosaic = cube.inputs.mosaic
    compared, count, done = _compared_dates(cube), Count(), 0
    if not compared.dates:
        raise UnsupportedSource("the cube cannot be verified: it has no complete date of these sources")
    windows = sum(1 for _window in windows_over(cube.plan.grid, SIDE_PX))
    total = len(compared.dates) * windows * len(cube.plan.variables)
    for name, planned in cube.plan.variables.items():
        with closing(StoredCube(folder.path, cube.plan, name)) as stored:
            source = SourceCells(cube.inputs, planned) if mosaic is None else MosaicCells(cube.inputs, planned, mosaic)
            with closing(source):
                for date, window in _strips(cube.plan, compared.dates):
                    _compare(name, cube=stored, source=source, date=date, window=window, count=count)
                    done += 1
                    progress("comparing", done / total)
    wrong = +count.differing_cells
    if wrong:
        examples = "; ".join(count.examples[position] for position in sorted(wrong)[:MAX_SHOWN])
        raise UnsupportedSource(
            f"{len(wrong)} dates differ from the source, in {sum(wrong.values())} cells; {examples}; "
            "write the cube again, or update it if its source has changed"
        )
    if count.unverified and not count.values + count.empty:
        raise UnsupportedSource(f"the cube cannot be verified: {next(iter(count.unverified.values()))}")
    return f"{_text(cube, compared.dates, count)}{_rest(compared, count)}"


def _compared_dates(cube: PlannedCube) -> ComparedDates:
    """Match the dates of a cube with the dates of its sources.

    A cube may have dates that its sources lack, and lack dates that they have. If both have the same fingerprint of the
    source, the cube has that date at a wrong time: they are compared, and differ in time.
    """
    positions = {start: position for position, start in enumerate(cube.history.starts.tolist())}
    states = [tuple(state) for state in cube.history.states.tolist()]
    starts = cube.inputs.times.starts.astype("datetime64[ns]").tolist()
    matched = {positions[start] for start in starts if start in positions}
    unmatched = defaultdict[tuple[int, ...], list[int]](list)
    if cube.inputs.mosaic is None:  # dates of a mosaic may have equal fingerprints, if they have no item
        for position in np.argsort(cube.history.starts, kind="stable").tolist():
            if position not in matched:
                unmatched[states[position]].append(position)
    dates, missing = list[TaskDate](), 0
    for start, origin, state in zip(starts, cube.inputs.origins, cube.inputs.states, strict=True):
        position = positions.get(start)
        if position is None and unmatched[state]:
            position = unmatched[state].pop(0)
        missing += position is None
        if position is not None and any(states[position]):  # zeros: the date was written without some items
            dates.append(TaskDate(position=position, origin=origin, state=state))
    return ComparedDates(dates=tuple(dates), extra=len(states) - len(dates), missing=missing)


def _rest(compared: ComparedDates, count: Count) -> str:
    """Return the parts that were not compared, as text."""
    reasons = Counter(count.unverified.values())
    parts = [f"{number} dates of a variable ({reason})" for reason, number in reasons.most_common(MAX_SHOWN)]
    parts += ["others"] if len(reasons) > MAX_SHOWN else []
    if count.undated:
        parts.append(
            f"the times of {len(count.undated)} dates, as names or bands of their files do not tell them plainly"
        )
    if compared.extra:
        parts.append(f"{compared.extra} dates of the cube that are of none of these sources, or lack items")
    if compared.missing:
        parts.append(f"{compared.missing} dates of the sources that the cube lacks")
    return f"; not verified: {'; '.join(parts)}" if parts else ""


def _text(cube: PlannedCube, dates: Sequence[TaskDate], count: Count) -> str:
    inputs, plan = cube.inputs, cube.plan
    layouts = " and ".join(layout for group, layout in LAYOUTS.items() if group in plan.groups)
    files = {path for date in dates for path in inputs.files.get(date.origin, ())}
    files |= {Path(spec.href) for spec in inputs.specs if not has_bands(spec)}
    sources = "the items of the index" if inputs.mosaic is not None else f"{len(files)} files"
    packed = [name for name, variable in plan.variables.items() if not variable.conversion.is_exact]
    inexact = f" ({', '.join(packed)} to the rounding of their type)" if packed else ""
    return (
        f"{len(dates)} dates of {', '.join(plan.variables)} compared with {sources}, each read again by "
        f"its own coordinates, times, scale, offset and nodata: every number is the same in {layouts}, of "
        f"{count.values} values{inexact}, and {count.empty} cells have no value in both"
    )


def _strips(plan: ServingCubePlan, dates: Sequence[TaskDate]) -> Iterator[tuple[TaskDate, Window]]:
    """Yield dates and windows block by block, so that a series block of the cube is read once for all dates."""
    ordered = sorted(dates, key=lambda date: date.position)
    for _block, members in groupby(ordered, key=lambda date: date.position // plan.shape.block):
        block = list(members)
        for window in windows_over(plan.grid, SIDE_PX):
            yield from ((date, window) for date in block)


def _compare(name: str, *, cube: StoredCube, source: SourceCells, date: TaskDate, window: Window, count: Count) -> None:
    if (name, date.position) in count.unverified:
        return
    instant, points = cube.instant(date.position), cube.points(window)
    try:
        cells = source.cells(date, instant, points)
    except OtherPlace as error:
        count.differing_cells[date.position] += window.width * window.height
        count.examples.setdefault(date.position, f"in the cube {name} is elsewhere: {error}")
        return
    except UnsupportedSource as error:
        count.unverified[name, date.position] = error.message
        return
    count.undated |= set() if source.has_readable_time(date) else {date.position}
    expected = cells.values
    tolerance = source.tolerance(expected)
    same = np.ones(expected.shape, dtype=bool)
    is_empty = np.isnan(expected)
    differing_values = expected
    for stored in cube.cells(date.position, window):
        is_same = (np.abs(stored.values - expected) <= tolerance) | (is_empty & np.isnan(stored.values))
        is_same &= (stored.flags == cells.flags) | source.drops_flags
        if same.all() and not is_same.all():
            differing_values = stored.values
        same &= is_same
    count.values += int(same.sum() - (same & is_empty).sum())
    count.empty += int((same & is_empty).sum())
    wrong = int(same.size - same.sum())
    if wrong:
        count.differing_cells[date.position] += wrong
        row, column = (int(index[0]) for index in np.nonzero(~same))
        count.examples.setdefault(
            date.position,
            f"in the cube {name} has {_number(differing_values[row, column])} at row {window.row_start + row}, "
            f"column {window.column_start + column} (x {points.x[row, column]:.8g}, y {points.y[row, column]:.8g}, "
            f"{format_instant(instant)}), {cells.origin} has {_number(expected[row, column])}",
        )


def _number(value: float) -> str:
    return "no value" if np.isnan(value) else f"{value:.7g}"
