"""How the numbers of a variable are read from each file: the band, its encoding, and the conversion to a common one.

`docs/design/encodings.md` explains why each file has a separate encoding.
"""

from dataclasses import dataclass, field, replace

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, reinterpret_numbers
from chronotile.core.model.source import VariableSpec
from chronotile.readers.configured_encoding import apply_configuration, encoding_text, is_scaled
from chronotile.readers.dated_files import APART
from chronotile.readers.joined.recoding import Recoding, recoding_of
from chronotile.readers.overview_summaries import Counting
from chronotile.readers.raster.band_rules import BandRule
from chronotile.readers.raster.bands import Band, FileBands
from chronotile.readers.raster.grib_fields import SPLIT


@dataclass(frozen=True, slots=True, kw_only=True)
class BandDecoding:
    """How one variable is read from one file."""

    band: int
    """Counted from 1."""
    encoding: Encoding
    """Encoding of the file; configured values replace its metadata."""
    recoding: Recoding | None
    """Converts to the encoding of the variable; `None` if the file has the same."""
    is_as_meant: bool
    """Whether the file and `encoding` have the same dtype; if not, stored bits are reinterpreted."""
    has_mask: bool
    counting: Counting
    """How cells of the file are counted for a made level."""

    def decode(self, pixels: Pixels) -> Pixels:
        """Return stored pixels in the encoding of the variable."""
        return self.recode(self.cast(pixels))

    def cast(self, pixels: Pixels) -> Pixels:
        """Return stored pixels in the encoding of the file."""
        if self.is_as_meant:
            return pixels
        return replace(pixels, numbers=reinterpret_numbers(pixels.numbers, self.encoding.dtype))

    def recode(self, pixels: Pixels) -> Pixels:
        """Return pixels converted from the encoding of the file to the variable's."""
        return pixels if self.recoding is None else self.recoding.pixels(pixels)

    def is_like(self, other: "BandDecoding") -> bool:
        """Return whether bands of both, if they are in one file, can be read and converted in one call."""
        return self is other or (
            self.encoding == other.encoding and (self.has_mask, self.is_as_meant) == (other.has_mask, other.is_as_meant)
        )


def encoding_in(band: Band, variable: VariableSpec, *, are_classes: bool) -> Encoding:
    """Return the encoding of a band; configured values replace its metadata.

    Args:
        band: A band.
        variable: From the configuration.
        are_classes: Whether numbers of most files are classes without a scale.

    Raises:
        UnsupportedSource: The numbers cannot have the configured type, have a scale although they are classes, or lie
            on another grid than the first band.
    """
    if band.is_on_other_grid:
        raise UnsupportedSource(f"its band {band.number} is on another grid than its first; {SPLIT}")
    encoding = apply_configuration(band.encoding, variable)
    if are_classes and is_scaled(encoding):
        raise UnsupportedSource(
            f"its numbers are {encoding_text(encoding)}, those of most files classes without a scale; {APART}"
        )
    return encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class BandDecodings:
    """The decodings of all files of a variable, including files that have not been opened yet.

    A decoding converts the stored numbers of one file to the encoding of the variable. Files whose bands have equal
    types, scales and nodata share a decoding, which is derived when the first of them is opened.
    """

    variable: VariableSpec
    rule: BandRule
    encoding: Encoding
    """Encoding of the variable, in which pixels are returned."""
    is_categorical: bool
    are_classes: bool
    """Whether numbers of most files are classes without a scale, which are never rescaled."""
    _results: dict[tuple[FileBands, int], BandDecoding | str] = field(default_factory=dict)

    def decoding_of(self, bands: FileBands, number: int) -> BandDecoding:
        """Return the decoding of a file.

        Args:
            bands: Of the file.
            number: Of the band that most files have for this time.

        Raises:
            UnsupportedSource: The file has no band for the variable, or its numbers do not fit the common encoding.
        """
        result = self._results.get((bands, number))
        if result is None:
            result = self._results[bands, number] = self._derive(bands, number)
        if isinstance(result, str):
            raise UnsupportedSource(result)
        return result

    def _derive(self, bands: FileBands, number: int) -> BandDecoding | str:
        """Return the decoding, or the reason why the file cannot be decoded."""
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
        has_alpha = self.rule.number is None and any(b.is_alpha for b in bands.bands)
        return BandDecoding(
            band=band.number,
            encoding=encoding,
            recoding=None if encoding == self.encoding else recoding,
            is_as_meant=band.encoding.dtype == encoding.dtype,
            has_mask=band.has_mask and not has_alpha,
            counting=Counting(encoding=encoding, is_categorical=self.is_categorical),
        )
