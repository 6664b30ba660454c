"""Reads the blocks and bands of a TIFF from its tags, and refuses files that cannot be decoded without GDAL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lxml import etree

from chronotile.core.model.types import Int64Array
from chronotile.readers.cog.block_decoding import FLOATING_POINT, HORIZONTAL, NO_PREDICTOR, NONE, is_decoded
from chronotile.readers.cog.blocks import Blocks
from chronotile.readers.configured_encoding import fits
from chronotile.readers.tiff import Directory, UnsupportedCog

MAX_BLOCK_BYTES = 1 << 28
MAX_BLOCKS = 1 << 22

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
_ORIENTATION, _SAMPLES, _PLANAR, _PREDICTOR = 274, 277, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _SIZES, _EXTRA_SAMPLES, _FORMAT = 322, 323, 324, 325, 338, 339
_METADATA, _NODATA = 42112, 42113

_REDUCED, _PAGE, _MASK = 1, 2, 4
"""Bits of the subfile type."""
_MASK_PHOTOMETRIC = 4
"""Photometric interpretation of a mask."""
_PALETTE = 3
_GREY_OR_COLOURS = {0, 1, 2, _PALETTE}
_ALPHA = {1, 2}
_TYPES = {
    **{(1, bits): f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{(2, bits): f"int{bits}" for bits in (8, 16, 32, 64)},
    **{(3, bits): f"float{bits}" for bits in (32, 64)},
}
"""numpy's names by sample format and bits; without a format, numbers are unsigned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CogBand:
    """The metadata of one band."""

    scale: float = 1.0
    offset: float = 0.0
    units: str = "1"
    title: str | None = None
    """Description of the band."""


def kinds_of(tiff_directories: Sequence[Directory]) -> tuple[Directory, list[Directory], list[Directory]]:
    """Return the native image, the overviews, and the masks of both."""
    kinds = [directory.number(_SUBFILE, 0) for directory in tiff_directories]
    if kinds[0] & (_REDUCED | _MASK) or any(kind & ~(_REDUCED | _PAGE | _MASK) for kind in kinds):
        raise UnsupportedCog("its directories are of unusual kinds")
    pairs = [*zip(tiff_directories, kinds, strict=True)]
    overviews = [directory for directory, kind in pairs if kind & _REDUCED and not kind & _MASK]
    masks = [directory for directory, kind in pairs if kind & _MASK]
    if 1 + len(overviews) + len(masks) != len(tiff_directories):
        raise UnsupportedCog("it holds several images")
    return tiff_directories[0], overviews, masks


def blocks_of(directory: Directory, size: int) -> Blocks:
    """Return the blocks of an image, an overview or a mask.

    Raises:
        UnsupportedCog: They are not decoded here, or do not lie in the file.
    """
    if _TILE_WIDTH not in directory or _OFFSETS not in directory or _SIZES not in directory:
        raise UnsupportedCog("it is not tiled")
    width, height = directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)
    block_width, block_height = directory.number(_TILE_WIDTH, 0), directory.number(_TILE_HEIGHT, 0)
    if min(width, height, block_width, block_height) < 1 or max(width, height) >= 1 << 31:
        raise UnsupportedCog("its size or that of its blocks is damaged")
    samples, is_by_pixel = directory.number(_SAMPLES, 1), directory.number(_PLANAR, 1) == 1
    dtype, compression, predictor = _dtype(directory), _compression(directory), directory.number(_PREDICTOR, 1)
    _require_decodable(directory, dtype, predictor if compression != NONE else NO_PREDICTOR)
    offsets, sizes = _table(directory, _OFFSETS), _table(directory, _SIZES)
    blocks = Blocks(
        width=width,
        height=height,
        block_width=block_width,
        block_height=block_height,
        dtype=dtype,
        order=directory.order,
        samples=samples,
        is_by_pixel=is_by_pixel or samples == 1,
        compression=compression,
        predictor=predictor if compression != NONE else NO_PREDICTOR,
        offsets=offsets,
        sizes=sizes,
    )
    return _require_valid_table(blocks, size)


def _dtype(directory: Directory) -> str:
    bits, formats = set(directory.numbers(_BITS).tolist()) or {1}, set(directory.numbers(_FORMAT).tolist()) or {1}
    if bits == {1} and directory.number(_SUBFILE, 0) & _MASK:
        return "bool"
    dtype = _TYPES.get((formats.pop(), bits.pop())) if len(bits) == len(formats) == 1 else None
    if dtype is None:
        raise UnsupportedCog("its numbers are of another type than whole numbers and floats of 8 to 64 bits")
    return dtype


def _compression(directory: Directory) -> int:
    compression = directory.number(_COMPRESSION, NONE)
    if not is_decoded(compression):
        raise UnsupportedCog(f"its compression ({compression}) is another than deflate or ZSTD")
    return compression


def _require_decodable(directory: Directory, dtype: str, predictor: int) -> None:
    """Refuse bands and encodings of blocks that cannot be decoded."""
    is_mask = bool(directory.number(_SUBFILE, 0) & _MASK)
    is_predicted = predictor in {NO_PREDICTOR, HORIZONTAL} or (
        predictor == FLOATING_POINT and dtype.startswith("float")
    )
    if not is_predicted or (is_mask and predictor != NO_PREDICTOR):
        raise UnsupportedCog(f"its predictor ({predictor}) is not one of its type of numbers")
    if directory.number(_FILL_ORDER, 1) != 1 or directory.number(_ORIENTATION, 1) != 1:
        raise UnsupportedCog("its bits or rows are in another order than usual")
    photometric, samples = directory.number(_PHOTOMETRIC, 1), directory.number(_SAMPLES, 1)
    if photometric not in ({_MASK_PHOTOMETRIC} if is_mask else _GREY_OR_COLOURS):
        raise UnsupportedCog("its colours are stored in an unusual way")
    extra = directory.numbers(_EXTRA_SAMPLES)
    if _ALPHA & set(extra.tolist()) or (photometric == 2 and samples != 3 + extra.size):
        raise UnsupportedCog("it has a band of transparency")


def _table(directory: Directory, tag: int) -> Int64Array:
    """Return the offsets or sizes of all blocks."""
    numbers = directory.numbers(tag)
    if numbers.size > MAX_BLOCKS:
        raise UnsupportedCog(f"it has more than {MAX_BLOCKS} blocks")
    if numbers.dtype == np.uint64 and numbers.size and numbers.max() >= 1 << 62:
        raise UnsupportedCog("its block table is damaged")
    table: Int64Array = numbers.astype(np.int64)
    return table


def _require_valid_table(blocks: Blocks, size: int) -> Blocks:
    """Return blocks after checking that the table is complete and lies in the file; missing blocks get offset 0."""
    if not blocks.offsets.size == blocks.sizes.size == blocks.rows * blocks.columns * blocks.planes:
        raise UnsupportedCog("its block table does not fit its size")
    if blocks.decoded_bytes > MAX_BLOCK_BYTES:
        raise UnsupportedCog(f"its blocks have more than {MAX_BLOCK_BYTES >> 20} MiB each")
    is_missing = blocks.sizes == 0
    blocks.offsets[is_missing] = 0
    ends = blocks.offsets + blocks.sizes
    if blocks.sizes.min() < 0 or ends.max() > size or (blocks.offsets[~is_missing] < 8).any():
        raise UnsupportedCog("the file is cut off, or its block table is damaged")
    return blocks


def masks_of(masks: list[Blocks], images: tuple[Blocks, ...]) -> tuple[Blocks, ...]:
    """Return the mask of each level, by its size."""
    if not masks:
        return ()
    by_size = {(mask.width, mask.height): mask for mask in masks}
    by_level = [by_size.get((image.width, image.height)) for image in images]
    present = tuple(mask for mask in by_level if mask is not None)
    if len(present) != len(images) or len(masks) != len(images):
        raise UnsupportedCog("not all of its overviews have masks")
    if any(mask.samples != 1 or mask.dtype not in {"bool", "uint8"} for mask in present):
        raise UnsupportedCog("its mask is of an unusual type")
    return present


def nodata_text(directory: Directory) -> str | None:
    """Return the text of the nodata tag; `None` if a directory has none."""
    return (directory.text(_NODATA) or "").strip() or None


def bands_of(directory: Directory, count: int) -> tuple[CogBand, ...]:
    """Return scale, offset, units and description of each band, from GDAL's metadata tag."""
    if any(item.get("name") == "NODATA_VALUES" for item in _elements(directory.text(_METADATA))):
        raise UnsupportedCog("its bands have a nodata together")
    texts: list[dict[str, str]] = [{} for _ in range(count)]
    for sample, role, text in _items(directory.text(_METADATA)):
        if role == "colorinterp" and text.lower() == "alpha":
            raise UnsupportedCog("it has a band of transparency")
        if 0 <= sample < count:
            texts[sample][role] = text
    try:
        return tuple(
            CogBand(
                scale=float(s.get("scale", 1.0)),
                offset=float(s.get("offset", 0.0)),
                units=s.get("unittype") or "1",
                title=s.get("description") or None,
            )
            for s in texts
        )
    except ValueError:
        raise UnsupportedCog("its scale or offset is not a number") from None


def resampling_of(directory: Directory) -> str | None:
    """Return the resampling that made an overview, in GDAL's words; `None` if unknown."""
    items = [item for item in _elements(directory.text(_METADATA)) if item.get("name") == "RESAMPLING"]
    return "".join(items[0].itertext()) if items else None


def has_palette(directory: Directory) -> bool:
    """Return whether the numbers are entries of a palette."""
    return directory.number(_PHOTOMETRIC, 1) == _PALETTE


def _items(metadata: str | None) -> list[tuple[int, str, str]]:
    """Return sample, role and text of the items of GDAL's metadata that have a role."""
    try:
        return [
            (int(item.get("sample", "-1")), str(item.get("role")), "".join(item.itertext()))
            for item in _elements(metadata)
            if item.get("role")
        ]
    except ValueError:
        raise UnsupportedCog("GDAL's metadata in it are damaged") from None


def _elements(metadata: str | None) -> list[Any]:
    """Return the items of GDAL's metadata."""
    if not metadata:
        return []
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return list(etree.fromstring(metadata.encode(), parser).iter("Item"))
    except etree.XMLSyntaxError:
        raise UnsupportedCog("GDAL's metadata in it are damaged") from None


def nodata_of(text: str, dtype: str) -> float | None:
    """Return nodata as GDAL reports it; `None` if the dtype lacks that number.

    Raises:
        UnsupportedCog: The text is not a number.
    """
    kind = np.dtype(dtype)
    try:
        number = float(text)
    except ValueError:
        raise UnsupportedCog(f"its nodata {text[:20]!r} is not a number") from None
    if kind.kind in "iu":
        return number if fits(number, kind) else None
    return _round_to_float32(number, kind) if kind.itemsize == 4 else number


def is_exact(text: str, dtype: str) -> bool:
    """Return whether a dtype contains exactly this nodata; floats are rounded."""
    kind, number = np.dtype(dtype), float(text)
    return kind.kind == "f" or (number.is_integer() and fits(number, kind) and abs(number) <= 2**53)


def _round_to_float32(number: float, kind: np.dtype[Any]) -> float:
    """Return a number rounded to its dtype; one slightly beyond the largest value becomes that value."""
    largest = float(np.finfo(kind).max)
    for limit in (-largest, largest):
        if abs(number - limit) < 1e-10 * largest:
            return limit
    with np.errstate(over="ignore"):
        return float(kind.type(number))
