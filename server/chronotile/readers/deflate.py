"""Blocks compressed with deflate."""

from isal import isal_zlib


class DamagedBlock(OSError):
    """A block of a file does not match its header."""


def inflate(stored: bytes, size: int) -> bytes:
    """Return the decompressed bytes of a block.

    Args:
        stored: The block in the file.
        size: Largest size of the decompressed block. The checksum follows it; without it the block is incomplete.

    Raises:
        DamagedBlock: The block cannot be decompressed, is too long, or has a wrong checksum.
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
