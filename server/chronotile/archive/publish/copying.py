"""Files copied into a catalogue, with their sizes and checksums; those that are there already are left."""

import re
import secrets
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from hashlib import blake2b, sha256
from itertools import islice
from typing import TypeVar

from chronotile.archive.publish.publication import Asset, Source
from chronotile.archive.publish.target import Target
from chronotile.core.durable_files import PARTIAL
from chronotile.core.model.types import Instant, Json

STATE = "chronotile:state"
"""Member of an asset: what changes when the file it was copied from does."""
CHECKSUMS = "-checksums"
"""End of the key of the asset that lists the checksums of a folder."""
SHA2_256 = "1220"
"""Before a checksum in hexadecimal digits: as a multihash, of 32 bytes."""
THREADS = 4
_BYTES = "application/octet-stream"

Given = TypeVar("Given")
Made = TypeVar("Made")


class Copier:
    """Copies files.

    Args:
        target: Where to.
        progress: Called with how many files and bytes have been copied since the last call.
    """

    def __init__(self, target: Target, progress: Callable[[int, int], None]) -> None:
        self._target, self._progress = target, progress

    def assets(
        self, given: Iterable[Asset], folder: str, before: Mapping[str, Json], *, document: str | None = None
    ) -> dict[str, Json]:
        """Return the documents of assets whose files lie in a folder of the catalogue.

        Args:
            given: The assets.
            folder: Where they go; the hrefs are as of a document in it.
            before: The documents of the assets that are there.
            document: Name of the document that lies beside the files.

        Raises:
            SourceUnavailable: A file cannot be read.
            WriteFailed: It cannot be written.
        """
        given = list(given)
        named = ((each.key, each.name or (each.source.name if each.source else each.key)) for each in given)
        names = distinct_names(named, document=document)
        documents = dict[str, Json]()
        for each in given:
            known = before.get(each.key, {})
            if each.source is not None:
                documents[each.key] = self._file(each, each.source, folder, name=names[each.key], known=known)
            elif each.folder is not None:
                checksums = before.get(f"{each.key}{CHECKSUMS}", {})
                documents |= self._folder(each, each.folder, folder, name=names[each.key], known=(known, checksums))
        return documents

    def remove_replaced(self, folder: str, before: Mapping[str, Json], now: Mapping[str, Json]) -> None:
        """Remove the files of assets of before that no asset of now has."""
        hrefs = {str(each["href"]) for each in now.values()}
        for each in before.values():
            href = str(each.get("href", ""))
            if href.startswith("./") and ".." not in href and href not in hrefs:
                is_file = "file:size" in each
                remove = self._target.remove if is_file else self._target.remove_folder
                remove(joined(folder, href))

    def _file(self, asset: Asset, source: Source, folder: str, *, name: str, known: Json) -> Json:
        state = source.state()
        if state and known.get(STATE) == state:
            size = self._target.size(joined(folder, str(known.get("href"))))
            if size is not None and size == known.get("file:size"):
                return _document(asset, {key: known[key] for key in ("href", "file:size", "file:checksum", STATE)})
        is_taken = "href" in known  # its document names the file that is there until it is written again
        href = f"./{state or secrets.token_hex(8)}/{name}" if is_taken else f"./{name}"
        if href == known.get("href"):  # of a state that it had before
            href = f"./{secrets.token_hex(8)}/{name}"
        copied = self._copy(source, joined(folder, href), str(asset.fields.get("type", _BYTES)))
        return _document(asset, {"href": href, **copied, **({STATE: state} if state else {})})

    def _copy(self, source: Source, path: str, media_type: str) -> Json:
        counted = _Counted(source.parts())
        self._target.store(path, counted, media_type=media_type)
        self._progress(1, counted.size)
        return {"file:size": counted.size, "file:checksum": counted.multihash}

    def _folder(
        self, asset: Asset, files: Mapping[str, Source], folder: str, *, name: str, known: tuple[Json, Json]
    ) -> dict[str, Json]:
        """Copy a folder to a place of its own for each state, so that a copy that was interrupted goes on."""
        state = _joined_state(files)
        below, checksums = known
        if state and below.get(STATE) == state and self._target.size(joined(folder, str(checksums.get("href")))):
            document = _document(asset, {"href": below["href"], STATE: state})
            return {asset.key: document, f"{asset.key}{CHECKSUMS}": checksums}
        href = f"./{state or secrets.token_hex(8)}/{name}"
        base = joined(folder, href)

        def copy(path: str) -> tuple[str, str]:
            place = f"{base}/{'/'.join(map(_kept, path.split('/')))}"
            if self._target.size(place) is None:
                return path, str(self._copy(files[path], place, _BYTES)["file:checksum"])
            counted = _Counted(files[path].parts())
            deque(counted, maxlen=0)
            return path, counted.multihash

        with tempfile.TemporaryFile() as lines:
            for path, multihash in in_order(copy, files):
                lines.write(f"{multihash.removeprefix(SHA2_256)}  {name}/{path}\n".encode())
            lines.seek(0)
            counted = _Counted(iter(partial(lines.read, 1 << 20), b""))
            self._target.store(f"{base}.sha256", counted, media_type="text/plain")
        listed = {
            "href": f"{href}.sha256",
            "title": "Checksums, as sha256sum writes them",
            "type": "text/plain",
            "roles": ["metadata"],
            "file:size": counted.size,
            "file:checksum": counted.multihash,
        }
        document = _document(asset, {"href": href, **({STATE: state} if state else {})})
        return {asset.key: document, f"{asset.key}{CHECKSUMS}": listed}


def joined(folder: str, href: str) -> str:
    """Return the path of a relative address in a document of a folder."""
    place = href.removeprefix("./")
    return f"{folder}/{place}" if folder else place


def in_order(work: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
    """Yield what some threads make of each, in order; few are begun before the first is done."""
    waiting = deque[Future[Made]]()
    rest = iter(given)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="publish") as pool:
        try:
            while True:
                waiting += (pool.submit(work, each) for each in islice(rest, 2 * THREADS - len(waiting)))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


class _Counted:
    """Parts of a file, counted and hashed as they pass."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts, self._hash = parts, sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self._hash.update(part)
            self.size += len(part)
            yield part

    @property
    def multihash(self) -> str:
        """The checksum of all that has passed."""
        return SHA2_256 + self._hash.hexdigest()


def _document(asset: Asset, place: Json) -> Json:
    return {"href": place["href"], **asset.fields, **{key: value for key, value in place.items() if key != "href"}}


def _joined_state(files: Mapping[str, Source]) -> str:
    digest = blake2b(digest_size=8)
    for path, source in files.items():
        state = source.state()
        if not state:
            return ""
        digest.update(f"{path} {state}\n".encode())
    return digest.hexdigest()


def _kept(name: str) -> str:
    # The name of a file in a store, which readers of the store ask for: safe as it is, or else refused as another.
    return safe_name(name) if name in {"", ".", ".."} else name


# Names of folders and files in a published catalogue, from ids and names that anyone may have written.

CATALOGUE = "catalog.json"
"""Of each folder of items."""
MOST = 120
"""Characters."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]*")


def safe_name(text: str) -> str:
    """Return a text as a name that means no other place and is safe in addresses; different texts give others."""
    if len(text) <= MOST and _PLAIN.fullmatch(text):
        return text
    stem, dot, suffix = text.rpartition(".")
    if not (stem and dot and suffix.isascii() and suffix.isalnum() and len(suffix) <= 8):
        stem, suffix = text, ""
    shown = re.sub(r"[^A-Za-z0-9_+=-]+", "-", stem)[: MOST // 2].strip("-") or "item"
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{shown}-{digest}{f'.{suffix}' if suffix else ''}"


def item_name(id_: str) -> str:
    """Return the name of an item's folder and document, which is not that of the catalogue beside it."""
    name = safe_name(id_)
    return safe_name(f"/{id_}") if name.lower() in _taken_by(CATALOGUE) else name


def item_place(id_: str) -> str:
    """Return the path of an item's document in the folder of its catalogue."""
    name = item_name(id_)
    return f"{name}/{name}.json"


def distinct_names(names: Iterable[tuple[str, str]], *, document: str | None = None) -> dict[str, str]:
    """Return safe names of files by key, which differ by more than case, also from those of files that are not whole.

    Args:
        names: Keys, which differ, and names. Names that are like others get their keys in front.
        document: Name of the document beside the files.
    """
    pairs = [(key, safe_name(name)) for key, name in names]
    counts = Counter(name.lower() for _key, name in pairs)
    reserved = set() if document is None else _taken_by(document)
    alone = {key: name for key, name in pairs if counts[name.lower()] == 1 and not _is_like(name, reserved)}
    reserved.update(name.lower() for name in alone.values())
    named = dict[str, str]()
    for key, name in pairs:
        chosen = alone.get(key) or safe_name(f"{key}-{name}")
        if key not in alone and _is_like(chosen, reserved):
            chosen = safe_name(f"/{key}/{name}/")  # which no plain name is
        reserved.add(chosen.lower())
        named[key] = chosen
    return named


def _taken_by(document: str) -> set[str]:
    return {document.lower(), f"{document.lower()}{PARTIAL}"}


def _is_like(name: str, reserved: Collection[str]) -> bool:
    # Whether a name is taken, or that of a file until it is whole.
    return name.lower() in reserved or name.lower().endswith(PARTIAL)


def group_path(start: Instant, *, is_daily: bool) -> str:
    """Return the folder of items of a time: of their day if there may be many a day, else of their year."""
    text = str(start.astype("datetime64[D]"))
    return text.replace("-", "/") if is_daily else text[:4]
