"""Coverages as a cloud optimised GeoTIFF (OGC 21-026), one band per field and time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import numpy as np

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import UnsupportedFormat, require_at_most
from chronotile.core.model.coverage import Coverage, CoverageField
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.types import NumberArray
from chronotile.pipeline.encoders.bodies import ConcatenatedFiles
from chronotile.pipeline.encoders.coverage import cog
from chronotile.pipeline.encoders.coverage.attributes import SOFTWARE, about
from chronotile.pipeline.encoders.coverage.strips import Strip, strips, times_of
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.encoders.scratch_files import TEMPORARY, Scratch

# A type with one number for missing values that represents the numbers of several fields exactly.


@dataclass(frozen=True, slots=True)
class CommonType:
    """Type of all bands of a file."""

    dtype: np.dtype[Any]
    nodata: float | None

    def convert(self, numbers: NumberArray, encoding: Encoding) -> NumberArray:
        """Return numbers of a field in this type."""
        if encoding.nodata is None or _are_same(encoding.nodata, self.nodata):
            return numbers.astype(self.dtype, copy=False)
        converted = numbers.astype(self.dtype)
        converted[~encoding.valid(numbers)] = self.nodata
        return converted


def common_type(fields: Sequence[CoverageField]) -> CommonType:
    """Return the smallest type that represents all fields exactly; integers next to floats become floats.

    Raises:
        UnsupportedFormat: No type does.
    """
    encodings = [field.encoding for field in fields]
    for dtype in _larger_types(_smallest_type([np.dtype(encoding.dtype) for encoding in encodings])):
        if all(_are_same(encoding.nodata, encodings[0].nodata) for encoding in encodings):
            return CommonType(dtype, encodings[0].nodata)
        for number in _candidates(encodings, dtype):
            if all(_is_free(number, encoding) for encoding in encodings):
                return CommonType(dtype, number)
    types = ", ".join(f"{field.name} {field.encoding.dtype}" for field in fields)
    raise UnsupportedFormat(
        f"no type of GeoTIFF holds all of {types}; request them one by one with properties, or as NetCDF or zarr",
        locator="f",
    )


def _smallest_type(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """Return the smallest type for all numbers, or a type of bytes if there is none."""
    has_floats = any(dtype.kind == "f" for dtype in dtypes)
    common = np.result_type(*dtypes, np.float32) if has_floats else np.result_type(*dtypes)
    has_long_integers = any(dtype.kind in "iu" and dtype.itemsize == 8 for dtype in dtypes)
    return common if common.kind in "iu" or not has_long_integers else np.dtype("S1")


def _larger_types(dtype: np.dtype[Any]) -> Iterator[np.dtype[Any]]:
    """Yield a numeric type, then those of the same kind with more bytes."""
    if dtype.kind in "iuf":
        for size in (1, 2, 4, 8):
            if size >= dtype.itemsize:
                yield np.dtype(f"{dtype.kind}{size}")


def _candidates(encodings: Sequence[Encoding], dtype: np.dtype[Any]) -> list[float]:
    if dtype.kind == "f":
        return [np.nan]
    nodata = [encoding.nodata for encoding in encodings if encoding.nodata is not None]
    limits = np.iinfo(dtype)
    return [*(number for number in nodata if limits.min <= number <= limits.max), float(limits.max), float(limits.min)]


def _is_free(number: float, encoding: Encoding) -> bool:
    """Return whether a number is not a value of a field."""
    if _are_same(number, encoding.nodata) or np.isnan(number):
        return True
    limits = np.iinfo(encoding.dtype)
    return not limits.min <= number <= limits.max


def _are_same(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return first == second or bool(np.isnan(first) and np.isnan(second))


SOFTWARE_TAG, METADATA_TAG = 305, 42112


def check_coverage_geotiff(coverage: Coverage) -> None:
    """Check that a coverage fits into a GeoTIFF, before it is read.

    Raises:
        LimitExceeded: There are too many bands.
        UnsupportedFormat: No type represents all fields, or GeoTIFF cannot express the CRS.
    """
    bands = times_of(coverage) * len(coverage.fields)
    fewer = "request fewer times, or for NetCDF or zarr"
    require_at_most("bands of a GeoTIFF", bands, cog.MAX_BANDS, alternative=fewer, locator="f")
    common_type(coverage.fields)
    cog.geo_tags(coverage.grid)


def coverage_geotiff(
    coverage: Coverage, *, scratch: Scratch = TEMPORARY, is_active: IsActive = always_active
) -> ConcatenatedFiles:
    """Return a GeoTIFF of the digital numbers: all fields of the first time, then of the next.

    Bands are named `NDVI 2020-06-01T00:00:00Z` and have scale, offset and units. A file has one type and one nodata
    number; fields with others are converted. Overviews of continuous fields are means, those of categorical fields are
    single cells.

    Raises:
        UnsupportedFormat: An error of `check_coverage_geotiff`.
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    form = common_type(coverage.fields)
    writer = cog.CogWriter(_profile(coverage, form), scratch)
    try:
        for number in range(len(coverage.fields)):
            for strip in strips(coverage, number, is_active=is_active):
                _write_strip(writer, coverage, number, form=form, strip=strip)
                del strip  # before the next one is read
        return writer.finish()
    finally:
        writer.close()


def _profile(coverage: Coverage, form: CommonType) -> cog.CogProfile:
    has_means = any(_has_means(field) for field in coverage.fields)
    predictor = cog.NO_PREDICTOR
    if form.dtype.kind == "f":
        predictor = cog.FLOATING_POINT
    elif has_means and form.dtype.itemsize <= 4:
        predictor = cog.HORIZONTAL
    return cog.CogProfile(
        width=coverage.grid.width,
        height=coverage.grid.height,
        bands=times_of(coverage) * len(coverage.fields),
        dtype=form.dtype,
        nodata=form.nodata,
        predictor=predictor,
        tags=[
            *cog.geo_tags(coverage.grid),
            cog.Tag(SOFTWARE_TAG, cog.ASCII, cog.text_of(SOFTWARE)),
            cog.Tag(METADATA_TAG, cog.ASCII, cog.text_of(_metadata(coverage))),
        ],
    )


def _write_strip(writer: cog.CogWriter, coverage: Coverage, number: int, *, form: CommonType, strip: Strip) -> None:
    field = coverage.fields[number]
    for time, numbers in zip(strip.times, strip.numbers, strict=True):
        writer.write(
            time * len(coverage.fields) + number,
            form.convert(numbers, field.encoding),
            is_last=strip.rows.stop == coverage.grid.height,
            has_means=_has_means(field),
        )


def _has_means(field: CoverageField) -> bool:
    return field.layer.main_variable.has_means


def _metadata(coverage: Coverage) -> str:
    """Return the metadata of the file and its bands for GDAL, whose texts are escaped twice."""
    root = ET.Element("GDALMetadata")
    metadata = about(coverage)
    items = {
        "TITLE": metadata.title,
        "COLLECTION": metadata.collection,
        **{name.upper(): text for name, text in metadata.credits.texts.items()},
        "TIME_COVERAGE_START": metadata.first,
        "TIME_COVERAGE_END": metadata.last,
        "REFERENCES": " ".join(metadata.links),
    }
    for name, text in items.items():
        if text:
            ET.SubElement(root, "Item", name=name).text = escape(text)
    names = [f" {instant}" for instant in format_instants(coverage.times.instants)] or [""]
    for time, name in enumerate(names):
        for number, field in enumerate(coverage.fields):
            _describe_band(root, time * len(coverage.fields) + number, field, f"{field.name}{name}")
    return ET.tostring(root, encoding="unicode")


def _describe_band(root: ET.Element, band: int, field: CoverageField, description: str) -> None:
    encoding = field.encoding
    items = {"DESCRIPTION": description, "UNITTYPE": encoding.units}
    if (encoding.scale, encoding.offset) != (1.0, 0.0):
        items |= {"SCALE": repr(float(encoding.scale)), "OFFSET": repr(float(encoding.offset))}
    for name, text in items.items():
        ET.SubElement(root, "Item", name=name, sample=str(band), role=name.lower()).text = escape(text)
