"""Sources of items as entries, each of which is read at once, in an order in which a pass can continue."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from chronotile.catalog.items.passes import SourcePass
from chronotile.catalog.items.preparing import Prepared
from chronotile.model.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEntry:
    """What was read of an entry."""

    items: tuple[Item, ...]
    state: str
    """What changes when the entry is replaced; empty: not known."""
    problem: str | None = None
    """Why items of it are left out."""
    is_refused: bool = False
    """Whether a file was left out since its address is not allowed."""
    prepared: tuple[Prepared, ...] = ()
    """In place of the items, where another process has made them ready to be put."""

    @property
    def found(self) -> tuple[Item | Prepared, ...]:
        """The items, as they are put."""
        return self.prepared or self.items


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEntry:
    """An entry of a source, before it is read."""

    key: str
    """Names it in the source; operators see it."""
    read: Callable[[str], ReadEntry | None]
    """Takes the state in which it was read before, empty of a new one; gives `None` if it still is in that state.

    Raises `InvalidItem` if there is no item in it, `SourceUnavailable` if it cannot be read now.
    """
    state: str = ""
    """Empty: only reading it tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Where to continue, once all entries before it are stored."""

    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A part of a source that cannot be listed now, so that a pass does not see all."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A part of a source that is not looked into, for a reason that stays."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """An entry that is no longer there, of a pass that sees changes only."""

    key: str


Listed = ListedEntry | Bookmark | Unread | Excluded | Gone


class ItemSource(Protocol):
    """A source of items of one collection."""

    @property
    def identity(self) -> str:
        """The source and its options: if they differ from those of the last pass, everything is read again.

        It may end in a line of what is allowed: if that alone differs, entries with an address that it concerns are.
        """

    @property
    def allowed(self) -> Callable[[str], str]:
        """Gives an address inside an item as it is opened; `AddressRefused` gives the reason if it is not."""

    @property
    def threads(self) -> int:
        """How many entries may be read at once."""

    @property
    def state(self) -> str:
        """What changes when anything in it does; empty: only looking at its entries tells.

        Raises:
            SourceUnavailable: It cannot be read now.
        """

    @property
    def is_computing(self) -> bool:
        """Whether reading an entry computes, rather than waits, so that processes help; entries can be pickled then."""

    @property
    def knows_changes(self) -> bool:
        """Whether it can yield those entries alone that changed since the last pass."""

    def entries(self, run: SourcePass) -> Iterator[Listed]:
        """Yield the entries of a pass: all of a whole one, else those that changed since `run.since`.

        Raises:
            SourceUnavailable: The source cannot be listed now.
            UnsupportedSource: It is none.
        """

    def since(self) -> str | None:
        """Return what the pass after the one that `entries` has just ended is given; `None`: only whole ones."""

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, so that looking whether it has changed costs next to nothing."""

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether it differs from what `entries` gave last, or may, if it is elsewhere.

        Args:
            most_files: How many files are looked at, beginning after those of the last call.
        """
