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
import rasterio.crs
from affine import Affine
from pyproj import CRS

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import NativeGrid
from chronotile.core.model.items import BandLayout
from chronotile.core.model.raster import Encoding
from chronotile.core.model.types import Float64Array
from chronotile.readers.cog.blocks import Blocks, parts_of, shape_of, tables_of
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
from chronotile.readers.encoding import circle_of, with_stored_nodata
from chronotile.readers.native_crs import source_crs
from chronotile.readers.overviews import COPYING, is_mask_of_other_cells, is_same_nodata
from chronotile.readers.tiff import Directory, ReadBytes, UnsupportedCog, directories

VERSION = b"C3"
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
    resampling: str | None
    """The resampling whose means are in the overviews, in GDAL's words; `None` if there are none, or it is unknown."""

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
            Encoding(
                dtype=self.dtype,
                scale=said.scale,
                offset=said.offset,
                nodata=self.nodata,
                units=said.units,
                circle=circle_of(said.title or "", said.units),
            )
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
                "resampling": self.resampling,
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
                resampling=document["resampling"],
            )
        except (zlib.error, KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError("the stored header is damaged") from error


def read_header(read: ReadBytes, size: int) -> CogHeader:
    """Return the header of a file; mostly one read of 32 KiB.

    Args:
        read: Gives bytes of the file from an offset on, as many as a count says; what it raises is passed on.
        size: Of the file, in bytes.

    Raises:
        UnsupportedCog: GDAL has to read this file, or report what is wrong with it.
    """
    found = list(directories(read, size))
    if not found:
        raise UnsupportedCog("it has no image")
    native, overviews, masks = kinds_of(found)
    epsg, transform = georeference(native)
    images = tuple(blocks_of(x, size) for x in (native, *overviews))
    count, dtype = images[0].samples, images[0].dtype
    said = nodata_text(native)
    nodata = None if said is None else nodata_of(said, dtype)
    if said is not None and not is_exact(said, dtype) and not all(image.sizes.all() for image in images):
        raise UnsupportedCog(f"it lacks blocks, and {dtype} does not hold its nodata {said[:20]}")
    bands = bands_of(native, count)
    for each, image in zip(overviews, images[1:], strict=True):
        if (image.samples, image.dtype) != (count, dtype):
            raise UnsupportedCog("its overviews have other bands than the image")
        if not is_same_nodata(
            *(None if text is None else nodata_of(text, dtype) for text in (said, nodata_text(each)))
        ):
            raise UnsupportedCog("its overviews have another nodata than the image")
        if any(b not in (CogBand(), band) for b, band in zip(bands_of(each, count), bands, strict=True)):
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
    # The transform of an overview, in GDAL's order, so that it is the same to the last bit.
    a, b, c, d, e, f = transform[:6]
    return Affine(a * across, b * down, c, d * across, e * down, f)


# Where the pixels of a GeoTIFF are, by its GeoKeys (OGC 19-008r4), as far as EPSG's codes tell.

PIXEL_SCALE, TIE_POINTS, TRANSFORMATION = 33550, 33922, 34264
GEO_KEYS, GEO_DOUBLES = 34735, 34736

MODEL_TYPE, RASTER_TYPE = 1024, 1025
GEOGRAPHIC_CRS, ANGULAR_UNITS, SEMI_MAJOR_AXIS, INVERSE_FLATTENING = 2048, 2054, 2057, 2059
PROJECTED_CRS, LINEAR_UNITS, LINEAR_UNIT_SIZE = 3072, 3076, 3077
CITATIONS = {1026, 2049, 3073}
PROJECTED, GEOGRAPHIC = 1, 2
PIXEL_IS_POINT = 2
USER_DEFINED = 32767
METRE, DEGREE = 9001, 9102

_OF_PROJECTED = {PROJECTED_CRS, LINEAR_UNITS, ANGULAR_UNITS, GEOGRAPHIC_CRS}
_OF_GEOGRAPHIC = {GEOGRAPHIC_CRS, ANGULAR_UNITS, SEMI_MAJOR_AXIS, INVERSE_FLATTENING, LINEAR_UNITS, LINEAR_UNIT_SIZE}
_ALWAYS = {MODEL_TYPE, RASTER_TYPE, *CITATIONS}

Key = int | float | None
"""A number; `None` of a text."""


def georeference(directory: Directory) -> tuple[int, Affine]:
    """Return EPSG's code of the CRS of a file, and its transform.

    Raises:
        UnsupportedCog: It has no code, or more than a code that changes it, or no transform of this kind.
    """
    keys = _geo_keys(directory)
    return _epsg_code(keys), _transform(directory, is_point=keys.get(RASTER_TYPE) == PIXEL_IS_POINT)


@lru_cache(maxsize=512)
def crs_of_code(code: int) -> Crs:
    """Return the system of a code as it is found in a file that GDAL opens."""
    return source_crs(rasterio.crs.CRS.from_epsg(code).to_wkt())


def _geo_keys(directory: Directory) -> dict[int, Key]:
    table = directory.numbers(GEO_KEYS).astype(np.int64)
    if table.size < 4 or table.size < 4 * (1 + table[3]):
        raise UnsupportedCog("it has no GeoKeys, or they are damaged")
    doubles = directory.numbers(GEO_DOUBLES)
    found: dict[int, Key] = {}
    for key, where, _count, value in table[4 : 4 * (1 + table[3])].reshape(-1, 4).tolist():
        if where == 0:
            found[key] = value
        elif where == GEO_DOUBLES and value < doubles.size:
            found[key] = float(doubles[value])
        else:
            found[key] = None
    return found


def _epsg_code(keys: dict[int, Key]) -> int:
    model = keys.get(MODEL_TYPE)
    code, known = {
        PROJECTED: (keys.get(PROJECTED_CRS), _OF_PROJECTED),
        GEOGRAPHIC: (keys.get(GEOGRAPHIC_CRS), _OF_GEOGRAPHIC),
    }.get(int(model or 0), (None, set[int]()))
    if not isinstance(code, int) or code in {0, USER_DEFINED}:
        raise UnsupportedCog("its coordinate reference system is not one of EPSG's codes")
    if keys.keys() - known - _ALWAYS or not _are_of(keys, code):
        raise UnsupportedCog(f"its GeoKeys have more than the code {code} of its coordinate reference system")
    return code


def _are_of(keys: dict[int, Key], code: int) -> bool:
    """Whether keys beside a code only repeat it."""
    known = _known_code(code)
    if known is None:
        return False
    is_geographic, geographic_code, axes = known
    if is_geographic != (keys[MODEL_TYPE] == GEOGRAPHIC):
        return False
    if not is_geographic:
        return keys.get(LINEAR_UNITS, METRE) == METRE and keys.get(GEOGRAPHIC_CRS, geographic_code) == geographic_code
    own = keys.get(SEMI_MAJOR_AXIS, axes[0]), keys.get(INVERSE_FLATTENING, axes[1])
    is_same = all(isinstance(one, float) and abs(one - other) < 1e-6 for one, other in zip(own, axes, strict=True))
    return is_same and keys.get(ANGULAR_UNITS, DEGREE) == DEGREE


@lru_cache(maxsize=512)
def _known_code(code: int) -> tuple[bool, int | None, tuple[float, float]] | None:
    """Whether it is geographic, the code of its geographic system, and its ellipsoid; `None` of what is not taken.

    GDAL replaces deprecated codes, and lengths in other units than metres have rules of their own.
    """
    try:
        crs = CRS.from_epsg(code)
    except Exception:  # noqa: BLE001 -- PROJ's errors have no common class
        return None
    unit = 1.0 if crs.is_projected else np.pi / 180
    is_plain = len(crs.axis_info) == 2 and all(
        abs(axis.unit_conversion_factor - unit) < 1e-12 for axis in crs.axis_info
    )
    is_plain &= crs.is_projected or crs.axis_info[0].direction == "north"  # GDAL has no code for the other order
    if crs.is_deprecated or not is_plain or crs.ellipsoid is None or not (crs.is_projected or crs.is_geographic):
        return None
    geodetic = crs.geodetic_crs
    return (
        bool(crs.is_geographic),
        None if geodetic is None else geodetic.to_epsg(),
        (crs.ellipsoid.semi_major_metre, crs.ellipsoid.inverse_flattening),
    )


def _transform(directory: Directory, *, is_point: bool) -> Affine:
    """The transform of pixel corners, computed in GDAL's order, so that it is the same to the last bit."""
    scale, ties = directory.numbers(PIXEL_SCALE), directory.numbers(TIE_POINTS)
    if scale.size >= 2 and scale[0] and scale[1]:
        if ties.size != 6 or scale[1] < 0:
            raise UnsupportedCog("its tie points or pixel sizes are of an unusual kind")
        return _with_corner(scale, ties, is_point=is_point)
    matrix = directory.numbers(TRANSFORMATION)
    if ties.size or matrix.size != 16:
        raise UnsupportedCog("it has no transform")
    c, f = float(matrix[3]), float(matrix[7])
    a, b, d, e = (float(matrix[place]) for place in (0, 1, 4, 5))
    if is_point:
        c -= a * 0.5 + b * 0.5
        f -= d * 0.5 + e * 0.5
    return _usable(Affine(a, b, c, d, e, f))


def _with_corner(scale: Float64Array, ties: Float64Array, *, is_point: bool) -> Affine:
    a, e = float(scale[0]), -float(scale[1])
    c, f = float(ties[3]) - float(ties[0]) * a, float(ties[4]) - float(ties[1]) * e
    if is_point:
        c -= a * 0.5 + 0.0
        f -= 0.0 + e * 0.5
    return _usable(Affine(a, 0.0, c, 0.0, e, f))


def _usable(transform: Affine) -> Affine:
    if transform.is_degenerate or transform == Affine.identity() or not all(map(np.isfinite, transform)):
        raise UnsupportedCog("its transform is not valid, or cannot be inverted")
    return transform
