"""The size that a JPEG states: GDAL returns uninitialised memory for missing pixels of a short JPEG."""

JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
"""Markers of segments with the size of the picture (ITU-T T.81, table B.1)."""


def require_jpeg_size(stored: bytes, width: int, height: int) -> None:
    """Check that a JPEG has at least this number of pixels along each side.

    Raises:
        OSError: It has fewer, or states no size.
    """
    at = 2
    while stored[at : at + 1] == b"\xff":
        kind, size = stored[at + 1], int.from_bytes(stored[at + 2 : at + 4], "big")
        if kind in JPEG_FRAMES:
            rows, columns = (int.from_bytes(stored[at + 5 + k : at + 7 + k], "big") for k in (0, 2))
            if rows >= height and columns >= width:
                return
            break
        at += 2 + size
    raise OSError("a JPEG in it is damaged: it does not have the pixels of its block")
