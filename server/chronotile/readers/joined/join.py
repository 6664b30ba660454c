"""Joining of files that each have some times into one source; files that do not fit are skipped with a finding."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import not_
from typing import TypeVar

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Instant
from chronotile.core.yaml_source import list_names
from chronotile.readers.cf.time import JoinedTimes, Slice, join_times
from chronotile.readers.dated_files import APART, replaced_findings
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.joined.encoding_findings import FileEncoding, encoding_findings
from chronotile.readers.joined.source import Joined, JoinedFile, JoinedVariable, StoredTime, stored_times, turn_of
from chronotile.readers.name_parts import precedence_of

Value = TypeVar("Value")

DIFFERENT_PLACES = "the files lie at different places; for one map of all, set tiles: true for the source"
_NAMED_FILES = 3
"""Maximum number of file names in a finding about several files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """A file and its content."""

    file: JoinedFile
    name: str
    """Name of the file in messages to the operator."""
    info: SourceInfo | None
    """`None` for a file that was not opened: it is assumed to equal the others, and its name has its only time."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """A file that holds a variable."""

    number: int
    """Position of the file."""
    name: str
    info: VariableInfo


@dataclass(slots=True)
class _JoinFindings:
    """Findings about files and variables so far."""

    findings: list[Finding] = field(default_factory=list)

    def warn(self, place: str, message: str) -> None:
        self.findings.append(Finding("warning", place, message))


def join(collection: str, surveyed: Sequence[Surveyed], findings: Sequence[Finding] = ()) -> Joined:
    """Return the files as one source. Files that do not fit are skipped with a finding each.

    Args:
        collection: Id, for messages.
        surveyed: Files in the order of their names; the first file with a time is used for it.
        findings: Findings about files that cannot be joined.

    Raises:
        UnsupportedSource: Nothing fits.
    """
    problems = _JoinFindings(list(findings))
    opened = [x.info for x in surveyed if x.info is not None]
    names = dict.fromkeys(name for info in opened for name in info.variables)
    variables: dict[str, JoinedVariable] = {}
    for name in names:
        holders = [
            _Holder(number, x.name, x.info.variables[name])
            for number, x in enumerate(surveyed)
            if x.info is not None and name in x.info.variables
        ]
        joined = _join_variable(holders, surveyed, problems)
        if joined is not None:
            variables[name] = joined
    if not variables:
        reasons = [x.message.removeprefix(LEFT_OUT) for x in problems.findings]
        raise UnsupportedSource(f"none of {len(surveyed)} files can be served; {reasons[0] if reasons else 'no times'}")
    all_findings = (
        *dict.fromkeys(problems.findings),
        *_file_findings(surveyed),
        *_lacking_findings(surveyed, variables),
    )
    info = replace(opened[0], variables={name: x.info for name, x in variables.items()}, findings=tuple(all_findings))
    return Joined(collection, [x.file for x in surveyed], variables, info)


def _join_variable(
    holders: Sequence[_Holder], surveyed: Sequence[Surveyed], problems: _JoinFindings
) -> JoinedVariable | None:
    fitting = _select_common_meaning(_select_common_grid(holders, problems), problems)
    dated_files = _date_files(fitting, surveyed, problems)
    if not dated_files:
        return None
    times = join_times([x.times for x in dated_files])
    _report_times(times, dated_files, problems)
    encoding = common_encoding({x.info.encoding for x in fitting})
    encodings = {x.name: FileEncoding(x.info.stated or x.info.encoding, x.info.encoding) for x in fitting}
    problems.findings += encoding_findings(fitting[0].info.name, encodings, encoding)
    levels, made = _common_levels([x.info for x in fitting])
    info = replace(fitting[0].info, encoding=encoding, levels=levels, made_levels=made, times=times.domain)
    return JoinedVariable(
        info=info,
        slots=tuple(dated_files[source].number for source, _index in times.slices),
        stored_times=tuple(dated_files[source].stored_times[position] for source, position in times.slices),
    )


def _select_common_grid(holders: Sequence[_Holder], problems: _JoinFindings) -> list[_Holder]:
    grids = (holder.info.grid for holder in holders)
    common = most_common(grids, lambda x, other: turn_of(x, other) is not None)
    are_fitting = [turn_of(holder.info.grid, common) is not None for holder in holders]
    is_each_alone = sum(are_fitting) == 1  # no two files have the same grid, as granules of a track
    for holder in compress(holders, map(not_, are_fitting)):
        grid = holder.info.grid
        has_moved = is_each_alone and grid.crs == common.crs and grid.bbox != common.bbox
        problems.warn(holder.name, f"{LEFT_OUT}{DIFFERENT_PLACES if has_moved else _difference(grid, common)}")
    return list(compress(holders, are_fitting))


def most_common(values: Iterable[Value], are_alike: Callable[[Value, Value], bool]) -> Value:
    """Return the value with the most equals by `are_alike`; among equally common values the first."""
    kinds: list[list[Value]] = []
    for value in values:
        kind = next((kind for kind in kinds if are_alike(value, kind[0])), None)
        if kind is None:
            kinds.append(kind := [])
        kind.append(value)
    return max(kinds, key=len)[0]


def _difference(grid: NativeGrid, common: NativeGrid) -> str:
    if grid.crs != common.crs:
        difference = f"its CRS is {grid.crs.name[:40]}, that of most files {common.crs.name[:40]}"
    elif (grid.width, grid.height) != (common.width, common.height):
        difference = f"it is {grid.width} x {grid.height} pixels, most files {common.width} x {common.height}"
    elif abs(grid.resolution - common.resolution) > common.resolution * 1e-4:
        difference = f"its pixels are {grid.resolution:.6g} wide, those of most files {common.resolution:.6g}"
    else:
        difference = f"its corner is at {_corner(grid)}, that of most files at {_corner(common)}"
    return f"{difference}; bring it to that grid, or {APART}"


def _corner(grid: NativeGrid) -> str:
    return f"({grid.transform.c:.10g}, {grid.transform.f:.10g})"


def _select_common_meaning(holders: Sequence[_Holder], problems: _JoinFindings) -> list[_Holder]:
    """Return the files with the most common units, kind of values (classes or not) and kind of times."""
    counted = Counter(
        (each.info.encoding.units, each.info.is_categorical, each.info.times.is_climatology) for each in holders
    )
    (units, is_categorical, is_climatology), _count = counted.most_common(1)[0]
    fitting = []
    for each in holders:
        info = each.info
        if info.encoding.units != units:
            message = (
                f"{info.name} is in {info.encoding.units}, in most files in {units}; set units: for the variable if "
                f"the numbers mean the same, else {APART}"
            )
        elif info.is_categorical != is_categorical:
            message = f"{info.name} has classes in some files and values in others; {APART}"
        elif info.times.is_climatology != is_climatology:
            message = f"{info.name} is a climatology in some files and of single times in others; {APART}"
        else:
            fitting.append(each)
            continue
        problems.warn(each.name, f"{LEFT_OUT}{message}")
    return fitting


@dataclass(frozen=True, slots=True)
class _DatedFile:
    """A file that holds times of a variable."""

    number: int
    """Position of the file."""
    name: str
    times: TimeDomain
    stored_times: tuple[StoredTime | None, ...]
    """(time,): keys of the times in the file; `None` for the only time of a file that was not opened."""


def _date_files(fitting: Sequence[_Holder], surveyed: Sequence[Surveyed], problems: _JoinFindings) -> list[_DatedFile]:
    """Return files that fit, and files that were not opened, with their times."""
    infos = {file.number: file.info for file in fitting}
    dated = []
    for number, file in enumerate(surveyed):
        if file.info is not None and number not in infos:
            continue
        span, info = file.file.span, infos.get(number)
        if info is not None and len(info.times):
            dated.append(_DatedFile(number, file.name, info.times, stored_times(info.times)))
        elif span is not None:
            is_climatology = fitting[0].info.times.is_climatology
            times = TimeDomain(np.array([span.start]), np.array([span.end]), is_climatology=is_climatology)
            dated.append(_DatedFile(number, file.name, times, (None,)))
        else:
            problems.warn(file.name, f"{LEFT_OUT}it has no time, neither inside nor in its name; set time_pattern:")
    return dated


def _report_times(times: JoinedTimes, dated: Sequence[_DatedFile], problems: _JoinFindings) -> None:
    """Add findings about skipped times and unused bounds."""
    repeated: dict[int, list[tuple[Slice, Slice]]] = {}
    for dropped, chosen in times.repeated:
        repeated.setdefault(dropped.source, []).append((dropped, chosen))
    replaced = list[str]()
    for source, pairs in repeated.items():
        (dropped, chosen), count = pairs[0], len(dated[source].times)
        chosen_name = dated[chosen.source].name
        if count == 1 and precedence_of(dated[source].name) != precedence_of(chosen_name):
            replaced.append(f"{dated[source].name} by {chosen_name}")
            continue
        if count == 1:
            message = f"{LEFT_OUT}of the same time as {chosen_name}"
        else:
            first = format_instant(dated[source].times.instants[dropped.position])
            message = (
                f"{LEFT_OUT}{len(pairs)} of its {count} times, the first {first}: {chosen_name} has them too and "
                "comes first"
            )
        problems.warn(dated[source].name, message)
    problems.findings += replaced_findings(replaced)
    if times.unlike is not None:
        message = (
            "the bounds of its times are shorter than a day or do not hold their coordinate, those of other files are "
            "periods; the times of all files go by their coordinates, not by the starts of their bounds"
        )
        problems.findings.append(Finding("note", dated[times.unlike].name, message))


def _common_levels(infos: Sequence[VariableInfo]) -> tuple[tuple[NativeGrid, ...], frozenset[int]]:
    """Return levels that all files have, and the positions of levels that a file does not store."""
    levels: list[NativeGrid] = []
    made: set[int] = set()
    for level in infos[0].levels:
        numbers = [
            next((n for n, x in enumerate(info.levels) if turn_of(x, level) is not None), None) for info in infos
        ]
        if None in numbers:
            continue
        if any(number in info.made_levels for number, info in zip(numbers, infos, strict=True)):
            made.add(len(levels))
        levels.append(level)
    return tuple(levels), frozenset(made)


def _file_findings(surveyed: Sequence[Surveyed]) -> Iterator[Finding]:
    """Yield findings of opening the files; the same finding about several files is yielded once."""
    files: dict[Finding, list[str]] = {}
    for file in surveyed:
        for finding in file.info.findings if file.info is not None else ():
            files.setdefault(finding, []).append(file.name)
    opened = sum(file.info is not None for file in surveyed)
    for finding, names in files.items():
        if len(names) == opened:
            yield finding
        else:
            yield replace(finding, place=f"{finding.place} in {list_names(names, most=_NAMED_FILES)}")


def _lacking_findings(surveyed: Sequence[Surveyed], variables: Mapping[str, JoinedVariable]) -> Iterator[Finding]:
    """Yield findings about times that only other variables have."""
    files: dict[Instant, str] = {}
    for variable in variables.values():
        starts = variable.info.times.starts
        files |= {start: surveyed[slot].name for start, slot in zip(starts, variable.slots, strict=True)}
    names: dict[str, list[str]] = {}
    for name, variable in variables.items():
        missing = files.keys() - set(variable.info.times.starts)
        if missing:
            lacking = list(dict.fromkeys(files[start] for start in sorted(missing)))
            message = f"{len(missing)} of {len(files)} times are missing, of which only other variables are in "
            names.setdefault(message + list_names(lacking, most=_NAMED_FILES), []).append(name)
    for message, lacking in names.items():
        many = f"{len(lacking)} variables, such as {lacking[0]}"
        yield Finding("warning", lacking[0] if len(lacking) == 1 else many, message)
