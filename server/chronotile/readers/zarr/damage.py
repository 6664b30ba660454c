"""Damage that libraries do not notice: Blosc chunks with wrong lengths, and wrong checksums in ZIP files."""

import zlib
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from chronotile.readers.file_states import FileState, file_state
from chronotile.readers.library_errors import Damaged

BLOSC_HEADER = 16
"""Bytes: version, format, flags, type size, then three numbers of four bytes: values, block, whole chunk."""
_COPIED = 0x02
"""Flag of a chunk that is stored without compression."""


@cache
def guard_blosc() -> None:
    """Make numcodecs, and so zarr-python, refuse chunks with a wrong header, which would crash the process.

    tensorstore checks them itself.
    """
    from numcodecs.blosc import Blosc  # noqa: PLC0415 -- of an extra

    decode = Blosc.decode

    def decode_checked(codec: Blosc, buf: Any, out: Any = None) -> Any:  # noqa: ANN401 -- any buffer
        require_whole_blosc(bytes(memoryview(buf).cast("B")[:BLOSC_HEADER]), memoryview(buf).nbytes)
        return decode(codec, buf, out)

    Blosc.decode = decode_checked


def require_whole_blosc(header: bytes, size: int) -> None:
    """Check that a chunk has the length that its header states.

    Raises:
        Damaged: It has another length.
    """
    values, stated = (int.from_bytes(header[at : at + 4], "little") for at in (4, 12))
    if len(header) < BLOSC_HEADER or stated != size or (header[2] & _COPIED and values + BLOSC_HEADER != size):
        raise Damaged("a chunk is damaged: it has another length than its header states")


def require_whole_members(path: Path, names: Iterable[str]) -> None:
    """Check the checksums of members of a ZIP file, once per version of the file; missing members pass.

    Raises:
        Damaged: A checksum is wrong.
    """
    file, whole = _zip_file(path, file_state(str(path)))
    for name in names:
        if name in whole or name not in file.NameToInfo:
            continue
        try:
            file.read(name)
        except (BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise Damaged(f"{name} is damaged: {error}") from None
        whole.add(name)


@lru_cache(maxsize=8)
def _zip_file(path: Path, state: FileState) -> tuple[ZipFile, set[str]]:  # noqa: ARG001 -- one for each version
    return ZipFile(path), set()
