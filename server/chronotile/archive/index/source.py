"""Sources of items as entries, each of which is read at once, in an order in which a pass can continue."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from multiprocessing import get_context, parent_process
from typing import Any, NamedTuple, Protocol

import cql2
import orjson

from chronotile.catalog.items.cql2.document_filter import cut_boxes
from chronotile.catalog.items.passes import SourcePass, add_allowed_locations
from chronotile.catalog.items.preparing import Prepared, prepare
from chronotile.catalog.items.properties import is_text
from chronotile.catalog.items.statements import chunks
from chronotile.core.errors import AddressRefused, ConfigurationError, InvalidItem, SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import Asset, Item
from chronotile.core.web.item_places import SETTING, absolute
from chronotile.core.yaml_source import list_names
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.stac.items import item_of

TWIN = "another row or feature after it has the same id"


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


class Part(Protocol):
    """A part of a source, from which several entries are read."""

    def load(self) -> None:
        """Prepare to read them, here or in another process.

        Raises:
            SourceUnavailable: It cannot be read now.
            UnsupportedSource: It is damaged.
        """


class ListedEntry(NamedTuple):
    """An entry of a source, before it is read: a tuple, as millions are made."""

    key: str
    """Names it in the source; operators see it."""
    read: Callable[[str], ReadEntry | str | None]
    """Takes the state in which it was read before, empty of a new one; gives `None` if it still is in that state.

    It gives its state alone if that is another one now, and all else is as before.

    Raises `InvalidItem` if there is no item in it, `SourceUnavailable` if it cannot be read now.
    """
    state: str = ""
    """Empty: only reading it tells. With a part: that of the part, with which its own state begins."""
    part: Part | None = None
    """What it is read from, with other entries: one process reads all of them. `read` compares its state itself."""


def twin(key: str) -> ListedEntry:
    """Return an entry for what does not count, since what comes after it has the same id."""
    return ListedEntry(key=key, read=_read_twin, state="twin")


def _read_twin(_before: str) -> ReadEntry:
    return ReadEntry(items=(), state="twin", problem=TWIN)


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


class StacSource:
    """What sources of STAC items have in common.

    Args:
        href: Their path or URL.
        rules: Which items are taken.
    """

    kind: str
    """In their identity."""

    def __init__(self, href: str, rules: "ItemRules") -> None:
        self._href, self._rules = href, rules

    @property
    def identity(self) -> str:
        """Its address and rules."""
        return f"{self.kind} {shown_href(self._href)} {self._rules.identity}"

    @property
    def allowed(self) -> "Allowed":
        """Which addresses are opened."""
        return self._rules.allowed

    @property
    def is_here(self) -> bool:
        """Whether it consists of files of this machine."""
        return local_path(self._href) is not None


Allowed = Callable[[str], str]
"""Takes an address inside an item, gives it as it is opened; `AddressRefused` gives the reason if it is not."""


def any_address(address: str) -> str:
    """Allow every address."""
    return address


def matches(expression: cql2.Expr, document: dict[str, Any]) -> bool:
    """Return whether a STAC item matches; one that lacks a property it is compared by does not."""
    try:
        return bool(expression.matches(document))
    except Exception:  # noqa: BLE001 -- the library's one error of expressions without a result
        return False


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
            self._expression = cql2.parse_json(orjson.dumps(cut_boxes(written)).decode())
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
        return matches(self._expression, dict(document))


def kept(days: float | None) -> str:
    """Return what the identity of a source has of how long its items are kept."""
    return "" if days is None else f" keep_days={days:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRules:
    """Which items and assets of a source are indexed."""

    assets: frozenset[str] = frozenset()
    """Those that variables are read from; empty: all."""
    filter: ItemFilter | None = None
    allowed: Allowed = any_address
    places: str = ""
    """Changes with what is allowed."""
    keep_days: float | None = None
    """Items that began longer ago are left out, where the index is filled."""

    @property
    def identity(self) -> str:
        """What makes the same source give other items; what is allowed has its own line, as it concerns few of them."""
        assets = " ".join(sorted(self.assets))
        return add_allowed_locations(
            f"{self.filter.text if self.filter else ''} {assets}{kept(self.keep_days)}", self.places
        )

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
    """Return a digest of a document's content; the same for all that are nested too deeply to be stored."""
    try:
        content = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        content = b""
    return blake2b(content, digest_size=10).hexdigest()


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


MANY = 5_000
"""Entries to be read, beyond which processes are started: to start one takes a second."""
TOGETHER = 64
"""Entries that one process reads at a time, unless they are of one part of their source."""
NICE = 5
"""By how much the priority of these processes is lower: requests come first."""

Answer = ReadEntry | Unread | str | None
"""`None`: it is as before; text: all but its state is."""
_Work = Sequence[tuple[ListedEntry, str]]
"""Entries that one process reads at a time, with the states in which they were read before."""


class EntryReaders(ExitStack):
    """Reads entries; a context, which ends its threads and processes.

    Args:
        source: Of the entries.
        processes: How many processes may read them; 0: none but this one.
        is_stopped: Whether the pass is to end: nothing more is read then.
    """

    def __init__(self, source: ItemSource, processes: int, is_stopped: Callable[[], bool]) -> None:
        super().__init__()
        self._processes = processes if source.is_computing else 0
        self._is_stopped = is_stopped
        self._threads: ThreadPoolExecutor | None = None
        if source.threads > 1:
            self._threads = self.enter_context(ThreadPoolExecutor(source.threads, thread_name_prefix="index"))
        self._pool: ProcessPoolExecutor | None = None
        self._count = 0

    @property
    def is_ahead(self) -> bool:
        """Whether further entries can be read while those before are stored."""
        return self._pool is not None

    def read(self, entries: Sequence[ListedEntry], states: Sequence[str]) -> Iterator[Answer]:
        """Return what is read of each entry, which was read in these states before.

        It raises `SourceUnavailable`, at once or later, if a process ends before its time, and what their parts raise.
        """
        self._count += len(entries)
        for part in (each.part for each in entries if each.part is not None):
            part.load()
        if self._pool is None and self._processes and self._count > MANY:
            self._pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"), initializer=_begin)
            self.callback(self._pool.shutdown, cancel_futures=True)
        if self._pool is not None and not self._is_stopped():
            with _in_our_words():
                return _answers(self._pool.map(_read_apart, _together(entries, states)))
        return (map if self._threads is None else self._threads.map)(self._read_here, entries, states)

    def _read_here(self, entry: ListedEntry, before: str) -> Answer:
        return Unread(key=entry.key, reason="the pass was stopped") if self._is_stopped() else _read(entry, before)


def _together(entries: Sequence[ListedEntry], states: Sequence[str]) -> Iterator[_Work]:
    """Yield what one process reads at a time."""
    for part, found in groupby(zip(entries, states, strict=True), key=lambda each: each[0].part):
        work = list(found)
        yield from [work] if part is not None else chunks(work, TOGETHER)


def _answers(found: Iterator[list[Answer]]) -> Iterator[Answer]:
    with _in_our_words():
        for answers in found:
            yield from answers


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise SourceUnavailable("a process that reads items has ended: is there too little memory?") from error


def _read(entry: ListedEntry, before: str) -> Answer:
    try:
        return entry.read(before)
    except (InvalidItem, UnsupportedSource) as error:
        return ReadEntry(items=(), state=entry.state, problem=error.message)
    except SourceUnavailable as error:
        return Unread(key=entry.key, reason=error.message)


def _read_apart(work: _Work) -> list[Answer]:
    """What is read of entries, with all done that the index does not need for itself."""
    answers = (_read(entry, before) for entry, before in work)
    return [
        replace(each, items=(), prepared=tuple(map(prepare, each.items))) if isinstance(each, ReadEntry) else each
        for each in answers
    ]


def _begin() -> None:
    """Prepare a process: it is polite, and ends with the one that it reads for, however that ends."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
