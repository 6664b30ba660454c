"""What opening a cloud-optimised GeoTIFF costs: its grids, its encoding and where its blocks are.

It is read once, stored in the index of items as some hundred bytes to two kilobytes, and from then on a block is one
range request, without any request for the header.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import orjson
from affine import Affine

from chronotile.errors import UnsupportedSource
from chronotile.model.grid import NativeGrid
from chronotile.model.items import BandLayout
from chronotile.model.raster import Encoding
from chronotile.readers.cog.block_table import Blocks, parts_of, shape_of, tables_of
from chronotile.readers.cog.georeference import crs_of_code, georeference
from chronotile.readers.cog.image_tags import (
    CogBand,
    bands_of,
    blocks_of,
    is_exact,
    kinds_of,
    masks_of,
    nodata_of,
    nodata_text,
)
from chronotile.readers.cog.tiff import Read, UnsupportedCog, directories
from chronotile.readers.encoding import with_stored_nodata

VERSION = b"C1"
"""Of the stored form; a header of another one is read again from its file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CogHeader:
    """The block table of a file with what its numbers mean."""

    epsg: int
    transform: Affine
    """Of the native level."""
    nodata: float | None
    """As GDAL tells it: in float64, `None` where no number of the type is meant."""
    bands: tuple[CogBand, ...]
    images: tuple[Blocks, ...]
    """Level 0 is native, then overviews from fine to coarse."""
    masks: tuple[Blocks, ...]
    """One per level, of a file with a mask; else empty."""

    @property
    def dtype(self) -> str:
        """Numpy's name of the type of all bands."""
        return self.images[0].dtype

    @property
    def count(self) -> int:
        """How many bands there are."""
        return len(self.bands)

    @property
    def has_mask(self) -> bool:
        """Whether the file says beside the numbers which are present."""
        return bool(self.masks)

    def levels(self) -> tuple[NativeGrid, ...]:
        """Return the grid of each level; level 0 is native, then overviews from fine to coarse."""
        return self._levels

    @cached_property
    def _levels(self) -> tuple[NativeGrid, ...]:
        return _levels_of(self.epsg, self.transform, tuple((image.width, image.height) for image in self.images))

    def encoding(self, band: int) -> Encoding:
        """Return how the numbers of a band are encoded, as reading it through GDAL tells it.

        Args:
            band: Counted from 1.

        Raises:
            UnsupportedSource: There is no such band.
        """
        if not 1 <= band <= self.count:
            raise UnsupportedSource(f"it has no band {band}; its bands are 1 to {self.count}")
        said = self.bands[band - 1]
        return with_stored_nodata(
            Encoding(dtype=self.dtype, scale=said.scale, offset=said.offset, nodata=self.nodata, units=said.units)
        )

    def layout(self, band: int) -> BandLayout:
        """Return what other files of its kind have in common with a band, counted from 1.

        Raises:
            UnsupportedSource: There is no such band.
        """
        return BandLayout(levels=self.levels(), encoding=self.encoding(band), band=band)

    def to_bytes(self) -> bytes:
        """Return the header for storing; `from_bytes` reads it."""
        parts = [*self.images, *self.masks]
        document = orjson.dumps(
            {
                "epsg": self.epsg,
                "transform": self.transform[:6],
                "nodata": None if self.nodata is None else repr(self.nodata),
                "bands": [(band.scale, band.offset, band.units, band.title) for band in self.bands],
                "images": [shape_of(image) for image in self.images],
                "masks": [shape_of(mask) for mask in self.masks],
            }
        )
        tables = b"".join(tables_of(part) for part in parts)
        return VERSION + zlib.compress(len(document).to_bytes(4, "little") + document + tables, 9)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "CogHeader":
        """Return the header that `to_bytes` made.

        Raises:
            ValueError: It is of another version, or damaged; read the file's own header again.
        """
        if stored[: len(VERSION)] != VERSION:
            raise ValueError("the header was stored by another version")
        try:
            content = zlib.decompress(stored[len(VERSION) :])
            start = 4 + int.from_bytes(content[:4], "little")
            document = orjson.loads(content[4:start])
            tables = np.frombuffer(content, dtype=np.uint8, offset=start)
            images, at = parts_of(document["images"], tables, 0)
            masks, at = parts_of(document["masks"], tables, at)
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
            )
        except (zlib.error, KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError("the stored header is damaged") from error


def read_header(read: Read, size: int) -> CogHeader:
    """Return the header of a file; mostly one read of 32 KiB.

    Args:
        read: Gives bytes of the file from an offset on, as many as a count says; what it raises is passed on.
        size: Of the file, in bytes.

    Raises:
        UnsupportedCog: GDAL has to read this file, or report what is wrong with it.
    """
    order, found = directories(read, size)
    if not found:
        raise UnsupportedCog("it has no image")
    native, overviews, masks = kinds_of(found)
    epsg, transform = georeference(native)
    images = tuple(blocks_of(each, size, order) for each in (native, *overviews))
    count, dtype = images[0].samples, images[0].dtype
    said = nodata_text(native)
    nodata = None if said is None else nodata_of(said, dtype)
    if said is not None and not is_exact(said, dtype) and not all(image.sizes.all() for image in images):
        raise UnsupportedCog(f"it lacks blocks, and {dtype} does not hold its nodata {said[:20]}")
    for each, image in zip(overviews, images[1:], strict=True):
        if (image.samples, image.dtype) != (count, dtype):
            raise UnsupportedCog("its overviews have other bands than the image")
        if not image.sizes.all() and nodata_text(each) != said:
            raise UnsupportedCog("its overviews lack blocks and have another nodata than the image")
    if any(larger.width <= smaller.width or larger.height < smaller.height for larger, smaller in pairwise(images)):
        raise UnsupportedCog("its overviews are not in order of their sizes")
    return CogHeader(
        epsg=epsg,
        transform=transform,
        nodata=nodata,
        bands=bands_of(native, count),
        images=images,
        masks=masks_of([blocks_of(each, size, order) for each in masks], images),
    )


@lru_cache(maxsize=4096)
def _levels_of(epsg: int, transform: Affine, sizes: tuple[tuple[int, int], ...]) -> tuple[NativeGrid, ...]:
    """The grids of levels of so many columns and rows: of a million files there are some hundred."""
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
    """The transform of an overview, in GDAL's order, so that it is the same to the last bit."""
    a, b, c, d, e, f = transform[:6]
    return Affine(a * across, b * down, c, d * across, e * down, f)
