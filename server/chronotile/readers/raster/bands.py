"""The bands of a raster file, as its metadata describe them."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.style import Colour, StyleClass
from chronotile.readers.configured_encoding import circle_of, require_real
from chronotile.readers.raster.sentinel2 import image_numbers
from chronotile.readers.remote.gdal_plugin import path_of

_ALPHA_DESCRIPTION = re.compile(r"(band|layer)?[-_. ]?\d*|alpha.*|opacity|transparency|(data)?mask", re.IGNORECASE)
"""Descriptions of an alpha band, or without information."""

Dataset = Any
"""An open rasterio dataset; rasterio has no types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One band of a file."""

    number: int
    """Counted from 1."""
    name: str
    """Description of the band if it is unique in the file, otherwise `band1`, `band2`, …"""
    title: str | None
    encoding: Encoding
    classes: tuple[StyleClass, ...]
    has_mask: bool
    """Whether a mask or an alpha band states which numbers are valid."""
    is_alpha: bool
    """Whether it states the transparency of the others. GDAL takes any fourth band of bytes for an alpha band."""
    is_on_other_grid: bool = False
    """Whether a GRIB band has another grid than the first band, so that GDAL places its cells wrongly."""

    @property
    def description(self) -> str | None:
        """Description of the band if it is unique in the file, otherwise `None`."""
        return self.title if self.title and self.name == self.title else None


class FileBands:
    """The bands of a file. Files with equal bands share one object, so that comparing is cheap."""

    __slots__ = ("bands", "fault", "has_palette")

    def __init__(self, bands: tuple[Band, ...], *, has_palette: bool, fault: str | None = None) -> None:
        self.bands, self.has_palette = bands, has_palette
        self.fault = fault
        """Unreadable GRIB messages, which have no band, so that band numbers may be shifted; `None` without any."""


MAX_KINDS = 4096
"""Different `FileBands` in memory. The limit is for files with individual statistics in their metadata."""

_kinds: dict[tuple[object, ...], FileBands] = {}


def file_bands(
    dataset: Dataset, other_grid_bands: frozenset[int] = frozenset(), *, fault: str | None = None
) -> FileBands:
    """Return the bands of a file opened at its native level; equal files share the palette of the first one.

    Args:
        dataset: An open rasterio dataset.
        other_grid_bands: Numbers of the bands on another grid than the first.
        fault: Unreadable messages of the file, which have no band.

    Raises:
        UnsupportedSource: A band contains no real numbers.
    """
    metadata = BandMetadata.from_dataset(dataset)
    kind = (metadata, other_grid_bands, fault)
    bands_of_kind = _kinds.get(kind)
    if bands_of_kind is None:
        if len(_kinds) >= MAX_KINDS:
            _kinds.clear()
        bands = tuple(replace(b, is_on_other_grid=b.number in other_grid_bands) for b in _bands(dataset, metadata))
        has_palette = ColorInterp.palette in metadata.colours
        bands_of_kind = _kinds.setdefault(kind, FileBands(bands, has_palette=has_palette, fault=fault))
    return bands_of_kind


class BandMetadata(NamedTuple):
    """The metadata of all bands of a file or overview, in the order of the bands."""

    descriptions: Sequence[str | None]
    dtypes: Sequence[str]
    scales: Sequence[float]
    offsets: Sequence[float]
    nodata: Sequence[float | None]
    """NaN is always the same object, so that tuples with it are equal."""
    units: Sequence[str | None]
    colours: Sequence[ColorInterp]
    masks: Sequence[Sequence[MaskFlags]]

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> "BandMetadata":
        """Return the metadata of an open rasterio dataset.

        Raises:
            UnsupportedSource: The document of a Sentinel-2 product is missing or damaged.
        """
        nodata = tuple(math.nan if n is not None and math.isnan(n) else n for n in dataset.nodatavals)
        masks = tuple(map(tuple, dataset.mask_flag_enums))
        numbers = dataset.scales, dataset.offsets, nodata, dataset.units
        stated = image_numbers(path_of(dataset.name))
        if stated is not None:
            numbers = tuple((number,) * dataset.count for number in stated)
        return cls(dataset.descriptions, dataset.dtypes, *numbers, dataset.colorinterp, masks)

    def is_alpha(self, index: int) -> bool:
        """Return whether a band, counted from 0, is transparency and not another subject, such as quality."""
        if len(self.dtypes) < 2 or self.colours[index] != ColorInterp.alpha:
            return False
        title = self.descriptions[index]
        return not title or _ALPHA_DESCRIPTION.fullmatch(title) is not None

    def encoding(self, index: int) -> Encoding:
        """Return the encoding of the numbers of a band, counted from 0."""
        title, units = self.descriptions[index] or "", self.units[index] or ""
        return Encoding(
            dtype=self.dtypes[index],
            scale=float(self.scales[index]),
            offset=float(self.offsets[index]),
            nodata=self.nodata[index],
            units=units or "1",
            circle=circle_of(title, units),
        )


def bands_of(dataset: Dataset) -> tuple[Band, ...]:
    """Return the bands of a file.

    Raises:
        UnsupportedSource: A band holds no real numbers.
    """
    return _bands(dataset, BandMetadata.from_dataset(dataset))


def _bands(dataset: Dataset, stated: BandMetadata) -> tuple[Band, ...]:
    counts, has_alpha = Counter(stated.descriptions), any(map(stated.is_alpha, range(dataset.count)))
    palettes = palettes_of(dataset)
    return tuple(
        _band(stated, index, palettes[index], is_named=counts[description] == 1, has_alpha=has_alpha)
        for index, description in enumerate(stated.descriptions)
    )


def palettes_of(dataset: Dataset) -> tuple[tuple[StyleClass, ...], ...]:
    """Return the colours of each band; empty for a band without a palette."""
    colours = zip(dataset.indexes, dataset.colorinterp, dataset.nodatavals, strict=True)
    return tuple(
        _palette(dataset.colormap(number), nodata) if colour == ColorInterp.palette else ()
        for number, colour, nodata in colours
    )


def _band(
    stated: BandMetadata, index: int, palette: tuple[StyleClass, ...], *, is_named: bool, has_alpha: bool
) -> Band:
    number, title, dtype = index + 1, stated.descriptions[index] or None, stated.dtypes[index]
    require_real(np.dtype({"complex_int16": "complex64"}.get(dtype, dtype)), f"band {number}")
    is_alpha, flags = stated.is_alpha(index), stated.masks[index]
    return Band(
        number=number,
        name=title if title and is_named else f"band{number}",
        title=title,
        encoding=stated.encoding(index),
        classes=palette,
        # A mask, or the alpha band of the file.
        has_mask=not is_alpha and (has_alpha if MaskFlags.alpha in flags else MaskFlags.per_dataset in flags),
        is_alpha=is_alpha,
    )


def _palette(colours: Mapping[int, Colour], nodata: float | None) -> tuple[StyleClass, ...]:
    """Return the classes of a palette, without entries that merely fill the table."""
    entries = {value: Colour(*colour) for value, colour in colours.items() if value != nodata}
    last = max((value for value, colour in entries.items() if not _is_black(colour)), default=-1)
    entries = {value: colour for value, colour in entries.items() if value <= last}
    if sum(map(_is_black, entries.values())) * 2 > len(entries):
        entries = {value: colour for value, colour in entries.items() if not _is_black(colour)}
    return tuple(StyleClass(float(value), colour, str(value)) for value, colour in sorted(entries.items()))


def _is_black(colour: Colour) -> bool:
    return colour[:3] == (0, 0, 0)
