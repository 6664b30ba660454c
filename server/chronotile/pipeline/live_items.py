"""What searches need of collections whose items are found by the STAC API of another catalogue (`mode: live`)."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from chronotile.model.items import FoundItem, ItemSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePage:
    """A page of the items of one such collection."""

    items: tuple[FoundItem, ...]
    next: str | None
    """Where the next page begins, as text for `LiveItems.page`; `None`: this is the last."""
    matched: int | None
    """How many match in all; `None`: the API does not say, or the number holds others too."""


class LiveItems(Protocol):
    """The collections of mode `live` of an application; unchanged by a reload."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their ids, in the order of the configuration."""

    @property
    def failing(self) -> Mapping[str, str]:
        """Why the APIs of collections did not answer when they were last requested, by collection."""

    def page(self, collection: str, search: ItemSearch, *, at: str | None) -> LivePage:
        """Return items that the API finds now, or found some minutes ago; they are in the index then.

        Args:
            collection: Its id.
            search: What is looked for; of its collections and cursor nothing is taken.
            at: Where the page begins, from the page before; `None`: it is the first.

        Raises:
            SearchNotSupported: The API cannot do what the search needs.
            InvalidParameter: The search, or the place where the page begins, is not accepted.
            SourceUnavailable: The API or the index does not answer.
            AsksElsewhere: The API has to be requested, which this thread may not.
        """

    def find(self, collection: str, id_: str) -> FoundItem | None:
        """Return an item by its id; errors are those of `page`."""


class AsksElsewhere(Exception):
    """Work needs an answer from another server, which threads for quick work do not wait for.

    Args:
        host: The server.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


_thread = threading.local()


@contextmanager
def without_asking() -> Iterator[None]:
    """Make work of this thread raise `AsksElsewhere` before it would wait for another catalogue."""
    _thread.may_not = True
    try:
        yield
    finally:
        _thread.may_not = False


def require_asking(host: str) -> None:
    """Check that this thread may wait for another catalogue.

    Raises:
        AsksElsewhere: It may not.
    """
    if getattr(_thread, "may_not", False):
        raise AsksElsewhere(host)
