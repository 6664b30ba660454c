"""How each file's numbers of a variable are read: which band of it, in which encoding, and how they become common ones.

`docs/design/encodings.md` explains why the encoding is the file's and not the variable's.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from rasterio.enums import ColorInterp, MaskFlags

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.collection import VariableSpec
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import NativeGrid
from chronotile.core.model.raster import Encoding, Pixels, as_meant
from chronotile.core.model.style import Colour, StyleClass
from chronotile.readers.dates import find_time
from chronotile.readers.encoding import apply_configuration, circle_of, encoding_text, is_scaled, require_real
from chronotile.readers.files import APART
from chronotile.readers.joined.common_encoding import Recoding, recoding_of
from chronotile.readers.native_crs import require_on_earth, source_crs
from chronotile.readers.overviews import Counting
from chronotile.readers.raster.grib import SPLIT

# What an open raster file says of itself: its grid, its overviews, its bands.

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

    __slots__ = ("bands", "fault", "has_palette")

    def __init__(self, bands: tuple[Band, ...], *, has_palette: bool, fault: str | None = None) -> None:
        self.bands, self.has_palette = bands, has_palette
        self.fault = fault
        """Messages that cannot be read and have no band, so that the numbers of others may be shifted."""


MOST_KINDS = 4096
"""Kinds of files that are distinguished; files with statistics of their own in their metadata are of one kind."""

_kinds: dict[tuple[object, ...], FileBands] = {}


def file_bands(dataset: Dataset, elsewhere: frozenset[int] = frozenset(), *, fault: str | None = None) -> FileBands:
    """Return the bands of a file that is opened at its native level; palettes are those of one file of its kind.

    Args:
        dataset: An open rasterio dataset.
        elsewhere: Numbers of the bands on another grid than the first.
        fault: Messages of the file that cannot be read, which have no band.

    Raises:
        UnsupportedSource: A band holds no real numbers.
    """
    stated = Stated.of(dataset)
    kind = (stated, elsewhere, fault)
    found = _kinds.get(kind)
    if found is None:
        if len(_kinds) >= MOST_KINDS:
            _kinds.clear()
        bands = tuple(replace(each, is_elsewhere=each.number in elsewhere) for each in _bands(dataset, stated))
        has_palette = ColorInterp.palette in stated.colours
        found = _kinds.setdefault(kind, FileBands(bands, has_palette=has_palette, fault=fault))
    return found


class Stated(NamedTuple):
    """The metadata of the bands of a file or overview: each property of a dataset reads all bands."""

    descriptions: Sequence[str | None]
    dtypes: Sequence[str]
    scales: Sequence[float]
    offsets: Sequence[float]
    nodata: Sequence[float | None]
    """NaN as one object, by which it is equal to itself."""
    units: Sequence[str | None]
    colours: Sequence[ColorInterp]
    masks: Sequence[Sequence[MaskFlags]]

    @classmethod
    def of(cls, dataset: Dataset) -> "Stated":
        """Return the metadata of an open rasterio dataset."""
        nodata = tuple(math.nan if each is not None and math.isnan(each) else each for each in dataset.nodatavals)
        masks = tuple(map(tuple, dataset.mask_flag_enums))
        numbers = dataset.descriptions, dataset.dtypes, dataset.scales, dataset.offsets, nodata
        return cls(*numbers, dataset.units, dataset.colorinterp, masks)

    def is_alpha(self, index: int) -> bool:
        """Return whether a band is transparency, and not another subject, such as quality."""
        if len(self.dtypes) < 2 or self.colours[index] != ColorInterp.alpha:
            return False
        title = self.descriptions[index]
        return not title or _SAYS_ALPHA.fullmatch(title) is not None

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
    return _bands(dataset, Stated.of(dataset))


def _bands(dataset: Dataset, stated: Stated) -> tuple[Band, ...]:
    counts, has_alpha = Counter(stated.descriptions), any(map(stated.is_alpha, range(dataset.count)))
    palettes = palettes_of(dataset)
    return tuple(
        _band(stated, index, palettes[index], is_named=counts[description] == 1, has_alpha=has_alpha)
        for index, description in enumerate(stated.descriptions)
    )


def palettes_of(dataset: Dataset) -> tuple[tuple[StyleClass, ...], ...]:
    """Return the colours of each band of a file, which mostly has none."""
    colours = zip(dataset.indexes, dataset.colorinterp, dataset.nodatavals, strict=True)
    return tuple(
        _palette(dataset.colormap(number), nodata) if colour == ColorInterp.palette else ()
        for number, colour, nodata in colours
    )


def _band(stated: Stated, index: int, palette: tuple[StyleClass, ...], *, is_named: bool, has_alpha: bool) -> Band:
    number, title, dtype = index + 1, stated.descriptions[index] or None, stated.dtypes[index]
    require_real(np.dtype({"complex_int16": "complex64"}.get(dtype, dtype)), f"band {number}")
    is_alpha, flags = stated.is_alpha(index), stated.masks[index]
    return Band(
        number=number,
        name=title if title and is_named else f"band{number}",
        title=title,
        encoding=stated.encoding(index),
        classes=palette,
        # A mask or a band of transparency.
        has_mask=not is_alpha and (has_alpha if MaskFlags.alpha in flags else MaskFlags.per_dataset in flags),
        is_alpha=is_alpha,
    )


def _palette(colours: Mapping[int, Colour], nodata: float | None) -> tuple[StyleClass, ...]:
    """The file's own colours by number; entries that merely fill the table are left out."""
    entries = {value: Colour(*colour) for value, colour in colours.items() if value != nodata}
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


# Which band of a file a variable is, and how its numbers are read.

_DESCRIBE = f"describe its bands (gdal_edit -d), or {APART}"
_NUMBERED = re.compile(r"(band|layer|lyr)?[-_. ]?(?P<number>\d*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandDecoding:
    """A variable's part of one file."""

    band: int
    """Counted from 1."""
    encoding: Encoding
    """The file's own, under what the configuration says."""
    recoding: Recoding | None
    """Into the variable's encoding; `None` where that is the file's."""
    is_as_meant: bool
    """Whether the file declares the type that its numbers are meant as."""
    has_mask: bool
    counting: Counting
    """How the file's cells are counted where a level is made of them."""

    def pixels(self, pixels: Pixels) -> Pixels:
        """Return pixels as stored in the file in the variable's encoding."""
        return self.recoded(self.meant(pixels))

    def meant(self, pixels: Pixels) -> Pixels:
        """Return pixels as stored in the file in its own encoding."""
        if self.is_as_meant:
            return pixels
        return replace(pixels, numbers=as_meant(pixels.numbers, self.encoding.dtype))

    def recoded(self, pixels: Pixels) -> Pixels:
        """Return pixels of the file's own encoding in the variable's."""
        return pixels if self.recoding is None else self.recoding.pixels(pixels)

    def is_like(self, other: "BandDecoding") -> bool:
        """Whether both may be read and converted at once, if they are of one file."""
        return self is other or (
            self.encoding == other.encoding and (self.has_mask, self.is_as_meant) == (other.has_mask, other.is_as_meant)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRule:
    """Which band of each file holds a variable."""

    number: int | None
    """In most files; `None` of a file with one band per time, where each time has its own."""
    count: int
    """How many bands most files have."""
    description: str | None = None
    """By which the band is found wherever it is."""
    is_strict: bool = False
    """Whether a band of that number, but without the description, will not do."""
    usual: tuple[str | None, ...] = ()
    """The descriptions of the bands of a file that is as most are; empty where bands are times."""
    elsewhere: frozenset[str] = frozenset()
    """Keys of the descriptions that files have for bands of other numbers."""

    def band_in(self, file: FileBands, number: int) -> Band:
        """Return the band that holds the variable.

        Args:
            file: The bands of a file.
            number: Of the band that the time has in most files.

        Raises:
            UnsupportedSource: None does, or more than one may.
        """
        bands = file.bands
        if file.fault is not None and self.number is not None:
            raise UnsupportedSource(f"its bands cannot be counted: {file.fault}")
        if self.description is not None:
            found = _called(self.description, bands)
            if len(found) == 1:
                return found[0]
            if found:
                raise UnsupportedSource(
                    f"{len(found)} of its bands are called {self.description}; name each differently"
                )
            return self._undescribed(bands, number, self.description)
        if len(bands) != self.count:
            raise UnsupportedSource(other_count(len(bands), self.count))
        return self._numbered(bands, number)

    def _undescribed(self, bands: Sequence[Band], number: int, description: str) -> Band:
        """The band of the number in a file without the description, if nothing speaks against it."""
        own = [band for band in bands if not band.is_alpha]
        is_sole = len(own) == 1 and number == own[0].number
        if not is_sole and (len(bands) != self.count or (self.is_strict and not self._has_all_others(bands, number))):
            raise UnsupportedSource(f"no band of it is called {description}, which those of others are; {_DESCRIBE}")
        band = own[0] if is_sole else bands[number - 1]
        if not _tells(band):
            return band
        raise UnsupportedSource(f"its band {number} is called {band.title}, that of others {description}; {_DESCRIBE}")

    def _has_all_others(self, bands: Sequence[Band], number: int) -> bool:
        # Whether all bands but that of the number have the descriptions of most files.
        pairs = zip(bands, self.usual, strict=True)
        return all(_key(band.title) == _key(title) for band, title in pairs if band.number != number)

    def _numbered(self, bands: Sequence[Band], number: int) -> Band:
        """The band of the number, if no description speaks against it."""
        band = bands[number - 1]
        if not self.usual or sum(not each.is_alpha for each in bands) == 1 or not _tells(band):
            return band
        usual = self.usual[number - 1]
        if _key(band.title) != _key(usual) and _key(band.title) in self.elsewhere:
            raise UnsupportedSource(f"its band {number} is called as another band of others, {band.title}; {_DESCRIBE}")
        if usual is None:
            raise UnsupportedSource(
                f"its band {number} is called {band.title}, and the bands of most files have no descriptions, so that "
                f"their order is not known; {_DESCRIBE}"
            )
        return band


def _key(title: str | None) -> str:
    # A description without case and signs.
    return re.sub(r"[\W_]+", "_", (title or "").casefold())


def _tells(band: Band) -> bool:
    """Whether a description says what is in a band: some writers put the file's name or the band's number there."""
    if not band.title or find_time(band.title):
        return False
    numbered = _NUMBERED.fullmatch(band.title)
    return numbered is None or numbered["number"] not in ("", str(band.number))


def _called(description: str, bands: Sequence[Band]) -> list[Band]:
    # The bands of that description; else those whose description differs from it in case and signs only.
    exact = [band for band in bands if band.title == description]
    return exact or [band for band in bands if _key(band.title) == _key(description)]


def band_rule(variable: VariableSpec, band: Band, *, bands: Sequence[Band], looked: Sequence[FileBands]) -> BandRule:
    """Return by what the band of a variable is found in each file.

    Args:
        variable: What the configuration says of it.
        band: That of a file that is as most are.
        bands: All of that file.
        looked: Those of all files that were looked at.
    """
    kinds, name = Counter(looked), variable.name or variable.id
    description = name if band.title is None else band.description
    is_shared = description is not None and _is_shared(description, kinds)
    return BandRule(
        number=band.number,
        count=len(bands),
        description=description if is_shared else None,
        is_strict=is_shared and variable.band is None and name == description,
        usual=tuple(each.title for each in bands),
        elsewhere=frozenset(
            _key(each.title) for kind in kinds for each in kind.bands if each.title and each.number != band.number
        ),
    )


def _is_shared(description: str, kinds: Mapping[FileBands, int]) -> bool:
    """Whether most files with descriptions have a band of that one; some writers describe each by the file's name."""
    holders = Counter[bool]()
    for kind, count in kinds.items():
        if any(band.title for band in kind.bands):
            holders[bool(_called(description, kind.bands))] += count
    return 0 < holders[True] >= holders[False]


def encoding_in(band: Band, variable: VariableSpec, *, are_classes: bool) -> Encoding:
    """Return the encoding of a band under what the configuration says.

    Args:
        band: Of a file.
        variable: What the configuration says.
        are_classes: Whether numbers of most files are classes without a scale.

    Raises:
        UnsupportedSource: Its numbers cannot be meant as the configured type, they are scaled among classes, or lie on
            another grid than the file's.
    """
    if band.is_elsewhere:
        raise UnsupportedSource(f"its band {band.number} is on another grid than its first; {SPLIT}")
    encoding = apply_configuration(band.encoding, variable)
    if are_classes and is_scaled(encoding):
        raise UnsupportedSource(
            f"its numbers are {encoding_text(encoding)}, those of most files classes without a scale; {APART}"
        )
    return encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class BandDecodings:
    """The decodings of all files of a variable, including files that have not been opened yet."""

    variable: VariableSpec
    rule: BandRule
    encoding: Encoding
    """The variable's, in which all are handed out."""
    is_categorical: bool
    are_classes: bool
    """Whether numbers of most files are classes without a scale, which are never rescaled."""
    _found: dict[tuple[FileBands, int], BandDecoding | str] = field(default_factory=dict)

    def of(self, bands: FileBands, number: int) -> BandDecoding:
        """Return how a file is read that has such bands.

        Args:
            bands: Of the file.
            number: Of the band that the time has in most files.

        Raises:
            UnsupportedSource: Not so that every value is what the file says.
        """
        found = self._found.get((bands, number))
        if found is None:
            found = self._found[bands, number] = self._find(bands, number)
        if isinstance(found, str):
            raise UnsupportedSource(found)
        return found

    def _find(self, bands: FileBands, number: int) -> BandDecoding | str:
        """The decoding, or why there is none."""
        try:
            band = self.rule.band_in(bands, number)
            encoding = encoding_in(band, self.variable, are_classes=self.are_classes)
        except UnsupportedSource as error:
            return error.message
        recoding = recoding_of(encoding, self.encoding)
        if recoding is None:
            return (
                f"its numbers are {encoding_text(encoding)}, which {encoding_text(self.encoding)} of the others cannot "
                f"hold; {APART}"
            )
        has_alpha = self.rule.number is None and any(each.is_alpha for each in bands.bands)
        return BandDecoding(
            band=band.number,
            encoding=encoding,
            recoding=None if encoding == self.encoding else recoding,
            is_as_meant=band.encoding.dtype == encoding.dtype,
            has_mask=band.has_mask and not has_alpha,
            counting=Counting(encoding=encoding, is_categorical=self.is_categorical),
        )


def other_count(count: int, usual: int) -> str:
    """Return why a file is left out that has more or fewer bands than most, none of which has a name."""
    return f"it has {count} {'band' if count == 1 else 'bands'}, most files {usual}; {APART}"
