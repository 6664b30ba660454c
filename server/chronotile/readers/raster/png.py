"""Checksums of PNG pictures, which GDAL does not need: of a damaged one it returns memory that nothing has written."""

from zlib import crc32

from chronotile.readers.tiff import Read

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNK_BYTES = 1 << 30


def is_whole_png(read: Read, start: int = 0) -> bool:
    """Return whether each part of a picture, up to its end, has the checksum that it states.

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
