"""Bodies of downloads: the bytes of a file or of a ZIP, any part of which can be sent without the bytes before it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from chronotile.pipeline.encoders.zip_layout import FOLDER_END, ZipEntry, ZipLayout, ZipPart
from chronotile.pipeline.revision import fingerprint
from chronotile.readers.products.checksums import Checksums, crc32
from chronotile.readers.products.files import READ_BYTES, ProductFile
from chronotile.readers.products.folders import Node, ProductFolder

ZIP_VERSION = 1
"""Version of the layout of ZIP files, part of their ETags."""


class ProductBody(Protocol):
    """The bytes of one version of a file or of files."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def etag(self) -> str | None:
        """Strong validator without quotes; `None` if the files have none."""

    @property
    def modified_ns(self) -> int:
        """Time of the last change in nanoseconds since 1970; 0 if it is unavailable."""

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop` in pieces of at most 1 MiB, which may be empty during long work.

        Raises:
            SourceChanged: A file was replaced.
            SourceUnavailable: A file is unreachable.
        """


class FileBody:
    """The bytes of a file."""

    def __init__(self, file: ProductFile) -> None:
        self.file = file
        self.size = file.size
        self.etag = None if file.tag is None else fingerprint(file.tag)
        self.modified_ns = file.state.mtime_ns

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop`; if the path gets another file, the opened one is read to its end."""
        with self.file.open() as opened:
            for position in range(start, stop, READ_BYTES):
                yield opened.read(position, min(position + READ_BYTES, stop))


class ZipBody:
    """Files as a ZIP, without compression.

    Args:
        nodes: Files and empty folders, with their names in the ZIP.
        checksums: Cache of the checksums of the files.
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
        """Yield bytes from `start` up to `stop`. If a checksum is part of them, its file is read first, once."""
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
                for position in range(part.start, part.stop, READ_BYTES):
                    yield directory[position : min(position + READ_BYTES, part.stop)]

    def _data(self, part: ZipPart, crcs: dict[int, int]) -> Iterator[bytes]:
        file = self._nodes[part.entry]
        assert isinstance(file, ProductFile)  # noqa: S101 -- folders have no bytes
        is_whole, crc = (part.start, part.stop) == (0, file.size), 0
        with file.open() as opened:
            for position in range(part.start, part.stop, READ_BYTES):
                data = opened.read(position, min(position + READ_BYTES, part.stop))
                crc = crc32(data, crc) if is_whole else 0
                yield data
        if is_whole:
            crcs[part.entry] = crc
            self._checksums.note(file, crc=crc)

    def _find_crc(self, number: int, crcs: dict[int, int]) -> Iterator[bytes]:
        """Add the CRC-32 of an entry to `crcs`; yields empty pieces while the file is read."""
        node = self._nodes[number]
        if number not in crcs and isinstance(node, ProductFile) and node.size:
            crcs[number] = yield from self._checksums.find_crc(node)
        crcs.setdefault(number, 0)


def _entry(name: str, node: Node) -> ZipEntry:
    if isinstance(node, ProductFolder):
        return ZipEntry(f"{name}{FOLDER_END}", 0, node.modified_ns)
    return ZipEntry(name, node.size, node.state.mtime_ns)
