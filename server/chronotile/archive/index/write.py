"""Items that clients add to a collection or remove from it, in addition to the items of its source."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from threading import Lock
from time import monotonic
from typing import Any

from chronotile.archive.index.source import ItemRules
from chronotile.archive.index.sources import rules_of
from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.items.index import ItemIndex
from chronotile.core import errors
from chronotile.core.model.items import Item, ItemRef, PutSummary
from chronotile.core.model.source import SourceSpec
from chronotile.core.web.places import AllowedPlaces

MAX_TRIES, TRIES_S = 10, 60
"""Number of wrong tokens that are accepted from an address within `TRIES_S` seconds."""
MAX_CLIENTS = 10_000
"""Number of addresses whose wrong tokens are counted."""
MAX_ITEMS = 10_000
"""Items per request."""
MAX_FAULTS = 10
"""Number of refused items that an error lists."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenItems:
    """Effect of a request on the index."""

    put: PutSummary
    ids: tuple[str, ...]


class FailedTokens:
    """Counts wrong tokens by address; if there are too many addresses, the oldest is forgotten.

    Args:
        clock: Monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._tries = OrderedDict[str, tuple[float, int]]()
        self._lock = Lock()
        self.count = 0

    def require_few(self, client: str) -> None:
        """Require that an address has sent few wrong tokens recently.

        Raises:
            TooManyTries: It has sent `MAX_TRIES` within `TRIES_S`.
        """
        with self._lock:
            since_s, count = self._tries.get(client, (0.0, 0))
            if count >= MAX_TRIES and self._clock() - since_s < TRIES_S:
                message = f"too many wrong tokens came from this address; try again after {TRIES_S} s"
                raise errors.TooManyTries(message, retry_s=TRIES_S)

    def add(self, client: str) -> None:
        """Count a wrong token."""
        with self._lock:
            self.count += 1
            since_s, count = self._tries.pop(client, (0.0, 0))
            if count == 0 or self._clock() - since_s >= TRIES_S:
                since_s, count = self._clock(), 0
                log.warning("%s shows a wrong token", client)
            self._tries[client] = since_s, count + 1
            if len(self._tries) > MAX_CLIENTS:
                self._tries.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWriter:
    """Writes items into the index."""

    tokens: tuple[str, ...]
    """Accepted tokens; if empty, nobody may write."""
    specs: Callable[[], Mapping[str, SourceSpec]]
    """Returns the current collections, by id."""
    items: Callable[[], ItemIndex | None]
    prefixes: AllowedPlaces
    """Permitted locations of files, in addition to the host of a collection's source."""
    failed: FailedTokens = field(default_factory=FailedTokens)

    def allows(self, token: str | None, client: str) -> bool:
        """Return whether a client sent an accepted token. The time it takes does not depend on the token.

        Raises:
            AccessRefused: Writing is disabled.
            TooManyTries: The token is wrong, and its address has sent too many. Right tokens are accepted from such an
                address, because several clients may share it.
        """
        if not self.tokens:
            raise errors.AccessRefused("items cannot be written here: the operator has not set CHRONOTILE_WRITE_TOKEN")
        is_right = self.is_token(token or "")
        if not is_right:
            self.failed.require_few(client)
            if token:
                self.failed.add(client)
        return is_right

    def is_token(self, text: str) -> bool:
        """Return whether a text is one of the tokens. The time it takes does not depend on the text."""
        digest = sha256(text.encode()).digest()
        return sum(compare_digest(digest, sha256(token.encode()).digest()) for token in self.tokens) > 0

    def put(self, name: str, document: object, catalogue: Catalogue) -> WrittenItems:
        """Add STAC items to a collection, replacing items with the same ids. If one is refused, none is written.

        Many items are written in several transactions: if one fails, the earlier ones remain, and the request may be
        repeated.

        Args:
            name: Id of the collection, or of one of its layers.
            document: An item, or a FeatureCollection of items.
            catalogue: The served catalogue, which has the names of layers.

        Raises:
            InvalidParameter: Items are refused; the message lists them.
            UnknownPath: The collection or layer does not exist.
            AccessRefused: Its items are dates of files.
            SourceUnavailable: The index cannot be written now.
        """
        spec, items, new_items = self._parse_items(name, document, catalogue)
        return WrittenItems(put=items.put(spec.collection, new_items), ids=tuple(item.id for item in new_items))

    def add(self, name: str, document: object, catalogue: Catalogue) -> tuple[str, ...]:
        """Add new STAC items to a collection in one transaction; return their ids.

        Other clients, and the index after a failure, see all of the items or none.

        Args:
            name: Id of the collection, or of one of its layers.
            document: An item, or a FeatureCollection of items.
            catalogue: The served catalogue, which has the names of layers.

        Raises:
            InvalidParameter: Items are refused; the message lists them.
            ItemExists: An item has the id of an existing one.
            UnknownPath: The collection or layer does not exist.
            AccessRefused: Its items are dates of files.
            SourceUnavailable: The index cannot be written now.
        """
        spec, items, new_items = self._parse_items(name, document, catalogue)
        items.add(spec.collection, new_items)
        return tuple(item.id for item in new_items)

    def replace(
        self, name: str, document: Mapping[str, Any], catalogue: Catalogue, *, expected: ItemRef | None = None
    ) -> bool:
        """Replace the STAC item with the id of `document`; return False if it is missing or changed since `expected`.

        Args:
            name: Id of the collection, or of one of its layers.
            document: The new item.
            catalogue: The served catalogue, which has the names of layers.
            expected: The item from which `document` was made; it is not replaced if it has changed since.

        Raises:
            InvalidParameter: The item is refused.
            UnknownPath: The collection or layer does not exist.
            AccessRefused: Its items are dates of files.
            SourceUnavailable: The index cannot be written now.
        """
        if document.get("type") != "Feature":
            raise errors.InvalidParameter("the body is not a STAC item (Feature)")
        spec, items, (item,) = self._parse_items(name, document, catalogue)
        return items.replace(spec.collection, item, expected=expected)

    def remove(self, name: str, id_: str, catalogue: Catalogue) -> None:
        """Remove an item from a collection, until it is added again or changes in the source of the collection.

        Args:
            name: Id of the collection, or of one of its layers.
            id_: Id of the item.
            catalogue: The served catalogue, which has the names of layers.

        Raises:
            UnknownPath: The collection, the layer or the item does not exist.
            AccessRefused: Its items are dates of files.
            SourceUnavailable: The index cannot be written now.
        """
        spec, items = self._target(name, catalogue)
        if not items.remove(spec.collection, [id_]):
            raise errors.UnknownPath(f"{spec.collection} has no item {id_[:80]!r}")

    def _parse_items(
        self, name: str, document: object, catalogue: Catalogue
    ) -> tuple[SourceSpec, ItemIndex, list[Item]]:
        """Return collection, index and parsed items. The index is grouped as configured first."""
        spec, items = self._target(name, catalogue)
        if spec.is_live:
            raise errors.InvalidParameter(f"{spec.collection} is live: its items are those of another catalogue")
        new_items = _require_accepted(_features(document), self._rules(spec))
        assert spec.items is not None  # noqa: S101 -- of a collection of items
        if items.settings(spec.collection) != spec.items.settings:
            items.configure(spec.collection, spec.items.settings)
        return spec, items, new_items

    def _target(self, name: str, catalogue: Catalogue) -> tuple[SourceSpec, ItemIndex]:
        specs = self.specs()
        spec = specs.get(name) or specs.get(_collection_of(name, catalogue))
        items = self.items()
        if spec is None:
            raise errors.UnknownPath(f"there is no collection {name[:80]!r}")
        if spec.items is None:
            raise errors.AccessRefused(
                f"the items of {name[:80]} are the dates of its files, which requests do not write: only collections "
                "of scenes or tiles accept items"
            )
        if items is None:
            raise errors.SourceUnavailable("the item index is not open")
        return spec, items

    def _rules(self, spec: SourceSpec) -> ItemRules:
        try:
            return rules_of(spec, self.prefixes)
        except errors.ConfigurationError as error:
            raise errors.SourceUnavailable(f"{spec.collection} is not configured correctly: {error.message}") from error


def _collection_of(name: str, catalogue: Catalogue) -> str:
    """Return the collection of a layer; collections without items have no layers yet, so the name's prefix is used."""
    try:
        return catalogue.layer(name).collection
    except (errors.SourceUnavailable, errors.UnknownLayer):
        collection = name.rpartition(".")[0]
        if not collection:
            raise
        return collection


def _features(document: object) -> list[Mapping[str, Any]]:
    if not isinstance(document, dict):
        raise errors.InvalidParameter(
            "the body is not a JSON object; accepted are a STAC item or a FeatureCollection of them"
        )
    kind = document.get("type")
    features = [document] if kind == "Feature" else document.get("features") if kind == "FeatureCollection" else None
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        raise errors.InvalidParameter("the body is neither a STAC item (Feature) nor a FeatureCollection of STAC items")
    if not 1 <= len(features) <= MAX_ITEMS:
        raise errors.InvalidParameter(f"a request may have 1 to {MAX_ITEMS} items, this one has {len(features)}")
    return features


def _require_accepted(features: list[Mapping[str, Any]], rules: ItemRules) -> list[Item]:
    accepted, faults, ids = list[Item](), list[str](), set[str]()
    for number, feature in enumerate(features, start=1):
        id_ = feature.get("id")
        name = f"item {id_[:80]!r}" if isinstance(id_, str) else f"item {number}"
        try:
            parsed = rules.admit(feature, "")
        except errors.InvalidItem as error:
            faults.append(f"{name}: {error.message}")
            continue
        if not parsed:
            faults.append(f"{name}: the collection's filter leaves it out")
        elif parsed[0].id in ids:
            faults.append(f"{name}: another item of this request has the same id")
        else:
            ids.add(parsed[0].id)
            accepted += parsed
    if faults:
        more = len(faults) - MAX_FAULTS
        listed = [*faults[:MAX_FAULTS], *([f"and {more} more"] if more > 0 else [])]
        raise errors.InvalidParameter(f"nothing was written; {'; '.join(listed)}")
    return accepted
