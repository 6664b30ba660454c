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
from chronotile.pipeline.encoders.bodies import FileParts
from chronotile.pipeline.encoders.coverage import cog
from chronotile.pipeline.encoders.coverage.attributes import SOFTWARE, about
from chronotile.pipeline.encoders.coverage.strips import Strip, strips, times_of
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.encoders.scratch_files import TEMPORARY, Scratch

# One type of numbers, with one number for no value, in which several fields lie exactly.


@dataclass(frozen=True, slots=True)
class CommonType:
    """What all bands of a file are in."""

    dtype: np.dtype[Any]
    nodata: float | None

    def taking(self, numbers: NumberArray, encoding: Encoding) -> NumberArray:
        """Return numbers of a field in this type."""
        if encoding.nodata is None or _are_same(encoding.nodata, self.nodata):
            return numbers.astype(self.dtype, copy=False)
        taken = numbers.astype(self.dtype)
        taken[~encoding.valid(numbers)] = self.nodata
        return taken


def common_type(fields: Sequence[CoverageField]) -> CommonType:
    """Return the smallest type that holds the numbers of all fields as they are; integers beside floats become floats.

    Raises:
        UnsupportedFormat: There is none.
    """
    encodings = [field.encoding for field in fields]
    for dtype in _wider(_least([np.dtype(each.dtype) for each in encodings])):
        if all(_are_same(each.nodata, encodings[0].nodata) for each in encodings):
            return CommonType(dtype, encodings[0].nodata)
        for number in _candidates(encodings, dtype):
            if all(_is_free(number, each) for each in encodings):
                return CommonType(dtype, number)
    types = ", ".join(f"{field.name} {field.encoding.dtype}" for field in fields)
    raise UnsupportedFormat(
        f"no type of GeoTIFF holds all of {types}; request them one by one with properties, or as NetCDF or zarr",
        locator="f",
    )


def _least(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """The smallest type for all numbers of these, or bytes where there is none."""
    dtype = np.result_type(*dtypes, np.float32) if any(each.kind == "f" for each in dtypes) else np.result_type(*dtypes)
    is_exact = dtype.kind in "iu" or not any(each.kind in "iu" and each.itemsize == 8 for each in dtypes)
    return dtype if is_exact else np.dtype("S1")


def _wider(dtype: np.dtype[Any]) -> Iterator[np.dtype[Any]]:
    """The type, and those of the same kind with more bytes; numbers only."""
    if dtype.kind in "iuf":
        for size in (1, 2, 4, 8):
            if size >= dtype.itemsize:
                yield np.dtype(f"{dtype.kind}{size}")


def _candidates(encodings: Sequence[Encoding], dtype: np.dtype[Any]) -> list[float]:
    if dtype.kind == "f":
        return [np.nan]
    nodata = [each.nodata for each in encodings if each.nodata is not None]
    limits = np.iinfo(dtype)
    return [*(number for number in nodata if limits.min <= number <= limits.max), float(limits.max), float(limits.min)]


def _is_free(number: float, encoding: Encoding) -> bool:
    """Whether it is no value of a field."""
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
    """Refuse a coverage that does not fit into a GeoTIFF, before it is read.

    Raises:
        LimitExceeded: There are more bands than such a file can have.
        UnsupportedFormat: No type holds all fields, or GeoTIFF cannot express the CRS.
    """
    bands = times_of(coverage) * len(coverage.fields)
    fewer = "request fewer times, or for NetCDF or zarr"
    require_at_most("bands of a GeoTIFF", bands, cog.MOST_BANDS, alternative=fewer, locator="f")
    common_type(coverage.fields)
    cog.geo_tags(coverage.grid)


def coverage_geotiff(
    coverage: Coverage, *, scratch: Scratch = TEMPORARY, is_active: IsActive = always_active
) -> FileParts:
    """Return a GeoTIFF of the digital numbers: all fields of the first time, then those of the next.

    Bands are named `NDVI 2020-06-01T00:00:00Z` and have scale, offset and units. A file has one type and one nodata
    number: fields that differ are converted to a type that holds them all. Overviews of continuous fields are means,
    those of categorical fields single cells.

    Raises:
        UnsupportedFormat: As `check_coverage_geotiff`.
        SourceUnavailable: The source is gone or damaged.
        ClientGone: The client left.
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
            form.taking(numbers, field.encoding),
            is_last=strip.rows.stop == coverage.grid.height,
            has_means=_has_means(field),
        )


def _has_means(field: CoverageField) -> bool:
    return field.layer.main_variable.has_means


def _metadata(coverage: Coverage) -> str:
    """What GDAL reads of the file and of each band; its texts are escaped twice."""
    root = ET.Element("GDALMetadata")
    said = about(coverage)
    items = {
        "TITLE": said.title,
        "COLLECTION": said.collection,
        **{name.upper(): text for name, text in said.credits.texts.items()},
        "TIME_COVERAGE_START": said.first,
        "TIME_COVERAGE_END": said.last,
        "REFERENCES": " ".join(said.links),
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
    said = {"DESCRIPTION": description, "UNITTYPE": encoding.units}
    if (encoding.scale, encoding.offset) != (1.0, 0.0):
        said |= {"SCALE": repr(float(encoding.scale)), "OFFSET": repr(float(encoding.offset))}
    for name, text in said.items():
        ET.SubElement(root, "Item", name=name, sample=str(band), role=name.lower()).text = escape(text)
