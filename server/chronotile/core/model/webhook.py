"""Subscribers of changes of items, as the configuration has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A subscriber, and the changes of items that it gets."""

    url: str = field(repr=False)
    """Its path may contain a token, so no document and no log line has it."""
    collection: str | None = None
    """Id of the collection whose changes it gets; `None`: all."""
    filter: Mapping[str, Any] | None = None
    """CQL2 JSON, which items have to match."""
    key: bytes = field(repr=False)
    """By which messages are signed."""
    name: str
    """Where it is written: `service.webhooks[0]`."""

    @property
    def collections(self) -> tuple[str, ...]:
        """Ids of the collections whose changes it gets; empty: all."""
        return () if self.collection is None else (self.collection,)

    @property
    def id(self) -> str:
        """By which it is known again: another URL, collection or filter is another webhook."""
        parts = orjson.dumps([self.url, self.collection, self.filter], option=orjson.OPT_SORT_KEYS)
        return blake2b(parts, digest_size=16).hexdigest()
