"""Copies of files in a catalogue, with sizes and checksums; existing copies are not repeated."""

import secrets
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from hashlib import blake2b, sha256
from itertools import islice
from typing import TypeVar

from chronotile.archive.publish.names import distinct_names, safe_name
from chronotile.archive.publish.publication import PublishedAsset, SourceFile
from chronotile.archive.publish.target import Target
from chronotile.core.model.types import Json

STATE = "chronotile:state"
"""Member of an asset: the state of the file from which it was copied."""
CHECKSUMS = "-checksums"
"""Suffix of the key of the asset that lists the checksums of a folder."""
SHA2_256 = "1220"
"""Prefix that makes a hexadecimal SHA-256 checksum a multihash."""
THREADS = 4
_BYTES = "application/octet-stream"

Given = TypeVar("Given")
Made = TypeVar("Made")


class Copier:
    """Copies files.

    Args:
        target: The target.
        progress: Called with the numbers of files and bytes copied since the last call.
    """

    def __init__(self, target: Target, progress: Callable[[int, int], None]) -> None:
        self._target, self._progress = target, progress

    def assets(
        self,
        all_assets: Iterable[PublishedAsset],
        folder: str,
        before: Mapping[str, Json],
        *,
        document: str | None = None,
    ) -> dict[str, Json]:
        """Copy the files of assets into a folder of the catalogue; return the documents of the assets.

        Args:
            all_assets: The assets.
            folder: The folder; hrefs are relative to it.
            before: The documents of the existing assets.
            document: Name of the document in the same folder.

        Raises:
            SourceUnavailable: A file cannot be read.
            WriteFailed: It cannot be written.
        """
        all_assets = list(all_assets)
        named_files = (
            (asset.key, asset.name or (asset.source.name if asset.source else asset.key)) for asset in all_assets
        )
        names = distinct_names(named_files, document=document)
        documents = dict[str, Json]()
        for asset in all_assets:
            earlier = before.get(asset.key, {})
            if asset.source is not None:
                documents[asset.key] = self._file(asset, asset.source, folder, name=names[asset.key], earlier=earlier)
            elif asset.folder is not None:
                checksums = before.get(f"{asset.key}{CHECKSUMS}", {})
                documents |= self._folder(
                    asset, asset.folder, folder, name=names[asset.key], earlier=(earlier, checksums)
                )
        return documents

    def remove_replaced(self, folder: str, before: Mapping[str, Json], now: Mapping[str, Json]) -> None:
        """Remove the files of earlier assets that no current asset uses."""
        hrefs = {str(n["href"]) for n in now.values()}
        for asset in before.values():
            href = str(asset.get("href", ""))
            if href.startswith("./") and ".." not in href and href not in hrefs:
                is_file = "file:size" in asset
                remove = self._target.remove if is_file else self._target.remove_folder
                remove(join_path(folder, href))

    def _file(self, asset: PublishedAsset, source: SourceFile, folder: str, *, name: str, earlier: Json) -> Json:
        state = source.state()
        if state and earlier.get(STATE) == state:
            size = self._target.size(join_path(folder, str(earlier.get("href"))))
            if size is not None and size == earlier.get("file:size"):
                return _document(asset, {key: earlier[key] for key in ("href", "file:size", "file:checksum", STATE)})
        is_taken = "href" in earlier  # the existing document refers to the existing file until it is replaced
        href = f"./{state or secrets.token_hex(8)}/{name}" if is_taken else f"./{name}"
        if href == earlier.get("href"):  # the file returned to an earlier state
            href = f"./{secrets.token_hex(8)}/{name}"
        copied = self._copy(source, join_path(folder, href), str(asset.fields.get("type", _BYTES)))
        return _document(asset, {"href": href, **copied, **({STATE: state} if state else {})})

    def _copy(self, source: SourceFile, path: str, media_type: str) -> Json:
        parts = _CountedParts(source.parts())
        self._target.store(path, parts, media_type=media_type)
        self._progress(1, parts.size)
        return {"file:size": parts.size, "file:checksum": parts.multihash}

    def _folder(
        self,
        asset: PublishedAsset,
        files: Mapping[str, SourceFile],
        folder: str,
        *,
        name: str,
        earlier: tuple[Json, Json],
    ) -> dict[str, Json]:
        """Copy a folder to a separate location per state, so that an interrupted copy can continue."""
        state = _joined_state(files)
        below, checksums = earlier
        if state and below.get(STATE) == state and self._target.size(join_path(folder, str(checksums.get("href")))):
            document = _document(asset, {"href": below["href"], STATE: state})
            return {asset.key: document, f"{asset.key}{CHECKSUMS}": checksums}
        href = f"./{state or secrets.token_hex(8)}/{name}"
        base = join_path(folder, href)

        def copy(path: str) -> tuple[str, str]:
            place = f"{base}/{'/'.join(map(_safe_segment, path.split('/')))}"
            if self._target.size(place) is None:
                return path, str(self._copy(files[path], place, _BYTES)["file:checksum"])
            parts = _CountedParts(files[path].parts())
            deque(parts, maxlen=0)
            return path, parts.multihash

        with tempfile.TemporaryFile() as lines:
            for path, multihash in map_in_order(copy, files):
                lines.write(f"{multihash.removeprefix(SHA2_256)}  {name}/{path}\n".encode())
            lines.seek(0)
            line_parts = _CountedParts(iter(partial(lines.read, 1 << 20), b""))
            self._target.store(f"{base}.sha256", line_parts, media_type="text/plain")
        listed = {
            "href": f"{href}.sha256",
            "title": "Checksums, as sha256sum writes them",
            "type": "text/plain",
            "roles": ["metadata"],
            "file:size": line_parts.size,
            "file:checksum": line_parts.multihash,
        }
        document = _document(asset, {"href": href, **({STATE: state} if state else {})})
        return {asset.key: document, f"{asset.key}{CHECKSUMS}": listed}


def join_path(folder: str, href: str) -> str:
    """Return the path of a relative URL in a document of a folder."""
    place = href.removeprefix("./")
    return f"{folder}/{place}" if folder else place


def map_in_order(work: Callable[[Given], Made], values: Iterable[Given]) -> Iterator[Made]:
    """Yield the results of `work` in the order of the input; threads work ahead by a few values."""
    futures = deque[Future[Made]]()
    rest = iter(values)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="publish") as pool:
        try:
            while True:
                futures += (pool.submit(work, x) for x in islice(rest, 2 * THREADS - len(futures)))
                if not futures:
                    return
                yield futures.popleft().result()
        finally:
            for future in futures:
                future.cancel()


class _CountedParts:
    """Parts of a file, counted and hashed during iteration."""

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
        """The checksum of the parts so far."""
        return SHA2_256 + self._hash.hexdigest()


def _document(asset: PublishedAsset, place: Json) -> Json:
    return {"href": place["href"], **asset.fields, **{key: value for key, value in place.items() if key != "href"}}


def _joined_state(files: Mapping[str, SourceFile]) -> str:
    digest = blake2b(digest_size=8)
    for path, source in files.items():
        state = source.state()
        if not state:
            return ""
        digest.update(f"{path} {state}\n".encode())
    return digest.hexdigest()


def _safe_segment(name: str) -> str:
    # The name of a file in a store. Readers of the store request it, so only unsafe path segments are replaced.
    return safe_name(name) if name in {"", ".", ".."} else name
