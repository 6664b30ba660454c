"""Findings in a collection of items: its index, its items and their files (`chronotile check`)."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from chronotile.catalog.items.index import ItemFaults, ItemIndex
from chronotile.catalog.items.passes import SourcePasses
from chronotile.model.items import Asset, ItemSearch
from chronotile.model.source import Finding, ItemsSpec, Severity, SourceSpec
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.hrefs import local_path

SAMPLE = 500
"""Items, the newest, whose files are looked at."""
LARGE_PX = 8 << 20
"""A file with more pixels than this takes long to show whole."""
REMEDY = "run chronotile index"


def items_findings(spec: SourceSpec, index: ItemIndex, passes: SourcePasses | None) -> Iterator[Finding]:
    """Yield what is found of a collection of items and its index; no file is opened.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    name = spec.collection
    if spec.is_live:
        yield Finding("note", name, _touched(index.faults(name).items))
        return
    for severity, message in (
        *_index_findings(spec, index, passes),
        *_fault_findings(spec, index),
        *_file_findings(spec, index),
    ):
        yield Finding(severity, name, message)


def _touched(items: int) -> str:
    return f"is live: searches are passed to its API; {items} items that they found are in the index"


def _index_findings(spec: SourceSpec, index: ItemIndex, passes: SourcePasses | None) -> Iterator[tuple[Severity, str]]:
    """Whether the index is as the configuration and the source have it."""
    settings = index.settings(spec.collection)
    if spec.items is not None and settings not in {None, spec.items.settings}:
        yield "warning", f"its index groups or orders the items in another way than the configuration; {REMEDY}"
    if passes is None:
        return
    age_s = passes.age_s(spec.collection)
    if age_s is None:
        yield "warning", f"its index was never filled completely from its source; {REMEDY}"
        return
    path = local_path(spec.href)
    if path is not None and path.is_file() and path.stat().st_mtime > time.time() - age_s + 1:
        yield "warning", f"{path.name} has changed since its index was filled; {REMEDY}"
    for problem in passes.problems(spec.collection):
        keys = ", ".join(Path(key).name for key in problem.keys)
        yield "warning", f"parts of its source that are not indexed: {problem.count}, {problem.reason} ({keys})"


def _fault_findings(spec: SourceSpec, index: ItemIndex) -> Iterator[tuple[Severity, str]]:
    """Items that cannot be sorted."""
    faults = index.faults(spec.collection)
    if spec.items is not None and spec.items.settings.order_by is not None and faults.unranked:
        yield "warning", _unranked(spec.items, faults)


def _unranked(items: ItemsSpec, faults: ItemFaults) -> str:
    """What it means that items lack the property by which they are sorted."""
    order_by = items.settings.order_by
    if items.mosaic.rule != "least_nodata":
        return (
            f"{faults.unranked} of {faults.items} items have no number {order_by}, by which mosaic.order_by sorts "
            "them; they come last"
        )
    if faults.unranked == faults.items:
        return (
            f"no item has a number {order_by}, by which mosaic.rule least_nodata sorts them: they are sorted by id, as "
            "with rule first; set mosaic.order_by to the property that has their share of missing values"
        )
    return (
        f"{faults.unranked} of {faults.items} items have no number {order_by}, by which mosaic.rule least_nodata sorts "
        "them; they come last"
    )


def _file_findings(spec: SourceSpec, index: ItemIndex) -> Iterator[tuple[Severity, str]]:
    """Assets and files that the newest items lack, and files without overviews."""
    page = index.search(ItemSearch(collections=(spec.collection,), limit=SAMPLE))
    items = index.assets([each.ref.number for each in page.items])
    lacking, flat, gone = Counter[str](), Counter[str](), Counter[str]()
    wanted = {each.asset or each.id for each in spec.stored.variables.values()}
    for assets in items.values():
        known = {asset.name: asset for asset in assets}
        lacking.update(wanted - known.keys())
        gone.update(name for name in wanted & known.keys() if _is_gone(known[name]))
        flat.update(name for name in wanted & known.keys() if _has_no_overviews(known[name]))
    newest = f"of the {len(items)} newest items" if page.next else f"of {len(items)} items"
    for name, count in sorted(lacking.items()):
        yield "warning", f"{count} {newest} have no asset {name}; they are left out of its layers"
    for name, count in sorted(gone.items()):
        yield "warning", f"{count} {newest} have lost the file of asset {name}; they are left out of its layers"
    for name, count in sorted(flat.items()):
        yield (
            "warning",
            f"asset {name} {newest} has no overviews in {count}: a map of a whole file reads all of its pixels; add "
            "overviews (gdaladdo -r average FILE 2 4 8 16)",
        )


def _is_gone(asset: Asset) -> bool:
    """Whether a file of this machine is not there; files elsewhere are not looked at."""
    path = local_path(asset.href)
    return path is not None and not path.exists()


def _has_no_overviews(asset: Asset) -> bool:
    """Whether a file whose header is known is large and has its native pixels alone."""
    if asset.header is None:
        return False
    try:
        images = CogHeader.from_bytes(asset.header).images
    except ValueError:  # of another version
        return False
    return len(images) == 1 and images[0].width * images[0].height > LARGE_PX
