"""What is sent of a product: any part of it, without what comes before it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from chronotile.encoders.zip_layout import FOLDER_END, ZipEntry, ZipLayout, ZipPart
from chronotile.pipeline.revision import fingerprint
from chronotile.readers.products.checksums import Checksums, crc32
from chronotile.readers.products.files import READ_BYTES, ProductFile
from chronotile.readers.products.folders import Node, ProductFolder

ZIP_VERSION = 1
"""Of the layout of ZIP files: another one gives other bytes."""


class ProductBody(Protocol):
    """Bytes in one state."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def etag(self) -> str | None:
        """Strong validator without quotes; `None` if other bytes may have the same state."""

    @property
    def modified_ns(self) -> int:
        """When it was last written, since 1970; 0: not known."""

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop`, at most a MiB at a time; no bytes where the next ones need time.

        Raises:
            SourceChanged: It is not in its state any more.
            SourceUnavailable: It cannot be read now.
        """


class FileBody:
    """A file.

    Args:
        file: It.
    """

    def __init__(self, file: ProductFile) -> None:
        self.file = file
        self.size = file.size
        self.etag = None if file.tag is None else fingerprint(file.tag)
        self.modified_ns = file.state.mtime_ns

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop`; a file that is replaced by another is read to its end."""
        with self.file.open() as opened:
            for place in range(start, stop, READ_BYTES):
                yield opened.read(place, min(place + READ_BYTES, stop))


class ZipBody:
    """Files as a ZIP.

    Args:
        nodes: Files, and folders that are empty, by their names in it.
        checksums: Where those of the files are remembered.
    """

    def __init__(self, nodes: Sequence[tuple[str, Node]], checksums: Checksums) -> None:
        self._nodes = [node for _name, node in nodes]
        self._layout = ZipLayout([_entry(name, node) for name, node in nodes])
        self._checksums = checksums
        self.size = self._layout.size
        tags = [
            node.tag if isinstance(node, ProductFile) else str(entry.modified_ns)
            for node, entry in zip(self._nodes, self._layout.entries, strict=True)
        ]
        names = [name for name, _node in nodes]
        self.etag = None if None in tags else fingerprint("zip", ZIP_VERSION, names, tags)
        self.modified_ns = max((entry.modified_ns for entry in self._layout.entries), default=0)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop`; files of which they hold a checksum are read for it, once."""
        crcs = dict[int, int]()
        for part in self._layout.parts(start, stop):
            if part.kind == "header":
                yield self._layout.header(part.entry)[part.start : part.stop]
            elif part.kind == "data":
                yield from self._data(part, crcs)
            elif part.kind == "descriptor":
                yield from self._find_crc(part.entry, crcs)
                yield self._layout.descriptor(part.entry, crcs[part.entry])[part.start : part.stop]
            else:
                for number in range(part.entry):
                    yield from self._find_crc(number, crcs)
                directory = self._layout.directory([crcs[number] for number in range(part.entry)])
                for place in range(part.start, part.stop, READ_BYTES):
                    yield directory[place : min(place + READ_BYTES, part.stop)]

    def _data(self, part: ZipPart, crcs: dict[int, int]) -> Iterator[bytes]:
        file = self._nodes[part.entry]
        assert isinstance(file, ProductFile)  # noqa: S101 -- folders have no bytes
        is_whole, crc = (part.start, part.stop) == (0, file.size), 0
        with file.open() as opened:
            for place in range(part.start, part.stop, READ_BYTES):
                data = opened.read(place, min(place + READ_BYTES, part.stop))
                crc = crc32(data, crc) if is_whole else 0
                yield data
        if is_whole:
            crcs[part.entry] = crc
            self._checksums.note(file, crc=crc)

    def _find_crc(self, number: int, crcs: dict[int, int]) -> Iterator[bytes]:
        """Find the CRC-32 of an entry; yields no bytes, as often as it takes."""
        node = self._nodes[number]
        if number not in crcs and isinstance(node, ProductFile) and node.size:
            crcs[number] = yield from self._checksums.find_crc(node)
        crcs.setdefault(number, 0)


def _entry(name: str, node: Node) -> ZipEntry:
    if isinstance(node, ProductFolder):
        return ZipEntry(f"{name}{FOLDER_END}", 0, node.modified_ns)
    return ZipEntry(name, node.size, node.state.mtime_ns)
