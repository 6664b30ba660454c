"""Items of static STAC catalogues, found by following child links. Each catalogue is read once."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from chronotile.archive.index import source
from chronotile.archive.index.documents import Document, DocumentReader, MissingDocument, file_state, require_document
from chronotile.catalog.items.passes import SourcePass
from chronotile.catalog.items.properties import is_text
from chronotile.catalog.items.statements import chunks
from chronotile.core.errors import AddressRefused, SourceUnavailable, UnsupportedSource
from chronotile.core.model.types import Json
from chronotile.core.web.item_places import PLAIN_NAME, absolute
from chronotile.readers.hrefs import local_path, shown_href

THREADS_HERE, THREADS_ELSEWHERE = 4, 16
MAX_DEPTH = 64
"""Levels of nested catalogues."""
MAX_CATALOGUES = 1_000_000
"""Catalogues per source."""
TYPES = {"Catalog", "Collection", "Feature", "FeatureCollection"}
MISSING = "missing"
"""State of a missing local file."""
AGAIN = "it links to a catalogue that it is part of; this is not followed"
DEEP = f"catalogues deeper than {MAX_DEPTH} are not followed"


class CatalogueSource(source.StacSource):
    """The items below a catalogue, a collection, an item collection or an item.

    Args:
        href: Its path or URL.
        documents: Reads the documents.
        rules: The items to index.
        is_watched: Whether `has_changed` will be called, which needs the states of all documents.
    """

    kind = "catalogue"
    state = ""
    knows_changes = False

    def __init__(
        self, href: str, documents: DocumentReader, rules: source.ItemRules, *, is_watched: bool = True
    ) -> None:
        super().__init__(href, rules)
        self._documents, self._is_watched = documents, is_watched
        self._catalogues, self._files = FileStates(), FileStates()

    @property
    def threads(self) -> int:
        """More for remote documents."""
        return THREADS_HERE if self.is_here else THREADS_ELSEWHERE

    @property
    def is_computing(self) -> bool:
        """Whether the documents are local."""
        return self.is_here

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether a catalogue or any of the next `most_files` items was replaced; True for remote sources."""
        if not self.is_here:
            return True
        is_changed = self._catalogues.have_changed(most=len(self._catalogues))
        return self._files.have_changed(most=most_files) or is_changed

    def next_since(self) -> str | None:
        """Return `None`: documents do not list changes."""
        return None

    def entries(self, run: SourcePass) -> Iterator[source.Listed]:
        """Yield all items, catalogue by catalogue.

        Raises:
            SourceUnavailable: The first document is unreachable.
            UnsupportedSource: It is not a STAC document.
        """
        del run  # each pass lists all entries, independent of earlier passes
        self._catalogues, self._files = FileStates(), FileStates()
        try:
            root = require_document(self._documents.read(self._href))
        except MissingDocument as error:
            raise UnsupportedSource(f"{shown_href(self._href)}: {error.message}") from error
        # Catalogues and collections have a type since STAC 1.0.
        if root.body.get("type") not in TYPES and "stac_version" not in root.body:
            raise UnsupportedSource(f"{shown_href(self._href)} is not a STAC catalogue, collection or item")
        yield from self._walk(root)

    def _walk(self, root: Document) -> Iterator[source.Listed]:
        waiting: list[tuple[Document | str, tuple[str, ...]]] = [(root, ())]
        hrefs = {root.href}
        while waiting:
            next_document, above = waiting.pop()
            document = self._read_catalogue(next_document) if isinstance(next_document, str) else next_document
            if isinstance(document, source.Unread):
                yield document
                continue
            self._catalogues.note(document.href, document.state)
            below = (*above, document.href)
            yield from self._items(document)
            children = list[tuple[Document | str, tuple[str, ...]]]()
            for href in self._child_links(document):
                if isinstance(href, source.Excluded):
                    yield href
                elif href in below:
                    yield source.Excluded(key=document.href, reason=AGAIN)
                elif len(below) > MAX_DEPTH or len(hrefs) > MAX_CATALOGUES:
                    yield source.Unread(key=href, reason=DEEP)
                elif href not in hrefs:
                    hrefs.add(href)
                    children.append((href, below))
            waiting += reversed(children)

    def _read_catalogue(self, href: str) -> Document | source.Unread:
        """Read a catalogue; a missing catalogue may return later, so its items are not removed."""
        try:
            document = self._documents.read(href)
        except MissingDocument as error:
            return source.Unread(key=shown_href(href), reason=f"a linked catalogue is missing: {error.message}")
        except SourceUnavailable as error:
            return source.Unread(key=shown_href(href), reason=error.message)
        return document or source.Unread(key=shown_href(href), reason="its server sends no document")

    def _items(self, document: Document) -> Iterator[source.Listed]:
        if document.body.get("type") == "Feature":
            yield self._entry(document.href, document.body, document.href)
        yield from self._features(document)
        for links in chunks(_hrefs(document, "item")):  # the folder is checked per chunk, as it may become a link
            folder = self._folder(document)
            for link in links:
                try:
                    href, state = self._locate(document, folder, link)
                except AddressRefused as error:
                    yield source.Excluded(key=link, reason=source.remedy_of(error))
                    continue
                if self._is_watched:
                    self._files.note(href, state)
                yield source.ListedEntry(key=href, read=partial(_read, self._documents, self._rules, href), state=state)

    def _features(self, document: Document) -> Iterator[source.ListedEntry]:
        """Yield the features of a document; the last of several with the same id counts."""
        members = document.body.get("features")
        features = [
            (_name_of(x, number), x)
            for number, x in enumerate(members if isinstance(members, list) else ())
            if isinstance(x, dict)
        ]
        last = {name: number for number, (name, _feature) in enumerate(features)}
        for number, (name, feature) in enumerate(features):
            key = f"{document.href}#{name}"
            counts = last[name] == number
            yield self._entry(key, feature, document.href) if counts else source.twin(f"{key} ({number + 1})")

    def _folder(self, document: Document) -> str:
        """Return the folder of a local document, ending with a slash; empty for remote documents."""
        try:
            below = self._rules.allowed(join_address(document.href, "_")) if self.is_here else ""
        except AddressRefused:
            return ""
        return below[:-1] if below.endswith("/_") else ""

    def _locate(self, document: Document, folder: str, href: str) -> tuple[str, str]:
        """Return the location of a linked item and its state; one system call if it is in the catalogue's folder.

        Raises:
            AddressRefused: The item must not be opened.
        """
        name = href.removeprefix("./")
        if folder and PLAIN_NAME.fullmatch(name) and (state := _state_here(folder + name, is_link_followed=False)):
            return folder + name, state
        address = self._rules.allowed(join_address(document.href, href))
        return address, _state_here(address)

    def _entry(self, key: str, feature: Json, base: str) -> source.ListedEntry:
        state = source.digest_of(feature)
        read = partial(source.read_document, self._rules, feature, base, state)
        return source.ListedEntry(key=key, read=read, state=state)

    def _child_links(self, document: Document) -> Iterator[str | source.Excluded]:
        """Yield the locations of children without repetition; forbidden ones as `Excluded` with the reason."""
        for href in _hrefs(document, "child"):
            try:
                yield self._rules.allowed(join_address(document.href, href))
            except AddressRefused as error:
                yield source.Excluded(key=href, reason=source.remedy_of(error))


def _name_of(feature: Json, number: int) -> str:
    # The id of a feature, or its number in the document if the id is invalid, such as a number.
    id_ = feature.get("id")
    return id_ if isinstance(id_, str) and is_text(id_) else f"feature {number + 1} (without a valid id)"


def _hrefs(document: Document, relation: str) -> list[str]:
    """Return the targets of the links of a document, without repetition."""
    links: Any = document.body.get("links")
    hrefs = dict[str, None]()
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == relation and isinstance(link.get("href"), str):
            hrefs[link["href"]] = None
    return list(hrefs)


def _read(documents: DocumentReader, rules: source.ItemRules, href: str, before: str) -> source.ReadEntry | None:
    document = documents.read(href, before)
    return None if document is None else rules.read(document.body, href, document.state)


def join_address(base: str, href: str) -> str:
    """Return an address in a document as an absolute address without fragment.

    Raises:
        AddressRefused: It is not an address.
    """
    try:
        return absolute(href.partition("#")[0], base)
    except ValueError as error:
        raise AddressRefused(f"a link is not an address: {error}") from error


class FileStates:
    """States of files, to be compared with their current states."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._turn: Iterator[str] = iter(())

    def __len__(self) -> int:
        return len(self._states)

    def note(self, path: str, state: str) -> None:
        """Store the state of a file."""
        self._states[path] = state

    def have_changed(self, *, most: int) -> bool:
        """Return whether any of the next `most` files has another state; each call continues after the previous one."""
        remaining = most
        while remaining > 0:
            path = next(self._turn, None)
            if path is None:
                self._turn = iter(list(self._states))
                if not self._states or remaining < most:
                    return False
                continue
            remaining -= 1
            if _state_here(path) != self._states[path]:
                return True
        return False


def _state_here(href: str, *, is_link_followed: bool = True) -> str:
    path = href if href.startswith("/") else local_path(href)
    if path is None:
        return ""
    try:
        return file_state(path, is_link_followed=is_link_followed)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    except OSError:
        return ""
