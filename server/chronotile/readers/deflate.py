"""Blocks of files that are compressed with deflate."""

from isal import isal_zlib


class DamagedBlock(OSError):
    """A block of a file is not what its header says."""


def inflate(stored: bytes, size: int) -> bytes:
    """Return the bytes of a block that is compressed with deflate.

    Args:
        stored: The block in the file.
        size: The most bytes that it may have. Its checksum follows, without which it is not whole.

    Raises:
        DamagedBlock: It cannot be inflated, is longer, or has another checksum.
    """
    stream = isal_zlib.decompressobj()
    try:
        content = stream.decompress(stored, size + 1)
        if not stream.eof:
            content += stream.decompress(stream.unconsumed_tail, 1)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub takes the class for an instance
        raise DamagedBlock(f"a block of it cannot be inflated: {error}") from None
    if not stream.eof:
        raise DamagedBlock("a block of it is cut off, or longer than its header says")
    return content
