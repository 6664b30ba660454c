"""Sources of items. A source lists entries in an order that lets a pass continue; each entry is read separately."""

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
from chronotile.core.web.item_places import SOURCE_SETTING, absolute
from chronotile.core.yaml_source import list_names
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.stac.items import item_of

TWIN = "another row or feature after it has the same id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEntry:
    """The content of an entry."""

    items: tuple[Item, ...]
    state: str
    """Changes when the entry is replaced; empty if unknown."""
    problem: str | None = None
    """Reason for skipped items, or for missing variables of an item."""
    is_refused: bool = False
    """Whether a file was skipped because its location is not permitted."""
    prepared: tuple[Prepared, ...] = ()
    """Used instead of `items` if another process has prepared them for storage."""

    @property
    def found(self) -> tuple[Item | Prepared, ...]:
        """The items, prepared for storage if possible."""
        return self.prepared or self.items


class SourcePart(Protocol):
    """A part of a source with several entries, such as a row group."""

    def load(self) -> None:
        """Prepare the reading of the entries, in this process or another.

        Raises:
            SourceUnavailable: The part cannot be read now.
            UnsupportedSource: It is damaged.
        """


class ListedEntry(NamedTuple):
    """An entry of a source that is not read yet. A tuple, because sources have millions of entries."""

    key: str
    """Name within the source, visible to operators."""
    read: Callable[[str], ReadEntry | str | None]
    """Reads the entry; its argument is the state at the last reading, empty for a new entry.

    Returns `None` if the entry is unchanged, and only the new state if nothing else has changed.

    Raises `InvalidItem` if the entry contains no item, `SourceUnavailable` if it cannot be read now.
    """
    state: str = ""
    """State of the entry, empty if only `read` can detect changes.

    For entries of a part, it is the state of the part; the state of each entry begins with it.
    """
    part: SourcePart | None = None
    """The part with this entry; one process reads all entries of a part. `read` compares the entry's state itself."""


def twin(key: str) -> ListedEntry:
    """Return an entry without items, for an object that is followed by another with the same id."""
    return ListedEntry(key=key, read=_read_twin, state="twin")


def _read_twin(_before: str) -> ReadEntry:
    return ReadEntry(items=(), state="twin", problem=TWIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """A position from which a pass can continue if all previous entries are stored."""

    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A part of a source that cannot be listed now, so that the pass is incomplete."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A part of a source that is skipped for a permanent reason."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedEntry:
    """A deleted entry, in a pass that lists only changes."""

    key: str


Listed = ListedEntry | Bookmark | Unread | Excluded | DeletedEntry


class ItemSource(Protocol):
    """A source of items of one collection."""

    @property
    def identity(self) -> str:
        """The source and its options as text: if it differs from the last pass, everything is read again.

        It may end in a line about permitted locations. If only that differs, only the affected entries are read again.
        """

    @property
    def allowed(self) -> Callable[[str], str]:
        """Returns the location at which an address in an item is opened; raises `AddressRefused` if it is forbidden."""

    @property
    def threads(self) -> int:
        """Number of entries that may be read concurrently."""

    @property
    def state(self) -> str:
        """A digest of the whole source; empty if only its entries can show changes.

        Raises:
            SourceUnavailable: It cannot be read now.
        """

    @property
    def is_computing(self) -> bool:
        """Whether reading an entry mostly computes, so that processes are faster; its entries can be pickled."""

    @property
    def knows_changes(self) -> bool:
        """Whether it can list only the entries that changed since the last pass."""

    def entries(self, run: SourcePass) -> Iterator[Listed]:
        """Yield the entries of a pass: all entries, or those changed since `run.since` if the pass is not whole.

        Raises:
            SourceUnavailable: The source cannot be listed now.
            UnsupportedSource: It is not a source of items.
        """

    def next_since(self) -> str | None:
        """Return `since` for the pass after the one that `entries` has just finished; `None`: only whole passes."""

    @property
    def is_here(self) -> bool:
        """Whether it is local, so that checks for changes are cheap."""

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether it has changed since `entries`; True if only a request to a remote source can show that.

        Args:
            most_files: Number of files to check, continuing where the last call stopped.
        """


class StacSource:
    """Base class of sources of STAC items.

    Args:
        href: Their path or URL.
        rules: The items to index.
    """

    kind: str
    """Name of the class in identities."""

    def __init__(self, href: str, rules: "ItemRules") -> None:
        self._href, self._rules = href, rules

    @property
    def identity(self) -> str:
        """Location and rules as text."""
        return f"{self.kind} {shown_href(self._href)} {self._rules.identity}"

    @property
    def allowed(self) -> "CheckAddress":
        """Returns the location at which an address is opened."""
        return self._rules.allowed

    @property
    def is_here(self) -> bool:
        """Whether it consists of local files."""
        return local_path(self._href) is not None


CheckAddress = Callable[[str], str]
"""Takes an address in an item and returns the location at which it is opened; raises `AddressRefused`."""


def any_address(address: str) -> str:
    """Return the address: every address is permitted."""
    return address


def matches(expression: cql2.Expr, document: dict[str, Any]) -> bool:
    """Return whether a STAC item matches; False if it lacks a compared property."""
    try:
        return bool(expression.matches(document))
    except Exception:  # noqa: BLE001 -- the only error class of the library for expressions without a result
        return False


class ItemFilter:
    """A CQL2 filter that is applied to single items.

    Args:
        text: CQL2 text. A `BBOX` whose west is greater than its east crosses the antimeridian.

    Raises:
        ConfigurationError: The text is invalid.
    """

    def __init__(self, text: str) -> None:
        try:
            written = cql2.parse_text(text).to_json()
            self._expression = cql2.parse_json(orjson.dumps(cut_boxes(written)).decode())
        except (cql2.ParseError, cql2.ValidationError) as error:
            raise ConfigurationError([f"filter {text[:80]!r} is not valid CQL2 text"]) from error
        self.text = text

    def __reduce__(self) -> tuple[type["ItemFilter"], tuple[str]]:
        """Support pickling by the text."""
        return ItemFilter, (self.text,)

    def to_json(self) -> dict[str, Any]:
        """Return the filter as CQL2 JSON."""
        expression: dict[str, Any] = self._expression.to_json()
        return expression

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Return whether a STAC item matches; False if it lacks a compared property."""
        return matches(self._expression, dict(document))


def age_limit_text(days: float | None) -> str:
    """Return the part of a source's identity about the age limit of its items."""
    return "" if days is None else f" keep_days={days:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRules:
    """The items and assets of a source that are indexed."""

    assets: frozenset[str] = frozenset()
    """Names of assets with variables; empty: all."""
    filter: ItemFilter | None = None
    allowed: CheckAddress = any_address
    places: str = ""
    """A text that changes with the permitted locations."""
    keep_days: float | None = None
    """Items that started earlier are not indexed."""

    @property
    def identity(self) -> str:
        """The rules as text. Permitted locations have a separate line, because they affect few items."""
        assets = " ".join(sorted(self.assets))
        return add_allowed_locations(
            f"{self.filter.text if self.filter else ''} {assets}{age_limit_text(self.keep_days)}", self.places
        )

    def admit(
        self, document: Mapping[str, Any], base: str, refused: list[AddressRefused] | None = None
    ) -> tuple[Item, ...]:
        """Return the item of a STAC document; empty if the filter excludes it.

        Args:
            document: The document.
            base: Its URL.
            refused: Receives an error for each location that is not permitted, also of unused files.

        Raises:
            InvalidItem: The document has no item that can be indexed.
        """
        if self.filter is not None and not self.filter.matches(document):
            return ()
        item = item_of(make_absolute(document, base), base)
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
                    refusals.append(remedy_of(error))
        if refusals and (self.assets or not assets):
            raise InvalidItem(refusals[0])
        if self.assets and not any(asset.name in self.assets for asset in assets):
            raise InvalidItem(f"it has none of the assets {list_names(sorted(self.assets))}")
        return (item if tuple(assets) == item.assets else replace(item, assets=tuple(assets)),)

    def read(self, document: Mapping[str, Any], base: str, state: str) -> ReadEntry:
        """Return the entry of a STAC document."""
        refused = list[AddressRefused]()
        try:
            return ReadEntry(items=self.admit(document, base, refused), state=state, is_refused=bool(refused))
        except InvalidItem as error:
            return ReadEntry(items=(), state=state, problem=error.message, is_refused=bool(refused))


def read_document(rules: ItemRules, document: Mapping[str, Any], base: str, state: str, _before: str) -> ReadEntry:
    """Return the entry of a document; for use in any process."""
    return rules.read(document, base, state)


def remedy_of(refused: AddressRefused) -> str:
    """Return the reason why an address is not opened, with the setting that would permit it."""
    return (
        f"{refused.message}; add {refused.prefix} to {SOURCE_SETTING} to allow them"
        if refused.prefix
        else refused.message
    )


def make_absolute(document: Mapping[str, Any], base: str) -> Mapping[str, Any]:
    """Return a STAC item whose files and links have absolute URLs.

    Args:
        document: The item.
        base: Its URL.
    """
    assets, links = document.get("assets"), document.get("links")
    absolute_document = dict(document)
    if isinstance(assets, dict):
        absolute_document["assets"] = {name: _make_absolute(asset, base) for name, asset in assets.items()}
    if isinstance(links, list):
        absolute_document["links"] = [_make_absolute(link, base) for link in links]
    return absolute_document


def _make_absolute(member: Any, base: str) -> Any:  # noqa: ANN401 -- JSON
    href = member.get("href") if isinstance(member, dict) else None
    if not isinstance(href, str) or "://" in href:
        return member
    try:
        return {**member, "href": absolute(href, base)}
    except ValueError:
        return member  # the reader of the link reports the error


def digest_of(document: Mapping[str, Any]) -> str:
    """Return a digest of a document; equal for all documents that are nested too deeply to be stored."""
    try:
        content = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        content = b""
    return blake2b(content, digest_size=10).hexdigest()


def key_of(document: Mapping[str, Any], state: str) -> str:
    """Return the key of an item in a source that identifies items by id. Ids are unique only within a collection.

    Args:
        document: The item.
        state: Its digest, which replaces an invalid id.
    """
    id_, collection = document.get("id"), document.get("collection")
    if not (isinstance(id_, str) and is_text(id_)):
        return f"an item without a valid id ({state})"
    return f"{collection}/{id_}" if isinstance(collection, str) and collection and is_text(collection) else id_


MANY = 5_000
"""Number of entries above which processes are started, which takes a second."""
TOGETHER = 64
"""Maximum number of entries per task of a process; all entries of a part are one task."""
NICE = 5
"""Increment of the nice value of the processes that read entries, because requests have priority."""

EntryAnswer = ReadEntry | Unread | str | None
"""`None`: the entry is unchanged. Text: the new state of an entry whose item is unchanged."""
_EntryTask = Sequence[tuple[ListedEntry, str]]
"""Entries of one task, with the states at their last reading."""


class EntryReaders(ExitStack):
    """Reads entries. A context manager that ends its threads and processes.

    Args:
        source: The source of the entries.
        processes: Maximum number of additional processes; 0: none.
        is_stopped: Whether the pass ends; if so, no more entries are read.
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
        """Whether entries can be read while earlier ones are stored."""
        return self._pool is not None

    def read(self, entries: Sequence[ListedEntry], states: Sequence[str]) -> Iterator[EntryAnswer]:
        """Return the answers for entries with the states at their last reading.

        Raises `SourceUnavailable` if a process dies, and errors of `SourcePart.load`, in this call or during iteration.
        """
        self._count += len(entries)
        for part in (entry.part for entry in entries if entry.part is not None):
            part.load()
        if self._pool is None and self._processes and self._count > MANY:
            self._pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"), initializer=_begin)
            self.callback(self._pool.shutdown, cancel_futures=True)
        if self._pool is not None and not self._is_stopped():
            with _report_dead_process():
                return _answers(self._pool.map(_read_apart, _together(entries, states)))
        return (map if self._threads is None else self._threads.map)(self._read_here, entries, states)

    def _read_here(self, entry: ListedEntry, before: str) -> EntryAnswer:
        return Unread(key=entry.key, reason="the pass was stopped") if self._is_stopped() else _read(entry, before)


def _together(entries: Sequence[ListedEntry], states: Sequence[str]) -> Iterator[_EntryTask]:
    """Yield the tasks of processes."""
    for part, pairs in groupby(zip(entries, states, strict=True), key=lambda z: z[0].part):
        work = list(pairs)
        yield from [work] if part is not None else chunks(work, TOGETHER)


def _answers(batches: Iterator[list[EntryAnswer]]) -> Iterator[EntryAnswer]:
    with _report_dead_process():
        for answers in batches:
            yield from answers


@contextmanager
def _report_dead_process() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise SourceUnavailable("a process that reads items has ended: is there too little memory?") from error


def _read(entry: ListedEntry, before: str) -> EntryAnswer:
    try:
        return entry.read(before)
    except (InvalidItem, UnsupportedSource) as error:
        return ReadEntry(items=(), state=entry.state, problem=error.message)
    except SourceUnavailable as error:
        return Unread(key=entry.key, reason=error.message)


def _read_apart(work: _EntryTask) -> list[EntryAnswer]:
    """Read entries and prepare their items for storage."""
    answers = (_read(entry, before) for entry, before in work)
    return [
        replace(answer, items=(), prepared=tuple(map(prepare, answer.items)))
        if isinstance(answer, ReadEntry)
        else answer
        for answer in answers
    ]


def _begin() -> None:
    """Initialize a process: lower its priority, and end it when its parent ends for any reason."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
