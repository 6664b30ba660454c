"""Configured subscribers of changes of items."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A subscriber of changes of items."""

    url: str = field(repr=False)
    """Not written to documents and logs, because its path may contain a token."""
    collection: str | None = None
    """Id of the collection whose changes it receives; `None`: all."""
    filter: Mapping[str, Any] | None = None
    """CQL2 JSON that items must match."""
    key: bytes = field(repr=False)
    """Signs messages."""
    name: str
    """Key in the configuration: `service.webhooks[0]`."""

    @property
    def collections(self) -> tuple[str, ...]:
        """Ids of the collections whose changes it receives; empty: all."""
        return () if self.collection is None else (self.collection,)

    @property
    def id(self) -> str:
        """Digest of URL, collection and filter; changing these makes it another webhook."""
        parts = orjson.dumps([self.url, self.collection, self.filter], option=orjson.OPT_SORT_KEYS)
        return blake2b(parts, digest_size=16).hexdigest()
