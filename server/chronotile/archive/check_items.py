"""Findings about collections of items and their index; no file is opened (`chronotile check`)."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from chronotile.catalog.items.index import ItemFaults, ItemIndex
from chronotile.catalog.items.passes import SourcePasses
from chronotile.core.finding import Finding
from chronotile.core.model.items import Asset, ItemSearch
from chronotile.core.model.source import ItemsSpec, SourceSpec
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.hrefs import local_path

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
    """Return whether a file is large and has one resolution; False if the index does not have its header."""
    if asset.header is None:
        return False
    try:
        images = CogHeader.from_bytes(asset.header).images
    except ValueError:  # the header has another format version
        return False
    return len(images) == 1 and images[0].width * images[0].height > LARGE_FILE_PX
