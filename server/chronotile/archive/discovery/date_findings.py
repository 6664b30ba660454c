"""Findings about dates in file names that were guessed, or not understood."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from chronotile.archive.discovery.collection import DiscoveredCollection
from chronotile.archive.discovery.drafts import Draft, escape_pattern
from chronotile.archive.discovery.names import is_known, mask_satellite_letter, strip_suffix
from chronotile.core.finding import Finding
from chronotile.core.model.time.instants import TimeSpan, format_day
from chronotile.core.yaml_source import list_names
from chronotile.readers.dated_files import times_in_names
from chronotile.readers.dates import all_years, earlier_date, find_time
from chronotile.readers.name_parts import DATE_GROUPS, PART_KINDS, parts_after

TIME_REMEDY = (
    r"time_pattern: with the group (?P<time>…), or for a date in parts the groups (?P<year>\d{4}), (?P<month>\d\d), "
    + list_names([f"(?P<{name}>…)" for name in DATE_GROUPS[2:]])
)
"""Remedy: how a configuration finds the date in a name."""
_IF_WRONG = f"; if that is wrong, write a configuration with {TIME_REMEDY}"
_WITH_DIGIT = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*\d)[A-Za-z0-9]+(?![A-Za-z0-9])")
_OBSERVED = re.compile(r"(?<![A-Za-z])(?:A|d|s|D|doy)\d{6}|^S3[A-D_]_[A-Z]{2}_\d_\w+\.SEN3")
"""A date of observation with its prefix, or a product of Sentinel-3: the number of its frame may be 1980."""
_FIRST_LIKELY = "1940"
_SIX_DIGITS = re.compile(r"(?<!\d)19(?:0[1-9]|1[0-2])\d\d(?!\d)")
_VERSION = re.compile(r"[vV]\d+|[SL][1-9CEOT][0-9A-D]?\d?|M[OY]D\d.*")
"""Versions and satellites, which have separate findings."""


def date_findings(collections: Sequence[DiscoveredCollection], root: Path) -> Iterator[Finding]:
    """Yield findings about guessed and doubtful dates, and about numbers in names that may be part of a date."""
    for collection in collections:
        if collection.draft.time_pattern is not None:
            yield from _findings_on(collection.draft)
    groups: dict[tuple[object, str], list[DiscoveredCollection]] = {}
    for collection in collections:
        if collection.draft.kind.options.has_bands:
            groups.setdefault((collection.grid, _mask_numbers(collection.draft)), []).append(collection)
    for group in groups.values():
        if len(group) > 1 and not all(collection.is_undated for collection in group):
            drafts = [collection.draft for collection in group]
            names = [draft.files[0].name for draft in drafts]
            message = (
                f"{len(drafts)} collections on one grid, {list_names(names, most=3)}, differ in numbers of their names "
                "only: if these are part of the date, or differ from product to product, write a configuration with "
                f"href: {masked_href([draft.files[0].as_posix() for draft in drafts])} and {TIME_REMEDY}"
            )
            yield Finding("warning", root.name, message)


def masked_href(names: Sequence[str]) -> str:
    """Return a pattern for all names, with `*` for each run of letters and digits in which they differ."""
    parts = [re.split(r"([A-Za-z0-9]+)", name) for name in names]
    if len({len(part) for part in parts}) > 1:
        return f"*{Path(names[0]).suffix}"
    columns = zip(*parts, strict=True)
    return "".join(escape_pattern(column[0]) if len(set(column)) == 1 else "*" for column in columns)


def _mask_numbers(draft: Draft) -> str:
    """Return a file name of the collection without its satellite's letter and without possible parts of a date."""

    def mask(word: re.Match[str]) -> str:
        return word[0] if is_known(word[0]) or _VERSION.fullmatch(word[0]) else "#"

    return _WITH_DIGIT.sub(mask, mask_satellite_letter(strip_suffix(draft.files[0].as_posix())))


def _findings_on(draft: Draft) -> Iterator[Finding]:
    """Yield at most one finding about a collection, with the first file that it applies to."""
    spans = {Path(path).name: span for path, _text, span in times_in_names(_paths(draft), draft.time_pattern)}
    for name, span in spans.items():
        doubt = None if span is None else _doubt(name, span)
        if doubt is not None:
            yield Finding("warning", draft.id, f"{name}: {doubt}{_IF_WRONG}")
            return
    name, span = next(iter(spans.items()))
    guess = None if span is None else _guess(name, span, draft)
    if guess is not None:
        yield Finding("note", draft.id, f"{name}: {guess}{_IF_WRONG}")


def _paths(draft: Draft) -> list[str]:
    return [(draft.root / path).as_posix() for path in draft.files]


def _doubt(name: str, span: TimeSpan) -> str | None:
    """Return a reason why the time of a name may be wrong."""
    day = format_day(span.start)
    years = {year for year in all_years(name) if year < int(day[:4])}
    if years and not _OBSERVED.search(name):
        return f"its date is read as {day}, and it has the year {min(years)} too"
    if day < _FIRST_LIKELY and _SIX_DIGITS.search(name):
        return f"its digits are read as the month {day[:7]}, and may be a day with a year of two digits"
    earlier = earlier_date(name, span)
    return earlier and f"its date is read as {day}, and it has the earlier date {format_day(earlier.start)} too"


def _guess(name: str, span: TimeSpan, draft: Draft) -> str | None:
    """Return a note about parts of a time that were inferred from other names, or could not be."""
    date = find_time(strip_suffix(name))
    if date is None:
        return f"{format_day(span.start)[:4]} is read as the year of the data"
    parts = [part for kind in PART_KINDS if (part := parts_after(strip_suffix(name), date, kind))]
    used = [part for part in parts if part.whole.span == span]
    if used and used[0].kind in {"hour", "dekad", "pentad", "half"}:
        return f"{name[used[0].date.stop : used[0].whole.stop]} after its date is read as the {used[0].kind}"
    if used and len(draft.files) == 1:
        return f"its dates are read as a period from {format_day(span.start)} to {format_day(span.end)}"
    if parts and not used and len(draft.files) == 1:
        return f"{name[date.stop : parts[0].whole.stop]} after its date is not read as a part of the time"
    return None
