"""What an open raster file says of itself: its grid, its overviews, its bands."""

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from affine import Affine
from rasterio.enums import ColorInterp, MaskFlags

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import NativeGrid
from chronotile.core.model.raster import Encoding
from chronotile.core.model.style import Colour, StyleClass
from chronotile.readers.encoding import require_real
from chronotile.readers.native_crs import require_on_earth, source_crs

_SAYS_ALPHA = re.compile(r"(band|layer)?[-_. ]?\d*|alpha.*|opacity|transparency|(data)?mask", re.IGNORECASE)
"""Descriptions of a transparency band, or without information."""

Dataset = Any
"""An open rasterio dataset; rasterio has no types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One band of a file."""

    number: int
    """Counted from 1."""
    name: str
    """Its description where that is unique, else `band1`, `band2`, …"""
    title: str | None
    encoding: Encoding
    classes: tuple[StyleClass, ...]
    has_mask: bool
    """Whether validity is stored beside the numbers: a mask or an alpha band."""
    is_alpha: bool
    """Whether it is the alpha band of the others; GDAL takes any fourth band of bytes for one."""
    is_elsewhere: bool = False
    """Whether it is on another grid than the file's first band, so that its cells are not where GDAL says."""

    @property
    def description(self) -> str | None:
        """Its description, where that is unique."""
        return self.title if self.title and self.name == self.title else None


def native_grid(dataset: Dataset, transform: Affine, crs: str | None) -> NativeGrid:
    """Return the grid of a file or of one of its overviews.

    Args:
        dataset: An open rasterio dataset.
        transform: Where its pixels are.
        crs: That of the configuration, which overrides the file's own.

    Raises:
        UnsupportedSource: The file has no georeference, or one that is not supported.
    """
    _require_transform(dataset)
    grid = NativeGrid(crs=_crs_of(dataset, crs), transform=transform, width=dataset.width, height=dataset.height)
    require_on_earth(grid, most_px=1.0)  # many have a row too many, or corners where centres are meant
    return grid


class FileBands:
    """The bands of a file; files whose bands mean the same have the same object, by which they are compared."""

    __slots__ = ("bands", "has_palette")

    def __init__(self, bands: tuple[Band, ...], *, has_palette: bool) -> None:
        self.bands, self.has_palette = bands, has_palette


MOST_KINDS = 4096
"""Kinds of files that are distinguished; files with statistics of their own in their metadata are of one kind."""

_kinds: dict[tuple[object, ...], FileBands] = {}


def file_bands(dataset: Dataset, elsewhere: frozenset[int] = frozenset()) -> FileBands:
    """Return the bands of a file that is opened at its native level; palettes are those of one file of its kind.

    Args:
        dataset: An open rasterio dataset.
        elsewhere: Numbers of the bands on another grid than the first.

    Raises:
        UnsupportedSource: A band holds no real numbers.
    """
    nodata = tuple(math.nan if number is not None and number != number else number for number in dataset.nodatavals)  # noqa: PLR0124 -- NaN, which is equal to itself only as one object
    masks = tuple(map(tuple, dataset.mask_flag_enums))
    said = (dataset.descriptions, dataset.dtypes, dataset.scales, dataset.offsets, dataset.units, dataset.colorinterp)
    kind = (*said, nodata, masks, elsewhere)
    found = _kinds.get(kind)
    if found is None:
        if len(_kinds) >= MOST_KINDS:
            _kinds.clear()
        bands = tuple(replace(each, is_elsewhere=each.number in elsewhere) for each in bands_of(dataset))
        found = _kinds.setdefault(kind, FileBands(bands, has_palette=ColorInterp.palette in dataset.colorinterp))
    return found


def bands_of(dataset: Dataset) -> tuple[Band, ...]:
    """Return the bands of a file.

    Raises:
        UnsupportedSource: A band holds no real numbers.
    """
    descriptions = Counter(dataset.descriptions)
    return tuple(
        _band(dataset, number, is_named=descriptions[description] == 1)
        for number, description in enumerate(dataset.descriptions, start=1)
    )


def palettes_of(dataset: Dataset) -> tuple[tuple[StyleClass, ...], ...]:
    """Return the colours of each band of a file, which mostly has none."""
    return tuple(_palette(dataset, number, dataset.nodatavals[number - 1]) for number in dataset.indexes)


def _band(dataset: Dataset, number: int, *, is_named: bool) -> Band:
    index = number - 1
    title = dataset.descriptions[index] or None
    dtype = dataset.dtypes[index]
    name = title if title and is_named else f"band{number}"
    require_real(np.dtype({"complex_int16": "complex64"}.get(dtype, dtype)), f"band {number}")
    encoding = Encoding(
        dtype=dtype,
        scale=float(dataset.scales[index]),
        offset=float(dataset.offsets[index]),
        nodata=dataset.nodatavals[index],
        units=dataset.units[index] or "1",
    )
    is_alpha = _is_alpha(dataset, index)
    return Band(
        number=number,
        name=name,
        title=title,
        encoding=encoding,
        classes=_palette(dataset, number, encoding.nodata),
        has_mask=_has_mask(dataset, index) and not is_alpha,
        is_alpha=is_alpha,
    )


def _is_alpha(dataset: Dataset, index: int) -> bool:
    """Whether a band is transparency: one that is described as another thing, such as quality, is not."""
    if dataset.count < 2 or dataset.colorinterp[index] != ColorInterp.alpha:
        return False
    title = dataset.descriptions[index]
    return not title or _SAYS_ALPHA.fullmatch(title) is not None


def _has_mask(dataset: Dataset, index: int) -> bool:
    """Whether a mask, or a band that is transparency, says beside the numbers of a band which are present."""
    flags = dataset.mask_flag_enums[index]
    if MaskFlags.alpha in flags:
        return any(_is_alpha(dataset, other) for other in range(dataset.count))
    return MaskFlags.per_dataset in flags


def _palette(dataset: Dataset, number: int, nodata: float | None) -> tuple[StyleClass, ...]:
    """The file's own colours by number; entries that merely fill the table are left out."""
    if dataset.colorinterp[number - 1] != ColorInterp.palette:
        return ()
    entries = {value: Colour(*colour) for value, colour in dataset.colormap(number).items() if value != nodata}
    last = max((value for value, colour in entries.items() if not _is_black(colour)), default=-1)
    entries = {value: colour for value, colour in entries.items() if value <= last}
    if sum(map(_is_black, entries.values())) * 2 > len(entries):
        entries = {value: colour for value, colour in entries.items() if not _is_black(colour)}
    return tuple(StyleClass(float(value), colour, str(value)) for value, colour in sorted(entries.items()))


def _is_black(colour: Colour) -> bool:
    return colour[:3] == (0, 0, 0)


def _require_transform(dataset: Dataset) -> None:
    if dataset.transform != Affine.identity():
        if dataset.transform.is_degenerate:
            raise UnsupportedSource("its pixels have no area: the transform cannot be inverted")
        return
    if dataset.gcps[0]:
        raise UnsupportedSource("it is placed by ground control points only; warp it to a grid first (gdalwarp)")
    if dataset.rpcs:
        raise UnsupportedSource("it is placed by a sensor model (RPC) only; orthorectify it first (gdalwarp -rpc)")
    raise UnsupportedSource("it is not georeferenced: it says neither where its pixels are nor how large")


def _crs_of(dataset: Dataset, configured: str | None) -> Crs:
    if configured is not None:
        return source_crs(configured)
    if not dataset.crs:
        raise UnsupportedSource("it names no coordinate reference system; set crs: for the source")
    return source_crs(dataset.crs.to_wkt())
