"""Items of static STAC catalogues: their catalogues and collections are followed, each once."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from chronotile.archive.index.documents import Document, Documents, Json, MissingDocument, file_state, required
from chronotile.archive.index.rules import Allowed, ItemRules, digest_of, read_document, with_remedy
from chronotile.archive.index.source import Excluded, Listed, ListedEntry, ReadEntry, Unread
from chronotile.catalog.items.order import is_text
from chronotile.catalog.items.passes import SourcePass
from chronotile.errors import AddressRefused, SourceUnavailable, UnsupportedSource
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.web.item_places import absolute

THREADS_HERE, THREADS_ELSEWHERE = 4, 16
MOST_DEPTH = 64
"""Catalogues in catalogues."""
MOST_CATALOGUES = 1_000_000
"""Of one source."""
TYPES = {"Catalog", "Collection", "Feature", "FeatureCollection"}
AGAIN = "it links to a catalogue that it is part of; this is not followed"
DEEP = f"catalogues deeper than {MOST_DEPTH} are not followed"


class CatalogueSource:
    """The items below a catalogue, a collection, an item collection or an item.

    Args:
        href: Its path or URL.
        documents: By which documents are read.
        rules: Which items are taken.
    """

    state = ""
    knows_changes = False

    def __init__(self, href: str, documents: Documents, rules: ItemRules) -> None:
        self._href, self._documents, self._rules = href, documents, rules
        self._catalogues, self._files = FileStates(), FileStates()

    @property
    def identity(self) -> str:
        """Its address and rules."""
        return f"catalogue {shown_href(self._href)} {self._rules.identity}"

    @property
    def allowed(self) -> Allowed:
        """Which addresses are opened."""
        return self._rules.allowed

    @property
    def threads(self) -> int:
        """More where documents are elsewhere."""
        return THREADS_ELSEWHERE if local_path(self._href) is None else THREADS_HERE

    @property
    def is_computing(self) -> bool:
        """Whether documents are on this machine."""
        return self.is_here

    @property
    def is_here(self) -> bool:
        """Whether it consists of files of this machine."""
        return local_path(self._href) is not None

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether a catalogue, or one of some items, was replaced."""
        if not self.is_here:
            return True
        is_changed = self._catalogues.have_changed(most=len(self._catalogues))
        return self._files.have_changed(most=most_files) or is_changed

    def since(self) -> str | None:
        """Return nothing: documents do not list changes."""
        return None

    def entries(self, run: SourcePass) -> Iterator[Listed]:
        """Yield all items, catalogue by catalogue.

        Raises:
            SourceUnavailable: The first document cannot be read now.
            UnsupportedSource: It is not a document of STAC.
        """
        del run  # each pass sees all
        self._catalogues, self._files = FileStates(), FileStates()
        try:
            root = required(self._documents.read(self._href))
        except MissingDocument as error:
            raise UnsupportedSource(f"{shown_href(self._href)}: {error.message}") from error
        # Catalogues and collections have a type since STAC 1.0.
        if root.body.get("type") not in TYPES and "stac_version" not in root.body:
            raise UnsupportedSource(f"{shown_href(self._href)} is not a STAC catalogue, collection or item")
        yield from self._walk(root)

    def _walk(self, root: Document) -> Iterator[Listed]:
        waiting: list[tuple[Document | str, tuple[str, ...]]] = [(root, ())]
        seen = {root.href}
        while waiting:
            found, above = waiting.pop()
            document = self._listed(found) if isinstance(found, str) else found
            if isinstance(document, Unread):
                yield document
                continue
            self._catalogues.note(document.href, document.state)
            below = (*above, document.href)
            yield from self._items(document)
            children = list[tuple[Document | str, tuple[str, ...]]]()
            for href in self._links(document, "child"):
                if isinstance(href, Excluded):
                    yield href
                elif href in below:
                    yield Excluded(key=document.href, reason=AGAIN)
                elif len(below) > MOST_DEPTH or len(seen) > MOST_CATALOGUES:
                    yield Unread(key=href, reason=DEEP)
                elif href not in seen:
                    seen.add(href)
                    children.append((href, below))
            waiting += reversed(children)

    def _listed(self, href: str) -> Document | Unread:
        """A catalogue; one that is missing may be there later, so its items are not taken for removed."""
        try:
            document = self._documents.read(href)
        except MissingDocument as error:
            return Unread(key=shown_href(href), reason=f"a linked catalogue is missing: {error.message}")
        except SourceUnavailable as error:
            return Unread(key=shown_href(href), reason=error.message)
        return document or Unread(key=shown_href(href), reason="its server sends no document")

    def _items(self, document: Document) -> Iterator[Listed]:
        if document.body.get("type") == "Feature":
            yield self._entry(document.href, document.body, document.href)
        features = document.body.get("features")
        for number, feature in enumerate(features if isinstance(features, list) else ()):
            if isinstance(feature, dict):
                id_ = feature.get("id")
                name = id_ if isinstance(id_, str) and is_text(id_) else number
                yield self._entry(f"{document.href}#{name}", feature, document.href)
        for href in self._links(document, "item"):
            if isinstance(href, Excluded):
                yield href
            else:
                state = _state_here(href)
                self._files.note(href, state)
                yield ListedEntry(key=href, read=partial(_read, self._documents, self._rules, href), state=state)

    def _entry(self, key: str, feature: Json, base: str) -> ListedEntry:
        state = digest_of(feature)
        return ListedEntry(key=key, read=partial(read_document, self._rules, feature, base, state), state=state)

    def _links(self, document: Document, relation: str) -> Iterator[str | Excluded]:
        """Addresses of links, once each; those that may not be opened with the reason."""
        links: Any = document.body.get("links")
        found = dict[str, None]()
        for link in links if isinstance(links, list) else ():
            if isinstance(link, dict) and link.get("rel") == relation and isinstance(link.get("href"), str):
                found[link["href"]] = None
        for href in found:
            try:
                yield self._rules.allowed(joined(document.href, href))
            except AddressRefused as error:
                yield Excluded(key=href, reason=with_remedy(error))


def _read(documents: Documents, rules: ItemRules, href: str, before: str) -> ReadEntry | None:
    document = documents.read(href, before)
    return None if document is None else rules.read(document.body, href, document.state)


def joined(base: str, href: str) -> str:
    """Return an address that a document contains as one of its own, without its fragment.

    Raises:
        AddressRefused: It is none.
    """
    try:
        return absolute(href.partition("#")[0], base)
    except ValueError as error:
        raise AddressRefused(f"a link is not an address: {error}") from error


class FileStates:
    """States of files, to be compared with those of now."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._turn: Iterator[str] = iter(())

    def __len__(self) -> int:
        return len(self._states)

    def note(self, path: str, state: str) -> None:
        """Take a file with its state."""
        self._states[path] = state

    def have_changed(self, *, most: int) -> bool:
        """Whether any of the next `most` files is in another state."""
        left = most
        while left > 0:
            path = next(self._turn, None)
            if path is None:
                self._turn = iter(list(self._states))
                if not self._states or left < most:
                    return False
                continue
            left -= 1
            if _state_here(path) != self._states[path]:
                return True
        return False


def _state_here(href: str) -> str:
    path = local_path(href)
    if path is None:
        return ""
    try:
        return file_state(path)
    except OSError:
        return ""
