"""The header of a cloud-optimised GeoTIFF: its grids, its encoding and the table of its blocks.

A header is read once and stored in the index of items, in some hundred bytes to two kilobytes. Afterwards a block needs
one range request, and the header none.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import orjson
from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import BandLayout
from chronotile.core.model.space.grid import NativeGrid
from chronotile.readers.cog.blocks import Blocks, pack_tables, shape_of, unpack_blocks
from chronotile.readers.cog.geo_keys import crs_of_code, georeference
from chronotile.readers.cog.image_tags import (
    CogBand,
    bands_of,
    blocks_of,
    has_palette,
    is_exact,
    kinds_of,
    masks_of,
    nodata_of,
    nodata_text,
    resampling_of,
)
from chronotile.readers.configured_encoding import circle_of, round_nodata
from chronotile.readers.overview_summaries import COPYING, is_mask_of_other_cells, is_same_nodata
from chronotile.readers.tiff import ReadBytes, UnsupportedCog, directories

VERSION = b"C3"
"""Version of the stored form; a header of another version is read again from its file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CogHeader:
    """The block tables of a file and the meaning of its numbers."""

    epsg: int
    transform: Affine
    """Transform of the native level."""
    nodata: float | None
    """GDAL's value in float64; `None` if no number of the dtype is meant."""
    bands: tuple[CogBand, ...]
    images: tuple[Blocks, ...]
    """Level 0 is native, then overviews from fine to coarse."""
    masks: tuple[Blocks, ...]
    """One per level; empty without a mask."""
    resampling: str | None
    """Resampling of the overviews if they are means, in GDAL's words; `None` if there are no means or it is unknown."""

    @property
    def dtype(self) -> str:
        """Numpy's name of the dtype of all bands."""
        return self.images[0].dtype

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.bands)

    @property
    def has_mask(self) -> bool:
        """Whether a mask states which numbers are valid."""
        return bool(self.masks)

    def levels(self) -> tuple[NativeGrid, ...]:
        """Return the grid of each level; level 0 is native, then overviews from fine to coarse."""
        return self._levels

    @cached_property
    def _levels(self) -> tuple[NativeGrid, ...]:
        return _levels_of(self.epsg, self.transform, tuple((image.width, image.height) for image in self.images))

    def encoding(self, band: int) -> Encoding:
        """Return the encoding of a band, as GDAL reports it.

        Args:
            band: Counted from 1.

        Raises:
            UnsupportedSource: The band does not exist.
        """
        if not 1 <= band <= self.count:
            raise UnsupportedSource(f"it has no band {band}; its bands are 1 to {self.count}")
        metadata = self.bands[band - 1]
        return round_nodata(
            Encoding(
                dtype=self.dtype,
                scale=metadata.scale,
                offset=metadata.offset,
                nodata=self.nodata,
                units=metadata.units,
                circle=circle_of(metadata.title or "", metadata.units),
            )
        )

    def layout(self, band: int) -> BandLayout:
        """Return the grids and the encoding of a band, counted from 1, which similar files have in common.

        Raises:
            UnsupportedSource: The band does not exist.
        """
        return BandLayout(levels=self.levels(), encoding=self.encoding(band), band=band)

    def to_bytes(self) -> bytes:
        """Return the header in its stored form."""
        parts = [*self.images, *self.masks]
        document = orjson.dumps(
            {
                "epsg": self.epsg,
                "transform": self.transform[:6],
                "nodata": None if self.nodata is None else repr(self.nodata),
                "bands": [(band.scale, band.offset, band.units, band.title) for band in self.bands],
                "images": [shape_of(image) for image in self.images],
                "masks": [shape_of(mask) for mask in self.masks],
                "resampling": self.resampling,
            }
        )
        tables = b"".join(pack_tables(part) for part in parts)
        return VERSION + zlib.compress(len(document).to_bytes(4, "little") + document + tables, 9)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "CogHeader":
        """Return the header from its stored form.

        Raises:
            ValueError: It has another version or is damaged; read the header of the file again.
        """
        if stored[: len(VERSION)] != VERSION:
            raise ValueError("the header was stored by another version")
        try:
            content = zlib.decompress(stored[len(VERSION) :])
            start = 4 + int.from_bytes(content[:4], "little")
            document = orjson.loads(content[4:start])
            tables = np.frombuffer(content, dtype=np.uint8, offset=start)
            images, at = unpack_blocks(document["images"], tables, 0)
            masks, at = unpack_blocks(document["masks"], tables, at)
            nodata = document["nodata"]
            return cls(
                epsg=document["epsg"],
                transform=Affine(*document["transform"]),
                nodata=None if nodata is None else nodata_of(nodata, images[0].dtype),
                bands=tuple(
                    CogBand(scale=scale, offset=offset, units=units, title=title)
                    for scale, offset, units, title in document["bands"]
                ),
                images=images,
                masks=masks,
                resampling=document["resampling"],
            )
        except (zlib.error, KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError("the stored header is damaged") from error


def read_header(read: ReadBytes, size: int) -> CogHeader:
    """Return the header of a file, usually from one read of 32 KiB.

    Args:
        read: Reads the file; its errors are passed on.
        size: Of the file, in bytes.

    Raises:
        UnsupportedCog: GDAL must read this file, or report its fault.
    """
    tiff_directories = list(directories(read, size))
    if not tiff_directories:
        raise UnsupportedCog("it has no image")
    native, overviews, masks = kinds_of(tiff_directories)
    epsg, transform = georeference(native)
    images = tuple(blocks_of(x, size) for x in (native, *overviews))
    count, dtype = images[0].samples, images[0].dtype
    nodata_name = nodata_text(native)
    nodata = None if nodata_name is None else nodata_of(nodata_name, dtype)
    if nodata_name is not None and not is_exact(nodata_name, dtype) and not all(image.sizes.all() for image in images):
        raise UnsupportedCog(f"it lacks blocks, and {dtype} does not hold its nodata {nodata_name[:20]}")
    bands = bands_of(native, count)
    for overview, image in zip(overviews, images[1:], strict=True):
        if (image.samples, image.dtype) != (count, dtype):
            raise UnsupportedCog("its overviews have other bands than the image")
        if not is_same_nodata(
            *(None if text is None else nodata_of(text, dtype) for text in (nodata_name, nodata_text(overview)))
        ):
            raise UnsupportedCog("its overviews have another nodata than the image")
        if any(b not in (CogBand(), band) for b, band in zip(bands_of(overview, count), bands, strict=True)):
            raise UnsupportedCog("the bands of its overviews have other metadata than those of the image")
    shape = images[0].height, images[0].width
    if masks and any(
        is_mask_of_other_cells(resampling_of(i), image.height, image.width, native=shape)
        for i, image in zip(overviews, images[1:], strict=True)
    ):
        raise UnsupportedCog("masks of its overviews are of other cells than their numbers")
    means = {resampling_of(o) for o in overviews} - {None, *COPYING}
    if means and has_palette(native):
        raise UnsupportedCog("its overviews are means of the numbers of colours")
    if any(larger.width <= smaller.width or larger.height < smaller.height for larger, smaller in pairwise(images)):
        raise UnsupportedCog("its overviews are not in order of their sizes")
    return CogHeader(
        epsg=epsg,
        transform=transform,
        nodata=nodata,
        bands=bands,
        images=images,
        resampling=next(iter(means), None),
        masks=masks_of([blocks_of(m, size) for m in masks], images),
    )


@lru_cache(maxsize=4096)
def _levels_of(epsg: int, transform: Affine, sizes: tuple[tuple[int, int], ...]) -> tuple[NativeGrid, ...]:
    """Return the grids of the levels, cached: a million files have some hundred different ones."""
    crs, (native_width, native_height) = crs_of_code(epsg), sizes[0]
    return tuple(
        NativeGrid(
            crs=crs,
            transform=_coarser(transform, native_width / width, native_height / height),
            width=width,
            height=height,
        )
        for width, height in sizes
    )


def _coarser(transform: Affine, across: float, down: float) -> Affine:
    # The transform of an overview, computed in GDAL's order so that every bit is equal.
    a, b, c, d, e, f = transform[:6]
    return Affine(a * across, b * down, c, d * across, e * down, f)
