"""Files of a source, with their variables and times."""

import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.time.domain import NO_TIME, TimeDomain, domain_of_bounds
from chronotile.core.model.time.instants import DAY, ONE_NS, TimeSpan
from chronotile.core.printable import is_unicode
from chronotile.core.yaml_source import list_names
from chronotile.readers.dates import find_folder_time, find_time
from chronotile.readers.hrefs import (
    base_name,
    is_data_file,
    is_pattern_elsewhere,
    is_product,
    local_path,
    names_among,
    without_query,
)
from chronotile.readers.name_parts import find_times, has_time_of_day, precedence_of, time_of_groups
from chronotile.readers.safe_zips import find_faulty_zips, find_members, is_file

VARIABLE = "{variable}"
SIDE_FILES = (".aux.xml", ".ovr", ".msk", ".xml", ".json", ".txt", ".csv", ".prj")
"""Endings of files next to rasters, which a wide pattern also matches."""

APART = "make it a collection of its own"
"""Remedy for files that do not fit the other files of their source."""

NOT_UNICODE = "whose names are not UTF-8; rename them"

NOT_LISTED = (
    "a pattern of files elsewhere cannot be listed; name one file for each collection, or write the files as one "
    "Zarr store (chronotile optimise new)"
)

_PROCESSING = re.compile(r"_N(\d{4})_R\d{3}_(?:[^/]*_(\d{8})T(\d{6}))?[^/]*\.SAFE/")
"""Processing baseline of a Sentinel-2 product, and the day and time of its processing."""

TIME_FORMS = "20190604, 2019-06-04, 2019/06/04, 20190604T105031, 2019155, 2019-06-d2, 2019-W23, 201906, 2019-Q2, 2019"
"""Examples of texts that `time_pattern` may find."""


@dataclass(frozen=True, slots=True)
class DatedFiles:
    """Files in the order of their times: one per time, or a single file without time."""

    paths: tuple[str, ...]
    times: TimeDomain
    findings: tuple[Finding, ...] = field(default=())


def find_files(spec: SourceSpec) -> dict[str | None, tuple[str, ...]]:
    """Return files by the text that stands for `{variable}` in their paths; by `None` if the href has no `{variable}`.

    Raises:
        UnsupportedSource: No file matches.
    """
    if spec.files:
        return {None: spec.files}
    if VARIABLE not in spec.href:
        return {None: _matching(spec.href, spec)}
    if spec.variables:
        names = [variable.name or variable.id for variable in spec.variables.values()]
        return {name: _matching(spec.href.replace(VARIABLE, name), spec) for name in names}
    if local_path(spec.href) is None:
        raise UnsupportedSource(NOT_LISTED)
    files: dict[str | None, list[str]] = {}
    pattern = _variable_pattern(spec.href)
    for path in _matching(spec.href.replace(VARIABLE, "*"), spec):
        match = pattern.fullmatch(path)
        if match:
            files.setdefault(match["variable"], []).append(path)
    return {name: tuple(paths) for name, paths in files.items()}


def date_files(paths: Sequence[str], spec: SourceSpec) -> DatedFiles:
    """Return the files in the order of their times; skipped files are findings.

    Raises:
        UnsupportedSource: No file has a time, although there are several files or a `time_pattern`.
    """
    if spec.time_pattern is None and len(paths) == 1:
        return DatedFiles(tuple(paths), NO_TIME)
    spans, findings = _spans_of(paths, spec)
    if not spans:
        raise UnsupportedSource(_undated(paths, spec.time_pattern, findings[0]))
    names = dict(zip(paths, names_among(paths), strict=True))
    by_start: dict[np.datetime64, tuple[str, TimeSpan]] = {}
    replaced: list[str] = []
    for path in sorted(spans, key=_precedence):
        span = spans[path]
        if span.start in by_start:
            first = by_start[span.start][0]
            if _precedence(first) != _precedence(path):
                replaced.append(f"{names[path]} by {names[first]}")
                continue
            findings.append(Finding("warning", names[path], f"left out: of the same time as {names[first]}"))
            continue
        by_start[span.start] = path, span
    findings += replaced_findings(replaced)
    starts = np.array(sorted(by_start), dtype="datetime64[ns]")
    ends = np.array([by_start[start][1].end for start in starts], dtype="datetime64[ns]")
    if np.any(ends - starts == ONE_NS):  # instants exist, so a midnight among them is an instant, not a day
        has_time = [bool(spec.time_pattern) or _has_time_of_day(by_start[start][0]) for start in starts]
        is_midnight = (ends - starts == DAY) & has_time
        ends = np.where(is_midnight, starts + ONE_NS, ends)
    domain = domain_of_bounds(starts, ends)
    return DatedFiles(tuple(by_start[start][0] for start in starts), domain, tuple(findings))


def _precedence(path: str) -> tuple[int, ...]:
    # Like `precedence_of`; products of newer baselines and later processing are first.
    processing = _PROCESSING.search(path)
    numbers = processing.groups("0") if processing else ("0", "0", "0")
    return (*precedence_of(base_name(path)), *(-int(number) for number in numbers))


def replaced_findings(replaced: Sequence[str]) -> list[Finding]:
    """Return a note that counts texts such as `NDVI-RT0.tif by NDVI-RT6.tif`, if there are any."""
    if not replaced:
        return []
    count = "1 file" if len(replaced) == 1 else f"{len(replaced)} files"
    examples = list_names(sorted(replaced), most=3)
    return [Finding("note", count, f"replaced by more consolidated ones or newer runs of the same times: {examples}")]


def _has_time_of_day(path: str) -> bool:
    date = find_time(base_name(path))
    return date is not None and has_time_of_day(base_name(path), date)


def _matching(pattern: str, spec: SourceSpec) -> tuple[str, ...]:
    local = local_path(pattern)
    if local is None:
        if is_pattern_elsewhere(pattern):
            raise UnsupportedSource(NOT_LISTED)
        return (pattern,)
    if is_file(str(local)) or is_product(str(local)):
        return (str(local),)
    if local.is_dir():
        raise UnsupportedSource(f"{local.name} is a folder; name files in it, such as {local.name}/*.tif")
    every = (path for path in _globbed(local) if not path.endswith(SIDE_FILES))
    paths = tuple(path for path in every if path not in spec.left_out)
    if not paths:
        unnamed = len(find_unnamed(spec))
        raise UnsupportedSource(f"no file matches {local.name}" + (f" but {unnamed} {NOT_UNICODE}" if unnamed else ""))
    return paths


def _globbed(pattern: Path) -> list[str]:
    return [path for path in _every(pattern) if is_unicode(path)]


def _every(pattern: Path) -> list[str]:
    found = glob.iglob(str(pattern), recursive=True)  # noqa: PTH207 -- pathlib cannot glob from an absolute pattern
    return sorted([*filter(is_data_file, found), *find_members(str(pattern))])


def find_unnamed(spec: SourceSpec) -> list[str]:
    """Return the files that match a pattern but whose names are not UTF-8, so that no answer could contain them."""
    local = local_path(spec.href.replace(VARIABLE, "*"))
    return [] if local is None or local.is_file() else [path for path in _every(local) if not is_unicode(path)]


def zip_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield a warning for each ZIP file that a pattern matches, but whose product is not read."""
    local = local_path(spec.href.replace(VARIABLE, "*"))
    for file, reason in find_faulty_zips(str(local)) if local is not None else ():
        yield Finding("warning", f"{spec.collection}: {base_name(file)}", f"{LEFT_OUT}{reason}")


def find_skipped(spec: SourceSpec) -> list[str]:
    """Return matching files that have no ending of a raster and are not side files of a matching raster."""
    local = local_path(spec.href.replace(VARIABLE, "*"))
    if local is None or local.is_file() or not glob.has_magic(str(local)):
        return []
    found = _globbed(local)
    stems = {path.rpartition(".")[0] for path in found if not path.endswith(SIDE_FILES)}
    side = [path for path in found if path.endswith(SIDE_FILES)]
    return [path for path in side if not any(stem in stems or stem in found for stem in _stems(path))]


def _stems(path: str) -> list[str]:
    # Possible paths of the raster of a side file: `a` and `a.tif` for `a.tif.aux.xml`.
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _variable_pattern(href: str) -> re.Pattern[str]:
    """The glob as a regular expression; its group `variable` matches the shortest possible text."""
    names = iter(["(?P<variable>[^/]+?)"])
    parts = re.split(r"(\{variable\}|\*\*/?|\*|\?)", str(local_path(href)))
    meanings = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(
            next(names, "(?P=variable)") if part == VARIABLE else meanings.get(part, re.escape(part)) for part in parts
        )
    )


def _spans_of(paths: Sequence[str], spec: SourceSpec) -> tuple[dict[str, TimeSpan], list[Finding]]:
    spans: dict[str, TimeSpan] = {}
    findings: list[Finding] = []
    names = dict(zip(paths, names_among(paths), strict=True))
    for path, text, span in times_in_names(paths, spec.time_pattern):
        if span is not None:
            spans[path] = span
            continue
        reason = (
            f"found {text[:40]!r}, which is not a valid time; accepted are {TIME_FORMS}"
            if text
            else "no time in its name"
        )
        findings.append(Finding("warning", names[path], f"{LEFT_OUT}{reason}"))
    return spans, findings


def times_in_names(paths: Sequence[str], pattern: str | None) -> Iterator[tuple[str, str, TimeSpan | None]]:
    """Yield each path with the text found by `time_pattern`, and the time in that text; without pattern, in the name.

    Raises:
        UnsupportedSource: The pattern is not a regular expression, or lacks the groups of a time.
    """
    if pattern is None:
        yield from ((path, "", span) for path, span in _named_times(paths))
        return
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UnsupportedSource(f"time_pattern is not a valid regular expression: {error}") from error
    if not {"time", "year"} & set(expression.groupindex):
        raise UnsupportedSource("time_pattern has no group (?P<time>…), and no (?P<year>…) for a date in parts")
    for path in paths:
        match = expression.search(without_query(path))
        groups = match.groupdict() if match else {}
        text = groups.get("time") or "-".join(filter(None, groups.values()))
        yield path, text, time_of_groups(groups) if text else None


def _named_times(paths: Sequence[str]) -> Iterator[tuple[str, TimeSpan | None]]:
    """Times in the names of the files; if no name has one, in the names of their folders, if these differ."""
    named = [time and time.span for time in find_times([base_name(path) for path in paths])]
    if not any(named):
        found_times = [find_folder_time(without_query(path).split("/")[:-1]) for path in paths]
        spans = [folder_time.found.span if folder_time else None for folder_time in found_times]
        named = spans if len(set(spans) - {None}) > 1 else named
    return zip(paths, named, strict=True)


def _undated(paths: Sequence[str], pattern: str | None, first: Finding) -> str:
    if pattern is None:
        return (
            f"{len(paths)} files match and their names contain no times; set time_pattern: with a group (?P<time>…), "
            "or with a group for each part: (?P<year>…), (?P<month>…), (?P<day>…)"
        )
    reason = first.message.removeprefix(LEFT_OUT)
    return f"time_pattern finds no time in any of {len(paths)} files, such as {first.place}: {reason}"
