"""Items made ready to be put: all that can be done without the database."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson
from isal import isal_zlib

from chronotile.catalog.items.asset_forms import AssetForm, form_of, pack_assets
from chronotile.catalog.items.cells import wrap_box
from chronotile.catalog.items.footprints import pack
from chronotile.catalog.items.properties import is_text, nanoseconds, stored_properties
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.items import Asset, Item
from chronotile.core.model.space.boxes import BBox

# Assets of items as bytes: what many items have in common (grid, bands, layouts) is stored once, as a form.


BATCH = 500
"""Items put in one transaction."""
BATCH_BYTES = 16 << 20
"""Documents and headers put in one transaction."""


class Prepared(NamedTuple):
    """An item as far as it can be made ready without the database; it can be sent to another process."""

    id: str
    bbox: BBox
    start: int
    end: int
    updated: int | None
    """Nanoseconds since 1970."""
    footprint: bytes
    form: AssetForm
    assets: bytes
    headed: tuple[Asset, ...]
    """Assets whose headers are known."""
    properties_json: str
    document: bytes
    digest: bytes

    @property
    def properties(self) -> dict[str, Any]:
        """What filters and orders look at, as `stored_properties` returned it."""
        found: dict[str, Any] = orjson.loads(self.properties_json)
        return found

    @property
    def size(self) -> int:
        """Of its document and headers, in bytes."""
        return len(self.document) + sum(len(asset.header or b"") for asset in self.headed)


def prepare(item: Item) -> Prepared:
    """Return what is stored of an item.

    Raises:
        InvalidParameter: It cannot be stored.
    """
    shown = f"item {item.id[:MAX_SHOWN]!r}"
    texts = (item.id, *(text for asset in item.assets for text in (asset.name, asset.etag)))
    if not all(map(is_text, texts)):
        raise InvalidParameter(f"the id of {shown}, or a name in it, has characters that are not valid text")
    if not all(map(math.isfinite, item.bbox)) or not -90 <= item.bbox.ymin <= item.bbox.ymax <= 90:
        raise InvalidParameter(f"{shown} has the box {tuple(item.bbox)}, which is not on the earth")
    if np.isnat(item.start) or np.isnat(item.end):
        raise InvalidParameter(f"{shown} has no time")
    box, form, start = wrap_box(item.bbox), form_of(item.assets), nanoseconds(item.start)
    found = Prepared(
        id=item.id,
        bbox=box,
        start=start,
        end=max(nanoseconds(item.end), start + 1),
        updated=None if item.updated is None else nanoseconds(item.updated),
        footprint=pack(item.footprint, box),
        form=form,
        assets=pack_assets(item.assets, form.digest),
        headed=tuple(asset for asset in item.assets if asset.header is not None),
        properties_json=orjson.dumps(stored_properties(item.properties)).decode(),
        document=item.document,
        digest=b"",
    )
    return found._replace(digest=_digest_of(item, found), document=isal_zlib.compress(item.document, 1))


def _digest_of(item: Item, found: Prepared) -> bytes:
    """What differs if anything in an item does."""
    digest = hashlib.blake2b(item.document, digest_size=16)
    told = (
        tuple(map(float, found.bbox)),
        (found.start, found.end, found.updated),
        found.form.digest,
        [(asset.href, asset.etag, asset.size) for asset in item.assets],
        [(asset.name, hashlib.blake2b(asset.header or b"").digest()) for asset in found.headed],
        found.footprint,
        found.properties_json,
    )
    digest.update(repr(told).encode("utf-8", "surrogatepass"))
    return digest.digest()


def batches(items: Iterable[Item | Prepared]) -> Iterator[list[Prepared]]:
    """Yield items to be put in one transaction, of distinct ids."""
    batch, ids, size = list[Prepared](), set[str](), 0
    for each in items:
        if batch and (len(batch) == BATCH or size > BATCH_BYTES or each.id in ids):
            yield batch
            batch, ids, size = [], set(), 0
        prepared = each if isinstance(each, Prepared) else prepare(each)
        batch.append(prepared)
        ids.add(each.id)
        size += prepared.size
    if batch:
        yield batch
