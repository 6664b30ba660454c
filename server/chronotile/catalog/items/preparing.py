"""Items made ready to be put: all that can be done without the database."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from isal import isal_zlib

from chronotile.catalog.items.asset_forms import Form, form_of, item_digest, pack_assets
from chronotile.catalog.items.cells import within_180
from chronotile.catalog.items.footprints import pack
from chronotile.catalog.items.order import is_text, stored_properties
from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.items import Item

BATCH = 500
"""Items put in one transaction."""
BATCH_BYTES = 16 << 20
"""Documents and headers put in one transaction."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item as far as it can be made ready without the database."""

    item: Item
    digest: bytes
    form: Form
    assets: bytes
    properties: Mapping[str, Any]
    properties_json: str
    document: bytes
    footprint: bytes

    @property
    def id(self) -> str:
        """Of the item."""
        return self.item.id

    def sent(self) -> "Prepared":
        """Return it for another process, which is sent nothing of the item twice."""
        headed = tuple(asset for asset in self.item.assets if asset.header is not None)
        return replace(self, item=replace(self.item, footprint=(), assets=headed, properties={}, document=b""))


def prepare(item: Item) -> Prepared:
    """Return what is stored of an item.

    Raises:
        InvalidParameter: It cannot be stored.
    """
    texts = (item.id, *(text for asset in item.assets for text in (asset.name, asset.etag)))
    if not all(map(is_text, texts)):
        raise InvalidParameter(
            f"the id of item {item.id[:MAX_SHOWN]!r}, or a name in it, has characters that are not valid text"
        )
    if not all(map(math.isfinite, item.bbox)) or not -90 <= item.bbox.ymin <= item.bbox.ymax <= 90:
        raise InvalidParameter(
            f"item {item.id[:MAX_SHOWN]!r} has the box {tuple(item.bbox)}, which is not on the earth"
        )
    if np.isnat(item.start) or np.isnat(item.end):
        raise InvalidParameter(f"item {item.id[:MAX_SHOWN]!r} has no time")
    item = replace(item, bbox=within_180(item.bbox))
    form, properties = form_of(item.assets), stored_properties(item.properties)
    return Prepared(
        item=item,
        digest=item_digest(item, form),
        form=form,
        assets=pack_assets(item.assets, form.digest),
        properties=properties,
        properties_json=orjson.dumps(properties).decode(),
        document=isal_zlib.compress(item.document, 1),
        footprint=pack(item.footprint, item.bbox),
    )


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
        size += len(prepared.document) + sum(len(asset.header or b"") for asset in prepared.item.assets)
    if batch:
        yield batch
