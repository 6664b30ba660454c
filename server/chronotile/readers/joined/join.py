"""How files that each hold some times become one source, and which of them do not fit in."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from chronotile.readers.files import APART
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.joined.encoding_findings import FileEncoding, encoding_findings
from chronotile.readers.joined.source import Joined, JoinedFile, JoinedVariable, OwnName, own_names, turn_of

Value = TypeVar("Value")

_NAMED_FILES = 3
"""Of many files of which the same is found, this many are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """A file, and what it holds."""

    file: JoinedFile
    name: str
    """Of its file, for messages to the operator."""
    info: SourceInfo | None
    """`None` of one that was not opened; it is taken to be like the others, and its name has its only time."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """A file that holds a variable."""

    number: int
    """Of the file."""
    name: str
    info: VariableInfo


@dataclass(slots=True)
class _Found:
    """What was found so far: of a file, or of a variable."""

    findings: list[Finding] = field(default_factory=list)

    def warn(self, place: str, message: str) -> None:
        self.findings.append(Finding("warning", place, message))


def join(collection: str, surveyed: Sequence[Surveyed], findings: Sequence[Finding] = ()) -> Joined:
    """Return the files as one source, those that do not fit left out with a finding each.

    Args:
        collection: Id, for messages.
        surveyed: In the order of their names: of two that hold the same time the first counts.
        findings: Of files that cannot be joined.

    Raises:
        UnsupportedSource: Nothing fits.
    """
    found = _Found(list(findings))
    opened = [each.info for each in surveyed if each.info is not None]
    names = dict.fromkeys(name for info in opened for name in info.variables)
    variables: dict[str, JoinedVariable] = {}
    for name in names:
        holders = [
            _Holder(number, each.name, each.info.variables[name])
            for number, each in enumerate(surveyed)
            if each.info is not None and name in each.info.variables
        ]
        joined = _joined_variable(holders, surveyed, found)
        if joined is not None:
            variables[name] = joined
    if not variables:
        reasons = [each.message.removeprefix(LEFT_OUT) for each in found.findings]
        raise UnsupportedSource(f"none of {len(surveyed)} files can be served; {reasons[0] if reasons else 'no times'}")
    all_findings = (*dict.fromkeys(found.findings), *_file_findings(surveyed), *_lacking_findings(surveyed, variables))
    info = replace(
        opened[0], variables={name: each.info for name, each in variables.items()}, findings=tuple(all_findings)
    )
    return Joined(collection, [each.file for each in surveyed], variables, info)


def _joined_variable(holders: Sequence[_Holder], surveyed: Sequence[Surveyed], found: _Found) -> JoinedVariable | None:
    fitting = _of_common_meaning(_of_common_grid(holders, found), found)
    dated = _dated(fitting, surveyed, found)
    if not dated:
        return None
    times = join_times([each.times for each in dated])
    _tell_of_times(times, dated, found)
    encoding = common_encoding({each.info.encoding for each in fitting})
    encodings = {
        each.name: FileEncoding(each.info.stated or each.info.encoding, each.info.encoding) for each in fitting
    }
    found.findings += encoding_findings(fitting[0].info.name, encodings, encoding)
    levels, made = _common_levels([each.info for each in fitting])
    info = replace(fitting[0].info, encoding=encoding, levels=levels, made_levels=made, times=times.domain)
    return JoinedVariable(
        info=info,
        slots=tuple(dated[source].number for source, _index in times.slices),
        names=tuple(dated[source].names[position] for source, position in times.slices),
    )


def _of_common_grid(holders: Sequence[_Holder], found: _Found) -> list[_Holder]:
    grids = (each.info.grid for each in holders)
    common = most_common(grids, lambda own, other: turn_of(own, other) is not None)
    fitting = []
    for each in holders:
        if turn_of(each.info.grid, common) is not None:
            fitting.append(each)
        else:
            found.warn(each.name, f"{LEFT_OUT}{_difference(each.info.grid, common)}")
    return fitting


def most_common(values: Iterable[Value], are_alike: Callable[[Value, Value], bool]) -> Value:
    """Return the value that most are alike; of equally common ones the first."""
    kinds: list[list[Value]] = []
    for value in values:
        kind = next((kind for kind in kinds if are_alike(value, kind[0])), None)
        if kind is None:
            kinds.append(kind := [])
        kind.append(value)
    return max(kinds, key=len)[0]


def _difference(own: NativeGrid, common: NativeGrid) -> str:
    if own.crs != common.crs:
        what = f"its CRS is {own.crs.name[:40]}, that of most files {common.crs.name[:40]}"
    elif (own.width, own.height) != (common.width, common.height):
        what = f"it is {own.width} x {own.height} pixels, most files {common.width} x {common.height}"
    elif abs(own.resolution - common.resolution) > common.resolution * 1e-4:
        what = f"its pixels are {own.resolution:.6g} wide, those of most files {common.resolution:.6g}"
    else:
        what = f"its corner is at {_corner(own)}, that of most files at {_corner(common)}"
    return f"{what}; bring it to that grid, or {APART}"


def _corner(grid: NativeGrid) -> str:
    return f"({grid.transform.c:.10g}, {grid.transform.f:.10g})"


def _of_common_meaning(holders: Sequence[_Holder], found: _Found) -> list[_Holder]:
    """Those of the units that most have, classes or not as most are."""
    counted = Counter(
        (each.info.encoding.units, each.info.is_categorical, each.info.times.is_climatology) for each in holders
    )
    (units, is_categorical, is_climatology), _count = counted.most_common(1)[0]
    fitting = []
    for each in holders:
        own = each.info
        if own.encoding.units != units:
            message = (
                f"{own.name} is in {own.encoding.units}, in most files in {units}; set units: for the variable if "
                f"the numbers mean the same, else {APART}"
            )
        elif own.is_categorical != is_categorical:
            message = f"{own.name} has classes in some files and values in others; {APART}"
        elif own.times.is_climatology != is_climatology:
            message = f"{own.name} is a climatology in some files and of single times in others; {APART}"
        else:
            fitting.append(each)
            continue
        found.warn(each.name, f"{LEFT_OUT}{message}")
    return fitting


@dataclass(frozen=True, slots=True)
class _Dated:
    """A file that holds times of a variable."""

    number: int
    """Of the file."""
    name: str
    times: TimeDomain
    names: tuple[OwnName | None, ...]
    """(time,): what the file itself calls each."""


def _dated(fitting: Sequence[_Holder], surveyed: Sequence[Surveyed], found: _Found) -> list[_Dated]:
    """The files that fit, and those not opened, each with its times."""
    infos = {each.number: each.info for each in fitting}
    dated = []
    for number, each in enumerate(surveyed):
        if each.info is not None and number not in infos:
            continue
        span, own = each.file.span, infos.get(number)
        if own is not None and len(own.times):
            dated.append(_Dated(number, each.name, own.times, own_names(own.times)))
        elif span is not None:
            is_climatology = fitting[0].info.times.is_climatology
            times = TimeDomain(np.array([span.start]), np.array([span.end]), is_climatology=is_climatology)
            dated.append(_Dated(number, each.name, times, (None,)))
        else:
            found.warn(each.name, f"{LEFT_OUT}it has no time, neither inside nor in its name; set time_pattern:")
    return dated


def _tell_of_times(times: JoinedTimes, dated: Sequence[_Dated], found: _Found) -> None:
    """Note the times that are left out, and that some bounds are not used."""
    repeated: dict[int, list[tuple[Slice, Slice]]] = {}
    for dropped, chosen in times.repeated:
        repeated.setdefault(dropped.source, []).append((dropped, chosen))
    for source, pairs in repeated.items():
        (dropped, chosen), count = pairs[0], len(dated[source].times)
        chosen_name = dated[chosen.source].name
        if count == 1:
            message = f"{LEFT_OUT}of the same time as {chosen_name}"
        else:
            first = format_instant(dated[source].times.instants[dropped.position])
            message = (
                f"{LEFT_OUT}{len(pairs)} of its {count} times, the first {first}: {chosen_name} has them too and "
                "comes first"
            )
        found.warn(dated[source].name, message)
    if times.unlike is not None:
        message = (
            "the bounds of its times are shorter than a day or do not hold their coordinate, those of other files are "
            "periods; the times of all files go by their coordinates, not by the starts of their bounds"
        )
        found.findings.append(Finding("note", dated[times.unlike].name, message))


def _common_levels(infos: Sequence[VariableInfo]) -> tuple[tuple[NativeGrid, ...], frozenset[int]]:
    """The levels that all have, and which of them some do not store."""
    levels: list[NativeGrid] = []
    made: set[int] = set()
    for level in infos[0].levels:
        numbers = [
            next((n for n, own in enumerate(info.levels) if turn_of(own, level) is not None), None) for info in infos
        ]
        if None in numbers:
            continue
        if any(number in info.made_levels for number, info in zip(numbers, infos, strict=True)):
            made.add(len(levels))
        levels.append(level)
    return tuple(levels), frozenset(made)


def _file_findings(surveyed: Sequence[Surveyed]) -> Iterator[Finding]:
    """The findings of opening the files, the same of several once."""
    files: dict[Finding, list[str]] = {}
    for each in surveyed:
        for finding in each.info.findings if each.info is not None else ():
            files.setdefault(finding, []).append(each.name)
    opened = sum(each.info is not None for each in surveyed)
    for finding, names in files.items():
        if len(names) == opened:
            yield finding
        else:
            yield replace(finding, place=f"{finding.place} in {list_names(names, most=_NAMED_FILES)}")


def _lacking_findings(surveyed: Sequence[Surveyed], variables: Mapping[str, JoinedVariable]) -> Iterator[Finding]:
    """That a variable lacks times which others have, and the files of those."""
    files: dict[Instant, str] = {}
    for variable in variables.values():
        starts = variable.info.times.starts
        files |= {start: surveyed[slot].name for start, slot in zip(starts, variable.slots, strict=True)}
    for name, variable in variables.items():
        missing = files.keys() - set(variable.info.times.starts)
        if missing:
            lacking = list(dict.fromkeys(files[start] for start in sorted(missing)))
            message = f"{len(missing)} of {len(files)} times are missing, of which only other variables are in "
            yield Finding("warning", name, message + list_names(lacking, most=_NAMED_FILES))
