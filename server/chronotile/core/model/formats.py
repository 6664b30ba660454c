"""Formats of maps, animations and series: every format is a text with attributes.

Code selects by format with an exhaustive `match`, so that a missing case for a new format is a type error.
"""

from enum import StrEnum
from typing import Literal, Self

GEOTIFF_TYPE = "image/tiff; application=geotiff"
NETCDF_TYPE = "application/x-netcdf"
COG_TYPE = f"{GEOTIFF_TYPE}; profile=cloud-optimized"
COVERAGE_JSON_TYPE = "application/prs.coverage+json"


class MapFormat(StrEnum):
    """Formats of maps."""

    def __new__(  # noqa: PLR0917 -- a row of the table below
        cls, media_type: str, extension: str, encoder_bytes: int, has_alpha: bool = True, max_side_px: int | None = None
    ) -> Self:
        """Return a format."""
        format_ = str.__new__(cls, media_type)
        format_._value_ = media_type
        format_.extension, format_.encoder_bytes = extension, encoder_bytes
        format_.has_alpha, format_.max_side_px = has_alpha, max_side_px
        return format_

    extension: str
    encoder_bytes: int
    """Bytes per pixel in addition to the picture: buffers of the encoder, and the encoded picture."""
    has_alpha: bool
    max_side_px: int | None
    """Maximum number of pixels per side of a file."""

    PNG = "image/png", "png", 4
    PNG8 = "image/png; mode=8bit", "png", 10
    WEBP = "image/webp", "webp", 21, True, 16_383
    JPEG = "image/jpeg", "jpg", 6, False, 65_535
    GIF = "image/gif", "gif", 10, True, 65_535
    GEOTIFF = "image/geotiff", "tif", 6
    """A picture with georeferencing."""
    VALUE_TIFF = "image/tiff", "tif", 12
    NPY = "application/x-npy", "npy", 8

    __repr__ = str.__repr__  # in ETags and messages


TileFormat = Literal[MapFormat.PNG, MapFormat.WEBP, MapFormat.JPEG]
TILE_FORMATS: tuple[TileFormat, ...] = (MapFormat.PNG, MapFormat.WEBP, MapFormat.JPEG)
"""Formats of WMTS; clients use the first."""

PictureFormat = Literal[TileFormat, MapFormat.PNG8, MapFormat.GIF]
"""PNG8 and GIF have at most 256 colours; pictures of one layer never have more."""

DrawnFormat = Literal[PictureFormat, MapFormat.GEOTIFF]
"""Colours, with or without georeferencing."""

ValueFormat = Literal[MapFormat.VALUE_TIFF, MapFormat.NPY]
VALUE_FORMATS: tuple[ValueFormat, ...] = (MapFormat.VALUE_TIFF, MapFormat.NPY)
"""Numbers on the grid instead of colours: float32 values, NaN if missing."""


class AnimationFormat(StrEnum):
    """Formats of animations."""

    def __new__(cls, media_type: str, extension: str, frame_bytes: int, small_frame_bytes: int) -> Self:
        """Return a format."""
        format_ = str.__new__(cls, media_type)
        format_._value_ = media_type
        format_.extension = extension
        format_.frame_bytes, format_.small_frame_bytes = frame_bytes, small_frame_bytes
        return format_

    extension: str
    frame_bytes: int
    """Bytes per pixel of a frame, in addition to the picture: buffers of the encoder."""
    small_frame_bytes: int
    """The same for small frames, because encoders may buffer more frames then."""

    GIF = "image/gif", "gif", 20, 20
    WEBP = "image/webp", "webp", 28, 28
    MP4 = "video/mp4", "mp4", 56, 100

    __repr__ = str.__repr__  # in ETags and messages


class TableFormat(StrEnum):
    """Formats of series, named like the values of the parameter `format`."""

    def __new__(cls, name: str, media_type: str, extension: str | None = None, extra: str | None = None) -> Self:
        """Return a format."""
        format_ = str.__new__(cls, name)
        format_._value_ = name
        format_.media_type, format_.extension, format_.extra = media_type, extension, extra
        return format_

    media_type: str
    extension: str | None
    """Set if a browser should save the file instead of showing it."""
    extra: str | None
    """Optional dependency of this package that the format requires."""

    JSON = "json", "application/json"
    CSV = "csv", "text/csv", "csv"
    GEOJSON = "geojson", "application/geo+json"
    COVJSON = "covjson", COVERAGE_JSON_TYPE
    NDJSON = "ndjson", "application/x-ndjson"
    PARQUET = "parquet", "application/vnd.apache.parquet", "parquet", "parquet"
    NETCDF = "netcdf", "application/netcdf", "nc", "netcdf"

    __repr__ = str.__repr__  # error messages show the name
