"""Findings about data that could be served better: pixels, overviews, nodata, times (`chronotile check`)."""

import logging
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from chronotile.archive.check_items import items_findings
from chronotile.archive.findings import add_places, merge_findings, style_findings, value_findings
from chronotile.archive.open import Archive
from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.passes import SourcePasses
from chronotile.core.errors import SourceUnavailable
from chronotile.core.finding import Finding
from chronotile.core.model.collection import Collection
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.style import Style
from chronotile.core.model.time.instants import DAY, format_instant
from chronotile.core.model.types import Instant
from chronotile.core.yaml_source import list_names
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.styling.load import find_styles
from chronotile.readers.derived.alignment import describe_missing_dates
from chronotile.readers.elsewhere import OPENING_S
from chronotile.readers.hrefs import base_name
from chronotile.readers.kinds import kind_of_spec
from chronotile.readers.library_errors import one_line, origin_of
from chronotile.readers.reader import Reader
from chronotile.readers.sample import observed_range

log = logging.getLogger(__name__)

LARGE_PX = 8 << 20
"""A level with more pixels than this is slow to show whole."""

PROBE_SIDE_PX = 64
PROBES = 5
"""Large grids are sampled by `PROBES` by `PROBES` windows of `PROBE_SIDE_PX` rows and columns."""
MAX_READ_S = 30.0
"""Time limit per collection for reading pixels; the remaining variables are skipped."""


def check_archive(archive: Archive, passes: SourcePasses | None = None) -> Iterator[Finding]:
    """Yield findings about every source that opened.

    Args:
        archive: The open archive.
        passes: Passes over the sources of collections of items; `None`: the state of the index is not checked.
    """
    yield from _items_findings(archive, passes)
    yield from _flag_findings(archive)
    services = archive.services
    place_names = {finding.place for finding in archive.findings}
    checks = BoundedChecks(OPENING_S)
    for collection in services.catalogue.collections:
        if services.elsewhere.is_away(collection.id):
            continue  # the archive has a finding about it already
        check = partial(_all_findings, archive, collection, place_names)
        late = [Finding("error", collection.id, f"its source does not answer within {OPENING_S:g} s")]
        findings = checks.run(collection.id, check, last_value=late) if collection.id in services.elsewhere else check()
        yield from add_places(findings, archive.configuration)


def _items_findings(archive: Archive, passes: SourcePasses | None) -> Iterator[Finding]:
    """Yield findings about collections of items; the index is opened only if any exists."""
    specs = [spec for spec in archive.specs.values() if spec.items is not None]
    index = archive.services.reader_caches.items if specs else None
    if not isinstance(index, ItemIndex):
        return
    for spec in specs:
        try:
            findings = list(items_findings(spec, index, passes))
        except SourceUnavailable as error:
            findings = [Finding("error", spec.collection, f"its index cannot be inspected: {error.message}")]
        yield from add_places(findings, archive.configuration)


def _all_findings(archive: Archive, collection: Collection, known_places: AbstractSet[str]) -> list[Finding]:
    """Return findings about one collection; an error of any library becomes a finding."""
    findings: list[Finding] = []
    try:
        findings.extend(_collection_findings(archive, collection, known_places))
    except Exception as error:  # the check continues with the other collections
        log.debug("a source cannot be inspected", exc_info=error)
        findings.append(Finding("error", collection.id, f"it cannot be inspected: {one_line(origin_of(error))}"))
    return findings


def _collection_findings(archive: Archive, collection: Collection, known_places: AbstractSet[str]) -> Iterator[Finding]:
    services, stored = archive.services, archive.specs[collection.id].stored
    yield from _future_findings(collection, services.clock())
    files = list(kind_of_spec(stored).findings(stored, known_places))
    yield from files
    damaged = [file.place for file in files if file.severity == "error"]
    variable_findings = _variable_findings(collection, services.readers[collection.id], archive, damaged)
    yield from merge_findings(collection.id, chain(variable_findings, _clear_findings(collection, services.catalogue)))


def _clear_findings(collection: Collection, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield a note for each layer whose mask of clear pixels has no data at some dates."""
    for layer in collection.layers:
        clear = catalogue.clear.get(layer.id)
        if clear is not None and clear.mask is not None:
            text = describe_missing_dates(layer.times.starts, clear.times, [clear.mask.variable])
            if text:
                yield Finding("note", layer.main_variable.name, f"its clear pixels are unknown at {text}")


def _variable_findings(
    collection: Collection, reader: Reader, archive: Archive, damaged: Sequence[str]
) -> Iterator[Finding]:
    """Yield findings about pixels; `damaged` has the places of findings about files, which are not reported again."""
    variables = {variable.name: variable for layer in collection.layers for variable in layer.variables}
    styles = {x.content.name: x.styles[0] for x in collection.layers if isinstance(x.content, VariableInfo)}
    end = time.monotonic() + MAX_READ_S
    for number, variable in enumerate(variables.values()):
        if number and time.monotonic() > end:
            count = f"{number} of {len(variables)} variables"
            yield Finding("note", variable.name, f"only pixels of the first {count} were read, in {MAX_READ_S:g} s")
            return
        newest = max(0, len(variable.times) - 1)
        probes, failure = list[Pixels](), None
        try:  # read all windows, as each of them may fail
            windows = _probes(variable.grid)
            probes = [reader.read_window(variable.name, index=newest, level=0, window=w) for w in windows]
        except SourceUnavailable as error:
            failure = error
        try:  # `observed_range` reads other times if the newest is damaged
            sampled = replace(variable, observed_range=observed_range(reader, variable.name))
        except SourceUnavailable as error:
            failure = failure or error
        else:
            yield from _pixel_findings(sampled, probes)
            if variable.name in styles:
                yield from style_findings(sampled, styles[variable.name])
            if archive.discovery is None and variable.observed_range is None:  # not reported by opening the archive
                yield from value_findings(sampled, archive.state.styles)
        if failure is not None:
            # The file with all bands of the time, if one exists; messages of joined files name theirs.
            file = base_name(reader.raster_file(variable.name, newest) or "")
            if not file or not any(place.endswith(file) for place in damaged):
                message = f"{file and f'{file}: '}{one_line(origin_of(failure))}; replace the file"
                yield Finding("error", variable.name, f"its pixels cannot be read: {message}")
        yield from _overview_findings(variable)


def _flag_findings(archive: Archive) -> Iterator[Finding]:
    """Yield warnings about configured styles that colour flags missing from all variables with the style."""
    configured = {} if archive.discovery else find_styles([archive.configuration.folder_of() / "styles"])
    flags: dict[Style, set[str]] = {}
    for layer in archive.services.catalogue.layers:
        names = {name for variable in layer.variables for _number, name in variable.encoding.flags}
        for style in layer.styles:
            flags[style] = flags.get(style, set()) | names
    for style, variable_flags in flags.items():
        unknown = [name for name, _colour in style.flags if name not in variable_flags]
        if style.id in configured and unknown:
            message = f"colours the flags {list_names(unknown)}, which no variable has; masked cells are as nodata"
            yield Finding("warning", f"style {style.id}", message)


def _future_findings(collection: Collection, now: Instant) -> Iterator[Finding]:
    times = max((layer.times for layer in collection.layers), key=len)
    beyond = times.instants[times.instants > now + DAY]
    if beyond.size:
        message = (
            f"{beyond.size} times are in the future, the first {format_instant(beyond[0])}; they are never the "
            "default date; check the file names or the time axis"
        )
        yield Finding("warning", collection.id, message)


def _pixel_findings(variable: VariableInfo, probes: Sequence[Pixels]) -> Iterator[Finding]:
    """Yield findings if no sampled cell has a value, or if encoding and mask mark no missing values."""
    if variable.observed_range is None:
        yield Finding("warning", variable.name, _why_no_value(variable, probes))
    encoding = variable.encoding
    is_masked = not probes or probes[0].valid is not None
    is_declared = encoding.nodata is not None or encoding.valid_range or encoding.flags or is_masked
    if not is_declared and encoding.dtype[0] in "iu" and not variable.classes:
        message = "declares no nodata, so every number is a value; set nodata: if one is not"
        yield Finding("note", variable.name, message)


def _why_no_value(variable: VariableInfo, probes: Sequence[Pixels]) -> str:
    """Return the message for a variable without a valid sampled value; `probes` are windows of its newest time."""
    nodata = np.nan if variable.encoding.nodata is None else variable.encoding.nodata
    if probes and all((np.isnan(probe.numbers) | (probe.numbers == nodata)).all() for probe in probes):
        return f"no value is valid in the sampled times; all sampled cells of the newest time are nodata ({nodata:g})"
    return "no value is valid in the sampled times; compare nodata with the files"


def _probes(grid: NativeGrid) -> list[Window]:
    """Return windows of a grid: the whole grid if it is small, else `PROBES` by `PROBES` windows spread over it."""
    if grid.width * grid.height <= LARGE_PX:
        return [Window(0, grid.height, 0, grid.width)]
    height, width = min(PROBE_SIDE_PX, grid.height), min(PROBE_SIDE_PX, grid.width)
    rows = [round(step * (grid.height - height) / (PROBES - 1)) for step in range(PROBES)]
    columns = [round(step * (grid.width - width) / (PROBES - 1)) for step in range(PROBES)]
    return [Window(row, row + height, column, column + width) for row in rows for column in columns]


def _overview_findings(variable: VariableInfo) -> Iterator[Finding]:
    stored = variable.stored_levels
    coarsest = stored[max(stored)]
    if coarsest.width * coarsest.height > LARGE_PX:
        problem = "has no overviews" if len(stored) == 1 else "has too few overviews"
        until = " until a preview of the date exists" if variable.made_levels else ""
        message = (
            f"{problem}: a map of its whole extent reads {coarsest.width} x {coarsest.height} pixels{until}; "
            "add overviews (gdaladdo -r average FILE 2 4 8 16, or coarser groups that multiscales lists)"
        )
        yield Finding("warning", variable.name, message)
