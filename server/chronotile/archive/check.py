"""What an archive could have better: pixels, overviews, blocks, nodata, times (`chronotile check`)."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from pathlib import Path

from chronotile.archive.findings import style_findings, value_findings, with_places
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
"""A level with more pixels than this takes long to show whole."""

PROBE_SIDE_PX = 64
PROBES = 5
"""Of a large grid only this many by this many small windows are read to see whether its pixels can be."""
MAX_READ_S = 30.0
"""Time limit for reading pixels of a collection; variables after it are not read."""


def check_archive(archive: Archive, passes: SourcePasses | None = None) -> Iterator[Finding]:
    """Yield what is found by looking into every source that opened.

    Args:
        archive: What is served.
        passes: Over the sources of its collections of items; `None`: they are not looked at.
    """
    yield from _items_findings(archive, passes)
    yield from _flag_findings(archive)
    services = archive.services
    known = {finding.place for finding in archive.findings}
    looks = BoundedChecks(OPENING_S)
    for collection in services.catalogue.collections:
        if services.elsewhere.is_away(collection.id):
            continue  # which is a finding already
        look = partial(_all_findings, archive, collection, known)
        late = [Finding("error", collection.id, f"its source does not answer within {OPENING_S:g} s")]
        found = looks.run(collection.id, look, last_value=late) if collection.id in services.elsewhere else look()
        yield from with_places(found, archive.configuration)


def _items_findings(archive: Archive, passes: SourcePasses | None) -> Iterator[Finding]:
    """Findings in collections of items; without any the index is not opened."""
    specs = [spec for spec in archive.specs.values() if spec.items is not None]
    index = archive.services.reader_caches.items if specs else None
    if not isinstance(index, ItemIndex):
        return
    for spec in specs:
        try:
            found = list(items_findings(spec, index, passes))
        except SourceUnavailable as error:
            found = [Finding("error", spec.collection, f"its index cannot be inspected: {error.message}")]
        yield from with_places(found, archive.configuration)


def _all_findings(archive: Archive, collection: Collection, known: AbstractSet[str]) -> list[Finding]:
    """What is found in a source, in which any library may fail in its own way."""
    found: list[Finding] = []
    try:
        found.extend(_collection_findings(archive, collection, known))
    except Exception as error:  # the findings of all other collections are reported
        log.debug("a source cannot be inspected", exc_info=error)
        found.append(Finding("error", collection.id, f"it cannot be inspected: {one_line(origin_of(error))}"))
    return found


def _collection_findings(archive: Archive, collection: Collection, known: AbstractSet[str]) -> Iterator[Finding]:
    services, stored = archive.services, archive.specs[collection.id].stored
    yield from _future_findings(collection, services.clock())
    files = list(kind_of_spec(stored).findings(stored, known))
    yield from files
    damaged = [each.place for each in files if each.severity == "error"]
    found = _variable_findings(collection, services.readers[collection.id], archive, damaged)
    yield from _merge(collection.id, found)


def _variable_findings(
    collection: Collection, reader: Reader, archive: Archive, damaged: Sequence[str]
) -> Iterator[Finding]:
    """Findings in the pixels of variables, without those of the files that are among the places of `damaged`."""
    variables = {variable.name: variable for layer in collection.layers for variable in layer.variables}
    styles = {each.content.name: each.styles[0] for each in collection.layers if isinstance(each.content, VariableInfo)}
    end = time.monotonic() + MAX_READ_S
    for number, variable in enumerate(variables.values()):
        if number and time.monotonic() > end:
            count = f"{number} of {len(variables)} variables"
            yield Finding("note", variable.name, f"only pixels of the first {count} were read, in {MAX_READ_S:g} s")
            return
        newest = max(0, len(variable.times) - 1)
        probe, failure = None, None
        try:  # all windows are read to see whether they can be
            probes = _probes(variable.grid)
            probe, *_others = (reader.read_window(variable.name, index=newest, level=0, window=each) for each in probes)
        except SourceUnavailable as error:
            failure = error
        try:  # of other times, if the newest is damaged
            seen = replace(variable, observed_range=observed_range(reader, variable.name))
        except SourceUnavailable as error:
            failure = failure or error
        else:
            yield from _pixel_findings(seen, probe)
            if variable.name in styles:
                yield from style_findings(seen, styles[variable.name])
            if archive.discovery is None and variable.observed_range is None:  # else it was reported at the opening
                yield from value_findings(seen, archive.state.styles)
        if failure is not None:
            # The name of the file that has all of the time, if there is one; messages of joined files name it.
            file = base_name(reader.raster_file(variable.name, newest) or "")
            if not file or not any(place.endswith(file) for place in damaged):
                message = f"{file and f'{file}: '}{one_line(origin_of(failure))}; replace the file"
                yield Finding("error", variable.name, f"its pixels cannot be read: {message}")
        yield from _overview_findings(variable)


def _flag_findings(archive: Archive) -> Iterator[Finding]:
    """Warnings of styles of the configuration's own that colour flags which none of their variables has."""
    own = {} if archive.discovery else find_styles([archive.configuration.folder_of() / "styles"])
    flags: dict[Style, set[str]] = {}
    for layer in archive.services.catalogue.layers:
        names = {name for variable in layer.variables for _number, name in variable.encoding.flags}
        for style in layer.styles:
            flags[style] = flags.get(style, set()) | names
    for style, known in flags.items():
        unknown = [name for name, _colour in style.flags if name not in known]
        if style.id in own and unknown:
            message = f"colours the flags {list_names(unknown)}, which no variable has; masked cells are as nodata"
            yield Finding("warning", f"style {style.id}", message)


def _merge(collection: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, those that are true of several variables once."""
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


def _pixel_findings(seen: VariableInfo, probe: Pixels | None) -> Iterator[Finding]:
    """Whether any pixel is a value, and whether the encoding, or the mask of a probe, says which are none."""
    if seen.observed_range is None:
        yield Finding("warning", seen.name, "no value is valid in the sampled times; compare nodata with the files")
    encoding = seen.encoding
    is_masked = probe is None or probe.valid is not None
    is_declared = encoding.nodata is not None or encoding.valid_range or encoding.flags or is_masked
    if not is_declared and encoding.dtype[0] in "iu" and not seen.classes:
        message = "declares no nodata, so every number is a value; set nodata: if one is not"
        yield Finding("note", seen.name, message)


def _probes(grid: NativeGrid) -> list[Window]:
    """Windows of a grid: all of a small one, else some spread over it."""
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
"""Items, the newest, whose files are looked at."""
LARGE_FILE_PX = 8 << 20
"""A file with more pixels than this takes long to show whole."""
REMEDY = "run chronotile index"


def items_findings(spec: SourceSpec, index: ItemIndex, passes: SourcePasses | None) -> Iterator[Finding]:
    """Yield what is found of a collection of items and its index; no file is opened.

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
        messages.append(_unranked(spec.items, faults))
    messages += _file_findings(spec, index)
    yield from (Finding("warning", name, message) for message in messages)


def _index_findings(spec: SourceSpec, index: ItemIndex, passes: SourcePasses | None) -> Iterator[str]:
    """Whether the index is as the configuration and the source have it."""
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


def _unranked(items: ItemsSpec, faults: ItemFaults) -> str:
    """What it means that items lack the property by which they are sorted."""
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
    """Assets and files that the newest items lack, and files without overviews."""
    page = index.search(ItemSearch(collections=(spec.collection,), limit=SAMPLE))
    items = index.assets([each.ref.number for each in page.items])
    lacking, flat, gone = Counter[str](), Counter[str](), Counter[str]()
    wanted = {each.asset or each.id for each in spec.stored.variables.values()}
    for assets in items.values():
        known = {asset.name: asset for asset in assets}
        lacking.update(wanted - known.keys())
        # Files elsewhere are not looked at.
        paths = {name: local_path(known[name].href) for name in wanted & known.keys()}
        gone.update(name for name, path in paths.items() if path is not None and not path.exists())
        flat.update(name for name in wanted & known.keys() if _has_no_overviews(known[name]))
    newest = f"of the {len(items)} newest items" if page.next else f"of {len(items)} items"
    for name, count in sorted(lacking.items()):
        yield f"{count} {newest} have no asset {name}; they are left out of its layers"
    for name, count in sorted(gone.items()):
        yield f"{count} {newest} have lost the file of asset {name}; they are left out of its layers"
    for name, count in sorted(flat.items()):
        yield (
            f"asset {name} {newest} has no overviews in {count}: a map of a whole file reads all of its pixels; add "
            "overviews (gdaladdo -r average FILE 2 4 8 16)"
        )


def _has_no_overviews(asset: Asset) -> bool:
    """Whether a file whose header is known is large and has its native pixels alone."""
    if asset.header is None:
        return False
    try:
        images = CogHeader.from_bytes(asset.header).images
    except ValueError:  # of another version
        return False
    return len(images) == 1 and images[0].width * images[0].height > LARGE_FILE_PX
