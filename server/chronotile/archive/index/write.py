"""Items that clients add to a collection or remove from it, beside those of its source."""

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

MOST_TRIES, TRIES_S = 10, 60.0
"""Wrong tokens that an address may show in so many seconds."""
MOST_CLIENTS = 10_000
"""Addresses that are remembered."""
MOST_ITEMS = 10_000
"""Of one request."""
MOST_FAULTS = 10
"""Items that are named of those that are not accepted."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenItems:
    """What a request did to the index."""

    put: PutSummary
    ids: tuple[str, ...]


class FailedTokens:
    """How often wrong tokens were shown, by address; of many addresses those of last are remembered.

    Args:
        clock: Monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._tries = OrderedDict[str, tuple[float, int]]()
        self._lock = Lock()
        self.count = 0

    def require_few(self, client: str) -> None:
        """Check that an address has not shown too many lately.

        Raises:
            TooManyTries: It has.
        """
        with self._lock:
            since_s, count = self._tries.get(client, (0.0, 0))
            if count >= MOST_TRIES and self._clock() - since_s < TRIES_S:
                raise errors.TooManyTries(
                    f"too many wrong tokens came from this address; try again after {TRIES_S:.0f} s"
                )

    def add(self, client: str) -> None:
        """Count one."""
        with self._lock:
            self.count += 1
            since_s, count = self._tries.pop(client, (0.0, 0))
            if count == 0 or self._clock() - since_s >= TRIES_S:
                since_s, count = self._clock(), 0
                log.warning("%s shows a wrong token", client)
            self._tries[client] = since_s, count + 1
            if len(self._tries) > MOST_CLIENTS:
                self._tries.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWriter:
    """Writes items into the index."""

    tokens: tuple[str, ...]
    """One of which requests have to show; without any none may write."""
    specs: Callable[[], Mapping[str, SourceSpec]]
    """The collections of now, by id."""
    items: Callable[[], ItemIndex | None]
    prefixes: AllowedPlaces
    """Where files may lie beside the host of a collection's source."""
    failed: FailedTokens = field(default_factory=FailedTokens)

    def allows(self, given: str | None, client: str) -> bool:
        """Whether a token that an address shows is a right one; how long that takes does not depend on its content.

        Raises:
            AccessRefused: None may write.
            TooManyTries: It is a wrong one, of an address that has shown too many: several clients may share one.
        """
        if not self.tokens:
            raise errors.AccessRefused("items cannot be written here: the operator has not set CHRONOTILE_WRITE_TOKEN")
        is_right = self.is_token(given or "")
        if not is_right:
            self.failed.require_few(client)
            if given:
                self.failed.add(client)
        return is_right

    def is_token(self, given: str) -> bool:
        """Return whether a text is one of the tokens; how long that takes does not depend on its content."""
        shown = sha256(given.encode()).digest()
        return sum(compare_digest(shown, sha256(token.encode()).digest()) for token in self.tokens) > 0

    def put(self, name: str, document: object, catalogue: Catalogue) -> WrittenItems:
        """Add STAC items to a collection, or replace those of the same id: none of them where one is not accepted.

        Many are several transactions: where the index fails between two, those before stay, and the same request may be
        repeated.

        Args:
            name: Of the collection, or of one of its layers.
            document: An item, or a FeatureCollection of items.
            catalogue: What is served, for names of layers.

        Raises:
            InvalidParameter: Items are not accepted; the message names them.
            UnknownLayer: There is no such layer or collection.
            AccessRefused: Its items are dates of files.
            SourceUnavailable: The index cannot be written now.
        """
        spec, items, found = self._admitted(name, document, catalogue)
        return WrittenItems(put=items.put(spec.collection, found), ids=tuple(item.id for item in found))

    def add(self, name: str, document: object, catalogue: Catalogue) -> tuple[str, ...]:
        """Add STAC items to a collection, none of which may be there: all of them or none; return their ids.

        They are one transaction: other clients, and the index after a failure, have all of them or none.

        Args:
            name: Of the collection, or of one of its layers.
            document: An item, or a FeatureCollection of items.
            catalogue: What is served, for names of layers.

        Raises:
            InvalidParameter: Items are not accepted; the message names them.
            ItemExists: One is there.
            UnknownLayer: There is no such layer or collection.
            AccessRefused: Its items are dates of files.
            SourceUnavailable: The index cannot be written now.
        """
        spec, items, found = self._admitted(name, document, catalogue)
        items.add(spec.collection, found)
        return tuple(item.id for item in found)

    def replace(
        self, name: str, document: Mapping[str, Any], catalogue: Catalogue, *, found: ItemRef | None = None
    ) -> bool:
        """Put a STAC item in place of the one of its id; return whether one is there, and `found` if that is given.

        Args:
            name: Of the collection, or of one of its layers.
            document: The item.
            catalogue: What is served, for names of layers.
            found: The item of which the document was made: it is not replaced if it has changed since.

        Raises:
            InvalidParameter: The item is not accepted.
            UnknownLayer: There is no such layer or collection.
            AccessRefused: Its items are dates of files.
            SourceUnavailable: The index cannot be written now.
        """
        if document.get("type") != "Feature":
            raise errors.InvalidParameter("the body is not a STAC item (Feature)")
        spec, items, (item,) = self._admitted(name, document, catalogue)
        return items.replace(spec.collection, item, expected=found)

    def remove(self, name: str, id_: str, catalogue: Catalogue) -> None:
        """Remove an item from a collection, until it is added again or changes in the collection's source.

        Args:
            name: Of the collection, or of one of its layers.
            id_: Of the item.
            catalogue: What is served, for names of layers.

        Raises:
            UnknownLayer: There is no such layer or collection.
            AccessRefused: Its items are dates of files.
            UnknownPath: It has no item of this id.
            SourceUnavailable: The index cannot be written now.
        """
        spec, items = self._target(name, catalogue)
        if not items.remove(spec.collection, [id_]):
            raise errors.UnknownPath(f"{spec.collection} has no item {id_[:80]!r}")

    def _admitted(self, name: str, document: object, catalogue: Catalogue) -> tuple[SourceSpec, ItemIndex, list[Item]]:
        """A collection, the index, where it is grouped as configured, and items of the collection to be written."""
        spec, items = self._target(name, catalogue)
        if spec.is_live:
            raise errors.InvalidParameter(f"{spec.collection} is live: its items are those of another catalogue")
        found = _accepted(_features(document), self._rules(spec))
        assert spec.items is not None  # noqa: S101 -- of a collection of items
        if items.settings(spec.collection) != spec.items.settings:
            items.configure(spec.collection, spec.items.settings)
        return spec, items, found

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
    """The collection of a layer; one without items yet has no layers, but its name is the beginning of theirs."""
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
    if not isinstance(features, list) or not all(isinstance(each, dict) for each in features):
        raise errors.InvalidParameter("the body is neither a STAC item (Feature) nor a FeatureCollection of STAC items")
    if not 1 <= len(features) <= MOST_ITEMS:
        raise errors.InvalidParameter(f"a request may have 1 to {MOST_ITEMS} items, this one has {len(features)}")
    return features


def _accepted(features: list[Mapping[str, Any]], rules: ItemRules) -> list[Item]:
    accepted, faults, ids = list[Item](), list[str](), set[str]()
    for number, feature in enumerate(features, start=1):
        id_ = feature.get("id")
        name = f"item {id_[:80]!r}" if isinstance(id_, str) else f"item {number}"
        try:
            found = rules.admit(feature, "")
        except errors.InvalidItem as error:
            faults.append(f"{name}: {error.message}")
            continue
        if not found:
            faults.append(f"{name}: the collection's filter leaves it out")
        elif found[0].id in ids:
            faults.append(f"{name}: another item of this request has the same id")
        else:
            ids.add(found[0].id)
            accepted += found
    if faults:
        more = len(faults) - MOST_FAULTS
        listed = [*faults[:MOST_FAULTS], *([f"and {more} more"] if more > 0 else [])]
        raise errors.InvalidParameter(f"nothing was written; {'; '.join(listed)}")
    return accepted
