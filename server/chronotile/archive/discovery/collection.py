"""One collection of a folder: opens its source, names its variables and chooses styles."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from chronotile.archive.describe import count_text, grid_text, times_text
from chronotile.archive.discovery.backscatter import decibel_findings, decibel_layers
from chronotile.archive.discovery.drafts import Draft
from chronotile.archive.discovery.names import as_id, as_title, strip_suffix
from chronotile.archive.discovery.variables import distinct, holds_dated_bands, raster_variables, true_colour_of
from chronotile.archive.findings import merge_findings, value_findings
from chronotile.catalog.default_styles import default_style, widen_range
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.source import SourceInfo, VariableInfo, VariableSpec
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
from chronotile.readers.stac.drafts import DraftSection

TRUE_COLOUR = "TRUE_COLOUR"
FURTHER_STYLES = ("greys", "viridis")
"""Styles that can replace every ramp."""

MAX_VARIABLES = 200
"""Maximum number of variables of a discovered collection; each is a layer with a style and takes time at start."""

MAX_SAMPLED = 12
"""Number of variables of a collection that are sampled in full; others are sampled briefly."""

MAX_CELLS = 200_000_000
"""Total number of sampled cells (20 ms per million for GRIB); other variables get the range of sampled ones."""

MIN_CELLS = 400_000
"""Minimum number of cells that a variable counts for."""

_NAMELESS = re.compile(r"band\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredCollection:
    """A collection in the form of a configuration."""

    draft: Draft
    source: DraftSection
    """The section `source` without `kind` and `href`."""
    title: str | None
    """Title derived from names; `None` if the source has a title."""
    variables: Mapping[str, DraftSection]
    composites: Mapping[str, DraftSection]
    comments: tuple[str, ...]
    """Notes about its files, for readers of the configuration."""
    findings: tuple[Finding, ...]
    grid: NativeGrid
    """Grid of its first variable."""
    is_undated: bool
    """Whether it is a single raster file without time, possibly one of several times."""
    other_groups: tuple[str, ...] = ()
    """Other groups of its files with rasters, which become separate collections."""


def describe_collection(draft: Draft, styles: Mapping[str, Style], caches: ReaderCaches) -> DiscoveredCollection:
    """Open the files of a draft and describe them as a collection; data read from them stays in `caches`.

    Raises:
        UnsupportedSource: The files cannot be served; the message gives the reason.
    """
    if draft.kind.options.has_bands and draft.time_pattern is not None and holds_dated_bands(draft.first):
        draft = replace(draft, time_pattern=None)
    variables, spans, findings, info = _variables(draft, caches)
    if info is not None and info.group is not None and (info.group or info.other_groups):
        draft = replace(draft, group=info.group)
    if len(variables) > MAX_VARIABLES:
        message = f"{LEFT_OUT}the first {MAX_VARIABLES} are served; name those to serve in a configuration"
        findings = (*findings, Finding("warning", count_text(len(variables), "variable"), message))
        variables = variables[:MAX_VARIABLES]
    starts, ends = np.array([span.start for span in spans]), np.array([span.end for span in spans])
    reader = open_source(draft.spec(variables, TimeDomain(starts, ends) if spans else None), caches)
    try:
        collection = _describe(draft, reader, variables=variables, spans=spans, styles=styles)
        missing = {variable.name or variable.id for variable in variables if variable.id not in reader.info.variables}
        # Findings about variables that are served: opening the collection will report them again.
        later = {finding for finding in reader.info.findings if finding.place not in missing}
        all_findings = dict.fromkeys((*findings, *reader.info.findings))
        left_out = merge_findings(draft.id, (finding for finding in all_findings if finding not in later))
        groups = () if info is None else info.other_groups
        return replace(collection, findings=(*left_out, *collection.findings), other_groups=groups)
    finally:
        reader.close()


def _variables(
    draft: Draft, caches: ReaderCaches
) -> tuple[tuple[VariableSpec, ...], Sequence[TimeSpan], tuple[Finding, ...], SourceInfo | None]:
    """Return the variables for the configuration, times that the source itself does not have, findings and content.

    A source that is opened without configured variables also reports its unsupported variables.
    """
    if draft.kind.options.has_bands:
        raster = raster_variables(draft)
        return raster.variables, raster.band_times, raster.findings, None
    reader = open_source(replace(draft.spec(), has_each_step=True), caches)
    infos, findings = reader.info.variables, reader.info.findings
    if reader.info.other_groups:  # these groups become separate collections
        findings = tuple(f for f in findings if f.place not in reader.info.other_groups)
    reader.close()
    ids = distinct([as_id(name) or f"variable{number}" for number, name in enumerate(infos, start=1)])
    variables = tuple(
        VariableSpec(id=id_, name=None if id_ == name else name)
        if (part := infos[name].part) is None
        else replace(part, id=id_)
        for id_, name in zip(ids, infos, strict=True)
    )
    if len(draft.files) > 1:
        return variables, (), findings, reader.info
    name_span = time_of_name(strip_suffix(draft.files[0].name))
    is_dated = any(len(info.times) for info in infos.values())
    return variables, () if is_dated or name_span is None else (name_span,), findings, reader.info


def _describe(
    draft: Draft,
    reader: Reader,
    *,
    variables: Sequence[VariableSpec],
    spans: Sequence[TimeSpan],
    styles: Mapping[str, Style],
) -> DiscoveredCollection:
    findings: list[Finding] = []
    infos = _sample_ranges(draft, reader, findings)
    first = next(iter(infos.values()))
    present = [variable for variable in variables if variable.id in infos]
    sections = {p.id: _names(p) | _styling(infos[p.id], styles) for p in present}
    source: DraftSection = {"time_pattern": draft.time_pattern} if draft.time_pattern else {}
    if spans:
        source = {"times": times_section(spans)}
    if draft.group is not None:
        source["group"] = draft.group or "/"
    shapes = [f"{times_text(x.times)}, {grid_text(x.grid)}, {x.encoding.dtype}" for x in infos.values()]
    odd = [finding for info in infos.values() for finding in value_findings(info, styles)]
    decibels, backscatter = decibel_layers(infos)
    findings += [_add_draft_id(draft, x) for x in (*odd, *_nameless_bands(sections), *decibel_findings(decibels))]
    return DiscoveredCollection(
        draft=draft,
        source=source,
        title=None if reader.info.title else as_title(draft.text),
        variables=decibels | sections,
        composites=_composites(infos) | backscatter,
        comments=(*dict.fromkeys(shapes), *_range_comments(sections, styles, odd)),
        findings=tuple(findings),
        grid=first.grid,
        is_undated=draft.kind.options.has_bands and len(draft.files) == 1 and not len(first.times),
    )


def _names(variable: VariableSpec) -> DraftSection:
    """Return the members that locate the variable if its id does not."""
    name: DraftSection = {} if variable.name is None else {"name": variable.name}
    steps = {step.dimension: step.value if step.index is None else {"index": step.index} for step in variable.select}
    part: DraftSection = {"select": steps, "title": as_title(variable.title or variable.id)} if steps else {}
    return name | part | ({} if variable.band is None else {"band": variable.band})


def _sample_ranges(draft: Draft, reader: Reader, findings: list[Finding]) -> dict[str, VariableInfo]:
    """Return the variables with the ranges of their values.

    Raises:
        UnsupportedSource: No variable's pixels can be read.
    """
    infos: dict[str, VariableInfo] = {}
    cells, unseen = 0, 0
    for number, (name, info) in enumerate(reader.info.variables.items()):
        level = info.levels[sampled_level(info)]
        cells += max(MIN_CELLS, level.width * level.height)
        is_nameless = _NAMELESS.fullmatch(name) is not None  # such bands are mostly times of one variable
        if number >= MAX_SAMPLED and (is_nameless or cells > MAX_CELLS):
            unseen += not is_nameless
            infos[name] = replace(info, observed_range=_common_range(infos.values(), info))
            continue
        try:
            infos[name] = replace(info, observed_range=observed_range(reader, name, is_brief=number >= MAX_SAMPLED))
        except SourceUnavailable as error:
            if len(info.times) > 1:
                infos[name] = info
            reason = f"its pixels cannot be read: {one_line(origin_of(error))}"
            findings.append(_add_draft_id(draft, Finding("error", name, reason)))
    if unseen:
        message = "their values were not sampled: they have the range of variables with the same encoding; set range:"
        findings.append(_add_draft_id(draft, Finding("note", count_text(unseen, "variable"), message)))
    if not infos:
        raise UnsupportedSource(reason)
    return infos


def _common_range(sampled: Iterable[VariableInfo], like: VariableInfo) -> tuple[float, float] | None:
    ranges = [s.observed_range for s in sampled if s.observed_range and s.encoding == like.encoding]
    return (min(low for low, _high in ranges), max(high for _low, high in ranges)) if ranges else None


def _styling(info: VariableInfo, styles: Mapping[str, Style]) -> DraftSection:
    """Return the style of a variable, alternative styles, and their common range."""
    style = default_style(info, styles, layer=info.name)
    if style.id not in styles:
        return {}
    if style.is_categorical:
        return {"styles": [style.id]}
    alternatives = [name for name in FURTHER_STYLES if name in styles and name != style.id]
    bounds = list(style.range) if style.range == styles[style.id].range else _round_range(*style.range)
    return {"styles": [style.id, *alternatives], "range": bounds}


def _round_range(low: float, high: float) -> list[float]:
    """Round a range outwards to two digits of its width."""
    step = 10.0 ** (math.floor(math.log10(high - low)) - 1) if high > low else 1.0
    digits = max(0, -math.floor(math.log10(step)))
    ends = round(math.floor(low / step) * step, digits), round(math.ceil(high / step) * step, digits)
    return [int(end) if end.is_integer() else end for end in ends]


def _composites(infos: Mapping[str, VariableInfo]) -> dict[str, DraftSection]:
    names = true_colour_of(infos)
    if names is None:
        return {}
    bands = [infos[name] for name in names]
    if all(band.encoding.dtype == "uint8" and band.encoding.scale == 1 for band in bands):
        return {TRUE_COLOUR: {"variables": list(names), "range": [0, 255]}}
    ranges = [band.observed_range or (0.0, 1.0) for band in bands]
    low, high = min(0.0, *(low for low, _high in ranges)), max(high for _low, high in ranges)
    return {TRUE_COLOUR: {"variables": list(names), "range": _round_range(*widen_range(low, high))}}


def _nameless_bands(sections: Mapping[str, DraftSection]) -> Iterable[Finding]:
    nameless = [name for name in sections if _NAMELESS.fullmatch(name)]
    if len(nameless) > MAX_SAMPLED:
        message = "they have no names; if they are times, set times: in a configuration"
        yield Finding("note", f"{len(nameless)} bands", message)


def _range_comments(
    sections: Mapping[str, DraftSection], styles: Mapping[str, Style], odd: Sequence[Finding]
) -> Iterable[str]:
    """Yield comments on sampled ranges."""
    sampled = [name for name, section in sections.items() if "range" in section and not _is_of_style(section, styles)]
    if sampled:
        yield "range: from a sample of the newest times; widen it if values of other seasons lie beyond"
    unscaled = [name for name in sampled if any(finding.place == name for finding in odd)]
    if unscaled:
        yield (
            f"{list_names(unscaled, most=MAX_SAMPLED)}: if you set scale: and offset:, remove range: or write it in "
            "scaled values; it has digital numbers now"
        )


def _is_of_style(section: DraftSection, styles: Mapping[str, Style]) -> bool:
    names, bounds = section["styles"], section["range"]
    return isinstance(names, list) and bounds == list(styles[names[0]].range)


def _add_draft_id(draft: Draft, finding: Finding) -> Finding:
    return replace(finding, place=f"{draft.id}: {finding.place}")


def times_section(spans: Sequence[TimeSpan]) -> object:
    """Return the value of `times:` for ascending spans: a rule for consecutive dekads, else a list."""
    first = spans[0].start
    follows = all(earlier.end == later.start for earlier, later in pairwise(spans))
    if follows and all((DEKAD.step(s.start, 0), DEKAD.step(s.start, 1)) == (s.start, s.end) for s in spans):
        return {"start": format_day(first), "step": "dekad", "count": len(spans)}
    return [_text(span) for span in spans]


def _text(span: TimeSpan) -> str:
    """Return the shortest text for a span, or else its start."""
    day = format_day(span.start)
    if span.end == span.start + DAY:
        return day
    if day.endswith("-01") and span.end == add_months(span.start, 1):
        return day[:7]
    if day.endswith("-01-01") and span.end == add_months(span.start, 12):
        return day[:4]
    return format_instant(span.start)
