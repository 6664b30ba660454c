"""Findings about data that could be served better: pixels, overviews, nodata, times (`chronotile check`)."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from pathlib import Path

from chronotile.archive.findings import add_places, style_findings, value_findings
from chronotile.archive.open import Archive
from chronotile.catalog.items.index import ItemFaults, ItemIndex
from chronotile.catalog.items.passes import SourcePasses
from chronotile.core.errors import SourceUnavailable
from chronotile.core.finding import Finding
from chronotile.core.model.collection import Collection
from chronotile.core.model.items import Asset, ItemSearch
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableInfo
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.style import Style
from chronotile.core.model.time.instants import DAY, format_instant
from chronotile.core.model.types import Instant
from chronotile.core.yaml_source import list_names
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.styling.load import find_styles
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.elsewhere import OPENING_S
from chronotile.readers.hrefs import base_name, local_path
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
    except Exception as error:  # the findings of all other collections are reported
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
    yield from _merge(collection.id, variable_findings)


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
        probe, failure = None, None
        try:  # read all windows, as each of them may fail
            probes = _probes(variable.grid)
            probe, *_rest = (reader.read_window(variable.name, index=newest, level=0, window=p) for p in probes)
        except SourceUnavailable as error:
            failure = error
        try:  # falls back to other times if the newest is damaged
            sampled = replace(variable, observed_range=observed_range(reader, variable.name))
        except SourceUnavailable as error:
            failure = failure or error
        else:
            yield from _pixel_findings(sampled, probe)
            if variable.name in styles:
                yield from style_findings(sampled, styles[variable.name])
            if archive.discovery is None and variable.observed_range is None:  # else opening the archive reported it
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


def _merge(collection: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings, joining equal findings about several variables."""
    places: dict[Finding, list[str]] = {}
    for finding in findings:
        places.setdefault(replace(finding, place=collection), []).append(finding.place)
    for finding, names in places.items():
        yield replace(finding, place=f"{collection}: {list_names(names, most=6)}")


def _future_findings(collection: Collection, now: Instant) -> Iterator[Finding]:
    times = max((layer.times for layer in collection.layers), key=len)
    beyond = times.instants[times.instants > now + DAY]
    if beyond.size:
        message = (
            f"{beyond.size} times are in the future, the first {format_instant(beyond[0])}; they are never the "
            "default date; check the file names or the time axis"
        )
        yield Finding("warning", collection.id, message)


def _pixel_findings(variable: VariableInfo, probe: Pixels | None) -> Iterator[Finding]:
    """Yield findings if no sampled cell has a value, or if encoding and mask mark no missing values."""
    if variable.observed_range is None:
        yield Finding("warning", variable.name, "no value is valid in the sampled times; compare nodata with the files")
    encoding = variable.encoding
    is_masked = probe is None or probe.valid is not None
    is_declared = encoding.nodata is not None or encoding.valid_range or encoding.flags or is_masked
    if not is_declared and encoding.dtype[0] in "iu" and not variable.classes:
        message = "declares no nodata, so every number is a value; set nodata: if one is not"
        yield Finding("note", variable.name, message)


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
        what = "has no overviews" if len(stored) == 1 else "has too few overviews"
        until = " until a preview of the date exists" if variable.made_levels else ""
        message = (
            f"{what}: a map of its whole extent reads {coarsest.width} x {coarsest.height} pixels{until}; "
            "add overviews (gdaladdo -r average FILE 2 4 8 16, or coarser groups that multiscales lists)"
        )
        yield Finding("warning", variable.name, message)


SAMPLE = 500
"""Number of newest items whose files are checked."""
LARGE_FILE_PX = 8 << 20
"""A file with more pixels than this is slow to show whole."""
REMEDY = "run chronotile index"


def items_findings(spec: SourceSpec, index: ItemIndex, passes: SourcePasses | None) -> Iterator[Finding]:
    """Yield findings about a collection of items and its index; no file is opened.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    name = spec.collection
    if spec.is_live:
        items = index.faults(name).items
        message = f"is live: searches are passed to its API; {items} items that they found are in the index"
        yield Finding("note", name, message)
        return
    messages = list(_index_findings(spec, index, passes))
    faults = index.faults(name)
    if spec.items is not None and spec.items.settings.order_by is not None and faults.unranked:
        messages.append(_ranking_message(spec.items, faults))
    messages += _file_findings(spec, index)
    yield from (Finding("warning", name, message) for message in messages)


def _index_findings(spec: SourceSpec, index: ItemIndex, passes: SourcePasses | None) -> Iterator[str]:
    """Yield differences between the index and the configuration or the source."""
    if spec.items is not None and index.settings(spec.collection) not in {None, spec.items.settings}:
        yield f"its index groups or orders the items in another way than the configuration; {REMEDY}"
    if passes is None:
        return
    age_s = passes.whole_age_s(spec.collection)
    if age_s is None:
        yield f"its index was never filled completely from its source; {REMEDY}"
        return
    path = local_path(spec.href)
    if path is not None and path.is_file() and path.stat().st_mtime > time.time() - age_s + 1:
        yield f"{path.name} has changed since its index was filled; {REMEDY}"
    for problem in passes.problems(spec.collection):
        keys = ", ".join(Path(key).name for key in problem.keys)
        yield f"parts of its source that are not indexed: {problem.count}, {problem.reason} ({keys})"


def _ranking_message(items: ItemsSpec, faults: ItemFaults) -> str:
    """Return a message about items without the property that sorts them."""
    order_by, is_by_nodata = items.settings.order_by, items.mosaic.rule == "least_nodata"
    if is_by_nodata and faults.unranked == faults.items:
        return (
            f"no item has a number {order_by}, by which mosaic.rule least_nodata sorts them: they are sorted by id, as "
            "with rule first; set mosaic.order_by to the property that has their share of missing values"
        )
    key = "mosaic.rule least_nodata" if is_by_nodata else "mosaic.order_by"
    lacking = f"{faults.unranked} of {faults.items} items have no number {order_by}"
    return f"{lacking}, by which {key} sorts them; they come last"


def _file_findings(spec: SourceSpec, index: ItemIndex) -> Iterator[str]:
    """Yield messages about assets and files that the newest items lack, and about files without overviews."""
    page = index.search(ItemSearch(collections=(spec.collection,), limit=SAMPLE))
    items = index.assets([item.ref.number for item in page.items])
    lacking, without_overviews, missing_files = Counter[str](), Counter[str](), Counter[str]()
    asset_names = {variable.asset or variable.id for variable in spec.stored.variables.values()}
    for assets in items.values():
        assets_by_name = {asset.name: asset for asset in assets}
        lacking.update(asset_names - assets_by_name.keys())
        # Remote files are not checked.
        paths = {name: local_path(assets_by_name[name].href) for name in asset_names & assets_by_name.keys()}
        missing_files.update(name for name, path in paths.items() if path is not None and not path.exists())
        without_overviews.update(
            name for name in asset_names & assets_by_name.keys() if _has_no_overviews(assets_by_name[name])
        )
    newest = f"of the {len(items)} newest items" if page.next else f"of {len(items)} items"
    for name, count in sorted(lacking.items()):
        yield f"{count} {newest} have no asset {name}; they are left out of its layers"
    for name, count in sorted(missing_files.items()):
        yield f"{count} {newest} have lost the file of asset {name}; they are left out of its layers"
    for name, count in sorted(without_overviews.items()):
        yield (
            f"asset {name} {newest} has no overviews in {count}: a map of a whole file reads all of its pixels; add "
            "overviews (gdaladdo -r average FILE 2 4 8 16)"
        )


def _has_no_overviews(asset: Asset) -> bool:
    """Return whether the index has the header of a file, which is large and has one resolution."""
    if asset.header is None:
        return False
    try:
        images = CogHeader.from_bytes(asset.header).images
    except ValueError:  # of another version
        return False
    return len(images) == 1 and images[0].width * images[0].height > LARGE_FILE_PX
