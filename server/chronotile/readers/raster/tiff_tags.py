"""Check that a TIFF is whole: the data of its tags lie in the file, and its tables list all blocks.

If the data of a tag lie beyond the end of the file, GDAL warns, ignores the tag and opens the file without its scale,
offset or georeference, although all pixels may exist. Blocks missing in a table become cells without a value.
"""

import os
from itertools import islice

from chronotile.readers.tiff import MAX_DIRECTORIES, TIFF, CutOff, Directory, UnsupportedCog, directories

PAGE_BYTES = 4096
_WIDTH, _HEIGHT, _STRIP_ROWS, _BANDS, _PLANAR = 256, 257, 278, 277, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES = 322, 323, 324, 325
_STRIP_OFFSETS, _STRIP_SIZES = 273, 279

_CUT_OFF = "the file is cut off: data of its tags are missing, such as its scale or georeference; copy it again"
_TABLE = "the file is damaged: the table of its blocks does not fit its size; copy it again"


def require_whole_tags(path: str) -> None:
    """Check the tags of a TIFF and the tables of its blocks; other files pass.

    Raises:
        OSError: The file is missing, cut off or damaged.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 -- done at each opening, and half the time of Path.open
        number, size = file.fileno(), os.fstat(file.fileno()).st_size

        def read(start: int, count: int) -> bytes:
            return os.pread(number, count, start)

        if read(0, 4) not in TIFF:
            return
        try:
            for directory in islice(directories(read, size, max_page_bytes=PAGE_BYTES), MAX_DIRECTORIES):
                if directory.end > size:
                    raise OSError(_CUT_OFF)
                _require_whole_table(directory)
        except CutOff:
            raise OSError(_CUT_OFF) from None
        except UnsupportedCog:
            return  # GDAL reports the fault


def _require_whole_table(directory: Directory) -> None:
    """Check that the tables of a directory have an offset and a size for each block."""
    width, height = directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)
    is_tiled = _TILE_WIDTH in directory or _TILE_OFFSETS in directory
    across = -(-width // (directory.number(_TILE_WIDTH, 0) or 1)) if is_tiled else 1
    rows = directory.number(_TILE_HEIGHT, 0) if is_tiled else min(directory.number(_STRIP_ROWS, height), height)
    planes = directory.number(_BANDS, 1) if directory.number(_PLANAR, 1) == 2 else 1
    blocks = across * -(-height // (rows or 1)) * planes
    offsets, sizes = (_TILE_OFFSETS, _TILE_SIZES) if is_tiled else (_STRIP_OFFSETS, _STRIP_SIZES)
    is_whole = directory.count(offsets) == directory.count(sizes) == blocks
    if not is_whole and not (blocks == 1 and not is_tiled and sizes not in directory):
        raise OSError(_TABLE)
