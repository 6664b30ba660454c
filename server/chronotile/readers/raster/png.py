"""Checksums of PNG files. GDAL does not check them, and returns uninitialised memory for a damaged file."""

from zlib import crc32

from chronotile.readers.tiff import ReadBytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNK_BYTES = 1 << 30


def is_whole_png(read: ReadBytes, start: int = 0) -> bool:
    """Return whether each chunk of a PNG, up to its end, has the checksum that it states.

    Args:
        read: Returns bytes of a file from an offset, fewer at its end.
        start: Offset of the picture.
    """
    at, kind = start + len(SIGNATURE), b""
    if read(start, len(SIGNATURE)) != SIGNATURE:
        return False
    while kind != b"IEND":
        head = read(at, 8)
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        data = read(at + 8, min(size, MAX_CHUNK_BYTES) + 4)
        if len(data) != size + 4 or crc32(kind + data[:-4]) != int.from_bytes(data[-4:], "big"):
            return False
        at += size + 12
    return True


def require_whole_png(read: ReadBytes) -> None:
    """Check the checksums of a PNG file; other files pass.

    Args:
        read: Returns bytes of the file from an offset, fewer at its end.

    Raises:
        OSError: A chunk is missing or has another checksum.
    """
    if read(0, len(SIGNATURE)) == SIGNATURE and not is_whole_png(read):
        raise OSError("the file is damaged: a part of it is missing or has another checksum; copy it again")
