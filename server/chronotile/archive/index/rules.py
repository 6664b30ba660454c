"""Which items of a source are indexed, and which of their files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import cql2
import orjson

from chronotile.archive.index.source import ReadEntry
from chronotile.catalog.items.cql2.evaluate import with_cut_boxes
from chronotile.catalog.items.order import is_text
from chronotile.catalog.items.passes import with_places
from chronotile.errors import AddressRefused, ConfigurationError, InvalidItem
from chronotile.model.items import Asset, Item
from chronotile.readers.stac.items import item_of
from chronotile.web.item_places import SETTING, absolute
from chronotile.yaml_source import list_names

Allowed = Callable[[str], str]
"""Takes an address inside an item, gives it as it is opened; `AddressRefused` gives the reason if it is not."""


def any_address(address: str) -> str:
    """Allow every address."""
    return address


class ItemFilter:
    """A filter in CQL2 that items are held against one by one.

    Args:
        text: CQL2 text; a `BBOX` whose west is greater than its east crosses the antimeridian.

    Raises:
        ConfigurationError: It is not valid.
    """

    def __init__(self, text: str) -> None:
        try:
            written = cql2.parse_text(text).to_json()
            self._expression = cql2.parse_json(orjson.dumps(with_cut_boxes(written)).decode())
        except (cql2.ParseError, cql2.ValidationError) as error:
            raise ConfigurationError([f"filter {text[:80]!r} is not valid CQL2 text"]) from error
        self.text = text

    def __reduce__(self) -> tuple[type["ItemFilter"], tuple[str]]:
        """Let other processes make it again."""
        return ItemFilter, (self.text,)

    def to_json(self) -> dict[str, Any]:
        """Return the filter as CQL2 JSON."""
        found: dict[str, Any] = self._expression.to_json()
        return found

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Return whether a STAC item matches; one that lacks a property it is compared by does not."""
        try:
            return bool(self._expression.matches(dict(document)))
        except Exception:  # noqa: BLE001 -- the library's one error of expressions without a result
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRules:
    """Which items and assets of a source are indexed."""

    assets: frozenset[str] = frozenset()
    """Those that variables are read from; empty: all."""
    filter: ItemFilter | None = None
    allowed: Allowed = any_address
    places: str = ""
    """Changes with what is allowed."""

    @property
    def identity(self) -> str:
        """What makes the same source give other items; what is allowed has its own line, as it concerns few of them."""
        assets = " ".join(sorted(self.assets))
        return with_places(f"{self.filter.text if self.filter else ''} {assets}", self.places)

    def admit(
        self, document: Mapping[str, Any], base: str, refused: list[AddressRefused] | None = None
    ) -> tuple[Item, ...]:
        """Return the item of a STAC document; none if the filter leaves it out.

        Args:
            document: It.
            base: Its own address.
            refused: What is not allowed is added here, of files that are not needed too.

        Raises:
            InvalidItem: There is none that can be indexed.
        """
        if self.filter is not None and not self.filter.matches(document):
            return ()
        item = item_of(with_own_addresses(document, base), base)
        if not all(map(is_text, (item.id, *(asset.name for asset in item.assets)))):
            raise InvalidItem("its id, or the name of an asset, has characters that are not valid text, such as NUL")
        assets, refusals = list[Asset](), list[str]()
        for asset in item.assets:
            try:
                href = self.allowed(asset.href)
                assets.append(asset if href == asset.href else replace(asset, href=href))
            except AddressRefused as error:
                if refused is not None:
                    refused.append(error)
                if not self.assets or asset.name in self.assets:
                    refusals.append(with_remedy(error))
        if refusals and (self.assets or not assets):
            raise InvalidItem(refusals[0])
        if self.assets and not any(asset.name in self.assets for asset in assets):
            raise InvalidItem(f"it has none of the assets {list_names(sorted(self.assets))}")
        return (item if tuple(assets) == item.assets else replace(item, assets=tuple(assets)),)

    def read(self, document: Mapping[str, Any], base: str, state: str) -> ReadEntry:
        """Return the entry that a STAC document makes."""
        refused = list[AddressRefused]()
        try:
            return ReadEntry(items=self.admit(document, base, refused), state=state, is_refused=bool(refused))
        except InvalidItem as error:
            return ReadEntry(items=(), state=state, problem=error.message, is_refused=bool(refused))


def read_document(rules: ItemRules, document: Mapping[str, Any], base: str, state: str, _before: str) -> ReadEntry:
    """Return the entry that a document makes, whatever was read before; any process may."""
    return rules.read(document, base, state)


def with_remedy(refused: AddressRefused) -> str:
    """Return why an address is not opened, and what would allow it."""
    return f"{refused.message}; add {refused.prefix} to {SETTING} to allow them" if refused.prefix else refused.message


def with_own_addresses(document: Mapping[str, Any], base: str) -> Mapping[str, Any]:
    """Return a STAC item whose files and links have whole addresses, which mean the same wherever it is served.

    Args:
        document: It.
        base: Its own address.
    """
    assets, links = document.get("assets"), document.get("links")
    placed = dict(document)
    if isinstance(assets, dict):
        placed["assets"] = {name: _with_own_address(asset, base) for name, asset in assets.items()}
    if isinstance(links, list):
        placed["links"] = [_with_own_address(link, base) for link in links]
    return placed


def _with_own_address(member: Any, base: str) -> Any:  # noqa: ANN401 -- JSON
    href = member.get("href") if isinstance(member, dict) else None
    if not isinstance(href, str) or "://" in href:
        return member
    try:
        return {**member, "href": absolute(href, base)}
    except ValueError:
        return member  # the reader of the link refuses it, with the reason


def digest_of(document: Mapping[str, Any]) -> str:
    """Return what changes when a document that was read does."""
    return blake2b(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), digest_size=10).hexdigest()


def key_of(document: Mapping[str, Any], state: str) -> str:
    """Return the key of an item that its source lists by id; ids are unique in a collection only.

    Args:
        document: It.
        state: Its digest, which names one without an id.
    """
    id_, collection = document.get("id"), document.get("collection")
    if not (isinstance(id_, str) and is_text(id_)):
        return f"an item without a valid id ({state})"
    return f"{collection}/{id_}" if isinstance(collection, str) and collection and is_text(collection) else id_
