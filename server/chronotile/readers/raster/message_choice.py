"""Members and runs of forecasts: the bands that a variable reads, in all files of a source.

The messages of a GRIB variable are treated as an array with the dimensions `number` and `run`, so that `select` has
the same rules and messages as in NetCDF files.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import DimensionStep
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import AnyArray, Instant
from chronotile.readers.cf.axes import selected_steps, unselected_dimension
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.valid_times import run_steps
from chronotile.readers.raster.band_times import UNNAMED, BandSeries, BandTime, series_of

NUMBER, RUN = "number", "run"
"""Dimensions of messages: members of an ensemble, and reference times."""


@dataclass(frozen=True, slots=True)
class MessageChoice:
    """The bands that a variable reads."""

    name: str | None
    """Name of their series."""
    runs: Mapping[Instant, Instant | None]
    """The served run by valid time."""
    older: tuple[BandTime, ...]
    """Bands of older runs, which are not served."""
    ensemble: str | None = None
    """Name of the ensemble whose member is selected; `None` if the name states the member."""

    def series_among(self, series: Mapping[str | None, BandSeries]) -> BandSeries | None:
        """Return the served bands of a file, from all its series by name; `None` if it has none."""
        messages = series[self.name].messages if self.name in series else ()
        served = [m for m in messages if m.span.start in self.runs and self.runs[m.span.start] == m.run]
        return replace(series_of(served), messages=()) if served else None


class SeriesByName:
    """The series of all files, by name and by ensemble."""

    def __init__(self, series: Iterable[BandSeries]) -> None:
        self.named: dict[str | None, list[BandSeries]] = {}
        self.ensembles: dict[str | None, list[BandSeries]] = {}
        for s in series:
            self.named.setdefault(s.name, []).append(s)
            if s.ensemble is not None:
                self.ensembles.setdefault(s.ensemble, []).append(s)


def choose_messages(name: str | None, steps: Sequence[DimensionStep], series: SeriesByName) -> MessageChoice | None:
    """Return the bands of a series, or of the selected member of an ensemble; `None` if the name is unknown.

    Raises:
        UnsupportedSource: A selected member or run is missing, or no member is selected.
    """
    candidates = series.named.get(name) or series.ensembles.get(name)
    if any(step.dimension == NUMBER for step in steps):
        candidates = series.ensembles.get(name) or candidates
    if not candidates:
        return None
    numbers = sorted({s.member for s in candidates if s.member is not None})
    if numbers:
        number = _find_position(NUMBER, np.array(numbers), [s for s in steps if s.dimension != RUN])
        if number is None and len(numbers) > 1:
            raise UnsupportedSource(members_message(candidates))
        candidates = [s for s in candidates if s.member == numbers[number or 0]]
    messages = [m for s in candidates for m in s.messages]
    choice = _choose_run(candidates[0].name, messages, [s for s in steps if s.dimension != NUMBER or not numbers])
    return replace(choice, ensemble=None if name == choice.name else name)


def members_message(members: Sequence[BandSeries]) -> str:
    """Return the message about an ensemble with too many members for a layer each."""
    numbers = np.array(sorted({s.member for s in members if s.member is not None}))
    problem = unselected_dimension(NUMBER, *_dimension(NUMBER, numbers))
    return f"{members[0].ensemble} ({sum(len(s.messages) for s in members)} messages): {problem}"


def choice_findings(choices: Sequence[MessageChoice], series: Sequence[BandSeries]) -> Iterator[Finding]:
    """Yield a finding about bands of no variable, and one about messages of older runs, if there are any."""
    names, ensembles = {c.name for c in choices}, {c.ensemble for c in choices} - {None}
    rest = [s for s in series if s.name not in names and s.ensemble not in ensembles]
    if rest:
        count = _count_text(sum(len(s.messages) for s in rest), "band")
        text = f"{LEFT_OUT}{count} of other variables, such as {rest[0].name or UNNAMED}: name them as variables"
        yield Finding("note", "bands", text)
    older = [(message, choice) for choice in choices for message in choice.older]
    if not older:
        return
    message, choice = older[0]
    run, newest = (format_instant(r) for r in (message.run, choice.runs[message.span.start]) if r is not None)
    text = (
        f"{LEFT_OUT}{_count_text(len(older), 'message')} of older runs, such as {message.variable} for "
        f"{format_instant(message.span.start)} of the run {run}, which the run {newest} has too; to serve one run, "
        f"set select: {{run: latest}} or {{run: {run}}}"
    )
    yield Finding("note", RUN, text)


def _count_text(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _choose_run(name: str | None, messages: Sequence[BandTime], steps: Sequence[DimensionStep]) -> MessageChoice:
    runs = sorted({m.run for m in messages if m.run is not None})
    if not runs:
        if steps:
            raise UnsupportedSource(f"select: its bands have no dimension {steps[0].dimension}")
        return MessageChoice(name, dict.fromkeys(m.span.start for m in messages), ())
    position = _find_position(RUN, np.array(runs), steps)
    served = [m for m in messages if position is None or m.run == runs[position]]
    newest = {m.span.start: m.run for m in sorted(served, key=lambda m: (m.span.start, m.run))}
    return MessageChoice(name, newest, tuple(m for m in served if m.run != newest[m.span.start]))


def _find_position(dimension: str, values: AnyArray, steps: Sequence[DimensionStep]) -> int | None:
    array, fields = _dimension(dimension, values)
    return selected_steps(array, fields, run_steps(steps, array, fields)).get(dimension)


def _dimension(name: str, values: AnyArray) -> tuple[Field, FieldSet]:
    """Return an array along a dimension alone, and the coordinate of that dimension."""
    attributes = {"standard_name": "forecast_reference_time"} if name == RUN else {}
    coordinate = Field(
        name=name, dims=(name,), shape=values.shape, dtype=values.dtype, attrs=attributes, load=lambda: values
    )
    return replace(coordinate, name="messages"), FieldSet({name: coordinate}, {})
