"""One collection found in a folder: its source opened, its variables named and given styles."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from chronotile.archive.describe import counted, grid_text, times_text
from chronotile.archive.discovery.drafts import Draft
from chronotile.archive.discovery.names import as_id, as_title, without_suffix
from chronotile.archive.discovery.variables import distinct, holds_dated_bands, raster_variables, true_colour_of
from chronotile.archive.findings import value_findings
from chronotile.catalog.default_styles import default_style, widen_range
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import VariableInfo, VariableSpec
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Style
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY, TimeSpan, format_day, format_instant
from chronotile.core.model.time.periods import DEKAD, add_months
from chronotile.core.yaml_source import list_names
from chronotile.readers.dates import time_of_name
from chronotile.readers.kinds import open_source
from chronotile.readers.library_errors import one_line, origin_of
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.sample import observed_range, sampled_level

TRUE_COLOUR = "TRUE_COLOUR"
FURTHER_STYLES = ("greys", "viridis")
"""Styles that every ramp may be exchanged for."""

MAX_VARIABLES = 200
"""Variables of a collection that a folder's files give; each is a layer with a style, and takes time at the start."""

MAX_SAMPLED = 12
"""Variables of a collection whose values are looked at in full; of the others less is."""

MOST_CELLS = 200_000_000
"""Cells of all variables that are looked at (20 ms for a million of a GRIB message); the others are taken to be like
these."""

LEAST_CELLS = 400_000
"""What a variable counts for, however small."""

_NAMELESS = re.compile(r"band\d+")

Section = dict[str, object]
"""A part of a configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredCollection:
    """A collection as a configuration has it."""

    draft: Draft
    source: Section
    """The section `source` without `kind` and `href`."""
    title: str | None
    """Where the source has none of its own."""
    variables: Mapping[str, Section]
    composites: Mapping[str, Section]
    comments: tuple[str, ...]
    """Notes about its files, for readers of the configuration."""
    findings: tuple[Finding, ...]
    grid: NativeGrid
    """Of its first variable."""
    is_undated: bool
    """Whether it is a single raster file without time, which may be one time of several."""


def found_collection(draft: Draft, styles: Mapping[str, Style], caches: ReaderCaches) -> DiscoveredCollection:
    """Return what a draft's files hold; what is read of them is cached in `caches`.

    Raises:
        UnsupportedSource: They cannot be served; the message gives the reason.
    """
    if draft.kind.options.has_bands and draft.time_pattern is not None and holds_dated_bands(draft.first):
        draft = replace(draft, time_pattern=None)
    variables, spans, findings = _variables(draft, caches)
    if len(variables) > MAX_VARIABLES:
        message = f"{LEFT_OUT}the first {MAX_VARIABLES} are served; name those to serve in a configuration"
        findings = (*findings, Finding("warning", counted(len(variables), "variable"), message))
        variables = variables[:MAX_VARIABLES]
    starts, ends = np.array([span.start for span in spans]), np.array([span.end for span in spans])
    reader = open_source(draft.spec(variables, TimeDomain(starts, ends) if spans else None), caches)
    try:
        found = _described(draft, reader, variables=variables, spans=spans, styles=styles)
        left_out = [_placed(draft, each) for each in findings if each not in reader.info.findings]
        return replace(found, findings=(*left_out, *found.findings))
    finally:
        reader.close()


def _variables(
    draft: Draft, caches: ReaderCaches
) -> tuple[tuple[VariableSpec, ...], Sequence[TimeSpan], tuple[Finding, ...]]:
    """The variables as they are to be configured, the times that the source does not tell, and what was found in it.

    A source that is opened without configured variables also has findings on what of it cannot be served.
    """
    if draft.kind.options.has_bands:
        found = raster_variables(draft)
        return found.variables, found.band_times, found.findings
    reader = open_source(replace(draft.spec(), has_each_step=True), caches)
    infos, findings = reader.info.variables, reader.info.findings
    reader.close()
    ids = distinct([as_id(name) or f"variable{number}" for number, name in enumerate(infos, start=1)])
    variables = tuple(
        VariableSpec(id=own, name=None if own == name else name)
        if (part := infos[name].part) is None
        else replace(part, id=own)
        for own, name in zip(ids, infos, strict=True)
    )
    if len(draft.files) > 1:
        return variables, (), findings
    named = time_of_name(without_suffix(draft.files[0].name))
    is_dated = any(len(info.times) for info in infos.values())
    return variables, () if is_dated or named is None else (named,), findings


def _described(
    draft: Draft,
    reader: Reader,
    *,
    variables: Sequence[VariableSpec],
    spans: Sequence[TimeSpan],
    styles: Mapping[str, Style],
) -> DiscoveredCollection:
    findings: list[Finding] = []
    infos = _with_ranges(draft, reader, findings)
    first = next(iter(infos.values()))
    present = [each for each in variables if each.id in infos]
    sections = {each.id: _names(each) | _styling(infos[each.id], styles) for each in present}
    source: Section = {"time_pattern": draft.time_pattern} if draft.time_pattern else {}
    if spans:
        source = {"times": times_section(spans)}
    shapes = [f"{times_text(each.times)}, {grid_text(each.grid)}, {each.encoding.dtype}" for each in infos.values()]
    odd = [finding for info in infos.values() for finding in value_findings(info, styles)]
    findings += [_placed(draft, each) for each in (*odd, *_nameless_bands(sections))]
    return DiscoveredCollection(
        draft=draft,
        source=source,
        title=None if reader.info.title else as_title(draft.text),
        variables=sections,
        composites=_composites(infos),
        comments=(*dict.fromkeys(shapes), *_range_comments(sections, styles, odd)),
        findings=tuple(findings),
        grid=first.grid,
        is_undated=draft.kind.options.has_bands and len(draft.files) == 1 and not len(first.times),
    )


def _names(variable: VariableSpec) -> Section:
    """What says where the variable is, if not the id."""
    name: Section = {} if variable.name is None else {"name": variable.name}
    steps = {step.dimension: step.value if step.index is None else {"index": step.index} for step in variable.select}
    part: Section = {"select": steps, "title": as_title(variable.title or variable.id)} if steps else {}
    return name | part | ({} if variable.band is None else {"band": variable.band})


def _with_ranges(draft: Draft, reader: Reader, findings: list[Finding]) -> dict[str, VariableInfo]:
    """The variables with the range of their values.

    Raises:
        UnsupportedSource: No variable's pixels can be read.
    """
    infos: dict[str, VariableInfo] = {}
    cells, unseen = 0, 0
    for number, (name, info) in enumerate(reader.info.variables.items()):
        level = info.levels[sampled_level(info)]
        cells += max(LEAST_CELLS, level.width * level.height)
        is_nameless = _NAMELESS.fullmatch(name) is not None  # bands of one kind, mostly its times
        if number >= MAX_SAMPLED and (is_nameless or cells > MOST_CELLS):
            unseen += not is_nameless
            infos[name] = replace(info, observed_range=_common_range(infos.values(), info))
            continue
        try:
            infos[name] = replace(info, observed_range=observed_range(reader, name, is_brief=number >= MAX_SAMPLED))
        except SourceUnavailable as error:
            if len(info.times) > 1:
                infos[name] = info
            reason = f"its pixels cannot be read: {one_line(origin_of(error))}"
            findings.append(_placed(draft, Finding("error", name, reason)))
    if unseen:
        message = "their values were not looked at: their ranges are those of others in the same units; set range:"
        findings.append(_placed(draft, Finding("note", counted(unseen, "variable"), message)))
    if not infos:
        raise UnsupportedSource(reason)
    return infos


def _common_range(sampled: Iterable[VariableInfo], like: VariableInfo) -> tuple[float, float] | None:
    ranges = [each.observed_range for each in sampled if each.observed_range and each.encoding == like.encoding]
    return (min(low for low, _high in ranges), max(high for _low, high in ranges)) if ranges else None


def _styling(info: VariableInfo, styles: Mapping[str, Style]) -> Section:
    """The style that suits the variable, those it may be exchanged for, and the range of all of them."""
    style = default_style(info, styles, layer=info.name)
    if style.id not in styles:
        return {}
    if style.is_categorical:
        return {"styles": [style.id]}
    others = [name for name in FURTHER_STYLES if name in styles and name != style.id]
    bounds = list(style.range) if style.range == styles[style.id].range else _rounded(*style.range)
    return {"styles": [style.id, *others], "range": bounds}


def _rounded(low: float, high: float) -> list[float]:
    """The range, outwards to two digits of its width; whole numbers as such."""
    step = 10.0 ** (math.floor(math.log10(high - low)) - 1) if high > low else 1.0
    digits = max(0, -math.floor(math.log10(step)))
    ends = round(math.floor(low / step) * step, digits), round(math.ceil(high / step) * step, digits)
    return [int(end) if end.is_integer() else end for end in ends]


def _composites(infos: Mapping[str, VariableInfo]) -> dict[str, Section]:
    names = true_colour_of(infos)
    if names is None:
        return {}
    bands = [infos[name] for name in names]
    if all(band.encoding.dtype == "uint8" and band.encoding.scale == 1 for band in bands):
        return {TRUE_COLOUR: {"variables": list(names), "range": [0, 255]}}
    ranges = [band.observed_range or (0.0, 1.0) for band in bands]
    low, high = min(0.0, *(low for low, _high in ranges)), max(high for _low, high in ranges)
    return {TRUE_COLOUR: {"variables": list(names), "range": _rounded(*widen_range(low, high))}}


def _nameless_bands(sections: Mapping[str, Section]) -> Iterable[Finding]:
    nameless = [name for name in sections if _NAMELESS.fullmatch(name)]
    if len(nameless) > MAX_SAMPLED:
        message = "they have no names; if they are times, set times: in a configuration"
        yield Finding("note", f"{len(nameless)} bands", message)


def _range_comments(
    sections: Mapping[str, Section], styles: Mapping[str, Style], odd: Sequence[Finding]
) -> Iterable[str]:
    """Where ranges come from that are of no style, and what makes them wrong."""
    sampled = [name for name, each in sections.items() if "range" in each and not _is_of_style(each, styles)]
    if sampled:
        yield "range: from a sample of the newest times; widen it if values of other seasons lie beyond"
    unscaled = [name for name in sampled if any(finding.place == name for finding in odd)]
    if unscaled:
        yield (
            f"{list_names(unscaled, most=MAX_SAMPLED)}: if you set scale: and offset:, remove range: or write it in "
            "scaled values; as it is, it has the numbers of the files"
        )


def _is_of_style(section: Section, styles: Mapping[str, Style]) -> bool:
    names, bounds = section["styles"], section["range"]
    return isinstance(names, list) and bounds == list(styles[names[0]].range)


def _placed(draft: Draft, finding: Finding) -> Finding:
    return replace(finding, place=f"{draft.id}: {finding.place}")


def times_section(spans: Sequence[TimeSpan]) -> object:
    """Return what `times:` says of spans that ascend: dekads that follow one another as such, others as a list."""
    first = spans[0].start
    follows = all(earlier.end == later.start for earlier, later in pairwise(spans))
    if follows and all(
        (DEKAD.step(each.start, 0), DEKAD.step(each.start, 1)) == (each.start, each.end) for each in spans
    ):
        return {"start": format_day(first), "step": "dekad", "count": len(spans)}
    return [_text(span) for span in spans]


def _text(span: TimeSpan) -> str:
    """The shortest text that names the span, or else its start."""
    day = format_day(span.start)
    if span.end == span.start + DAY:
        return day
    if day.endswith("-01") and span.end == add_months(span.start, 1):
        return day[:7]
    if day.endswith("-01-01") and span.end == add_months(span.start, 12):
        return day[:4]
    return format_instant(span.start)
