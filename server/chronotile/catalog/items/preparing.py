"""Items prepared for the index: all work that needs no database."""

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

BATCH = 500
"""Maximum number of items per transaction."""
BATCH_BYTES = 16 << 20
"""Maximum number of bytes per transaction: documents of items and headers of their files."""


class Prepared(NamedTuple):
    """An item prepared for the index. It can be sent to another process."""

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
    """Assets with a header."""
    properties_json: str
    document: bytes
    digest: bytes

    @property
    def properties(self) -> dict[str, Any]:
        """Properties for filters and orders, as `stored_properties` returned them."""
        properties: dict[str, Any] = orjson.loads(self.properties_json)
        return properties

    @property
    def size(self) -> int:
        """Bytes of its document and headers."""
        return len(self.document) + sum(len(asset.header or b"") for asset in self.headed)


def prepare(item: Item) -> Prepared:
    """Return an item prepared for the index.

    Raises:
        InvalidParameter: The index cannot store it.
    """
    name = f"item {item.id[:MAX_SHOWN]!r}"
    texts = (item.id, *(text for asset in item.assets for text in (asset.name, asset.etag)))
    if not all(map(is_text, texts)):
        raise InvalidParameter(f"the id of {name}, or a name in it, has characters that are not valid text")
    if not all(map(math.isfinite, item.bbox)) or not -90 <= item.bbox.ymin <= item.bbox.ymax <= 90:
        raise InvalidParameter(f"{name} has the box {tuple(item.bbox)}, which is not on the earth")
    if np.isnat(item.start) or np.isnat(item.end):
        raise InvalidParameter(f"{name} has no time")
    box, form, start = wrap_box(item.bbox), form_of(item.assets), nanoseconds(item.start)
    prepared = Prepared(
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
    return prepared._replace(digest=_digest_of(item, prepared), document=isal_zlib.compress(item.document, 1))


def _digest_of(item: Item, prepared: Prepared) -> bytes:
    """Return a digest of all parts of an item."""
    digest = hashlib.blake2b(item.document, digest_size=16)
    parts = (
        tuple(map(float, prepared.bbox)),
        (prepared.start, prepared.end, prepared.updated),
        prepared.form.digest,
        [(asset.href, asset.etag, asset.size) for asset in item.assets],
        [(asset.name, hashlib.blake2b(asset.header or b"").digest()) for asset in prepared.headed],
        prepared.footprint,
        prepared.properties_json,
    )
    digest.update(repr(parts).encode("utf-8", "surrogatepass"))
    return digest.digest()


def batches(items: Iterable[Item | Prepared]) -> Iterator[list[Prepared]]:
    """Yield items in batches for one transaction each; the ids of a batch are distinct."""
    batch, ids, size = list[Prepared](), set[str](), 0
    for item in items:
        if batch and (len(batch) == BATCH or size > BATCH_BYTES or item.id in ids):
            yield batch
            batch, ids, size = [], set(), 0
        prepared = item if isinstance(item, Prepared) else prepare(item)
        batch.append(prepared)
        ids.add(item.id)
        size += prepared.size
    if batch:
        yield batch
