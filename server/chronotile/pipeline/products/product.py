"""An item as a product: those of its files that this server delivers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from chronotile.errors import AddressRefused, ConfigurationError, NoFiles, SourceUnavailable
from chronotile.model.items import FoundItem
from chronotile.model.multihash import checksum_of
from chronotile.pipeline.search.find import find_item, find_product
from chronotile.pipeline.search.hidden_places import is_place
from chronotile.pipeline.services import Services
from chronotile.readers.products.folders import Allowed
from chronotile.web.item_places import item_places

MOST_TEXT = 1000
_FUNCTIONS = {"sha-256", "sha-512", "md5"}
"""Of checksums that answers state (RFC 9530)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAsset:
    """A file or folder of a product."""

    name: str
    """The asset's key in the item."""
    href: str
    """An absolute path without links, or a URL, in an allowed place; never shown."""
    title: str | None = None
    media_type: str | None = None
    """As the item states it."""
    size: int | None = None
    """As the item states it (`file:size`), in bytes."""
    checksums: Mapping[str, str]
    """As the item states them (`file:checksum`): hexadecimal digits by `sha-256`, `sha-512` or `md5`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An item with the files that are delivered."""

    id: UUID
    collection: str
    item: str
    when: str
    """Its time as the item states it; empty if it does not."""
    assets: tuple[ProductAsset, ...]
    withheld: tuple[str, ...]
    """Names of assets that are not: their addresses are refused."""
    allowed: Allowed
    """Takes an address, gives it as it is opened."""

    def asset(self, name: str) -> ProductAsset | None:
        """Return the asset of a name, if there is one."""
        return next((each for each in self.assets if each.name == name), None)


def product_by_id(product: UUID, services: Services) -> Product:
    """Return a product by its id.

    Raises:
        UnknownItem: There is none.
        SourceUnavailable: The index cannot be read now.
    """
    return product_of(find_product(product, services), services)


def product_of_item(collection: str, item: str, services: Services) -> Product:
    """Return the product that an item of a collection is.

    Raises:
        UnknownLayer: There is no such collection.
        UnknownItem: It has no such item.
        SourceUnavailable: The index cannot be read now.
    """
    return product_of(find_item(collection, item, services), services)


def product_of(found: FoundItem, services: Services) -> Product:
    """Return an item as a product.

    Raises:
        SourceUnavailable: The place of its collection's source is not known.
    """
    document = orjson.loads(found.document)
    allowed = _allowed(found.collection, services)
    assets, withheld = list[ProductAsset](), list[str]()
    written = document.get("assets")
    for name, asset in (written if isinstance(written, dict) else {}).items():
        href = asset.get("href") if isinstance(asset, dict) else None
        if not isinstance(href, str) or not href or not name or is_place(name):
            continue
        try:
            assets.append(_asset(name, asset, allowed(href)))
        except AddressRefused:
            withheld.append(name)
    properties = document.get("properties")
    return Product(
        id=found.product,
        collection=found.collection,
        item=found.ref.id,
        when=_when(properties if isinstance(properties, dict) else {}),
        assets=tuple(assets),
        withheld=tuple(withheld),
        allowed=allowed,
    )


def require_files(product: Product) -> None:
    """Check that a product has a file that is delivered.

    Raises:
        NoFiles: It has none.
    """
    if not product.assets:
        what = "its files are not delivered by this server" if product.withheld else "it has no files of its own"
        raise NoFiles(
            f"item {product.item[:80]!r} of {product.collection} has nothing to download: {what}; its values are those "
            "of the collection's coverage at its time",
            collection=product.collection,
            item=product.item,
            when=product.when,
        )


def _allowed(collection: str, services: Services) -> Allowed:
    """What opens addresses of the items of a collection: below its own source, and below what the operator allows."""
    href = services.source_hrefs.get(collection)
    if href is None:
        raise SourceUnavailable(f"the source of collection {collection} is not open")
    try:
        return item_places(href, services.reader_caches.places).allowed
    except ConfigurationError as error:
        raise SourceUnavailable(f"the source of collection {collection} has no plain address") from error


def _asset(name: str, asset: Mapping[str, Any], href: str) -> ProductAsset:
    size = asset.get("file:size")
    return ProductAsset(
        name=name,
        href=href,
        title=_text(asset.get("title")),
        media_type=_text(asset.get("type")),
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        checksums=checksums_of(asset.get("file:checksum")),
    )


def checksums_of(multihash: object) -> Mapping[str, str]:
    """Return a checksum as STAC writes it, by its function; empty of one that answers do not state."""
    checksum = checksum_of(multihash)
    return {} if checksum is None or checksum.function not in _FUNCTIONS else {checksum.function: checksum.digits}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MOST_TEXT else None


def _when(properties: Mapping[str, Any]) -> str:
    return _text(properties.get("datetime")) or _text(properties.get("start_datetime")) or ""
