"""Formats of maps, animations and series: each is one value, a text with what is known of it.

Who chooses among them does so by an exhaustive `match`, so that a format which is added to one of the types below is a
type error wherever it was forgotten.
"""

from enum import StrEnum
from typing import Literal, Self

GEOTIFF_TYPE = "image/tiff; application=geotiff"
COG_TYPE = f"{GEOTIFF_TYPE}; profile=cloud-optimized"
COVERAGE_JSON_TYPE = "application/prs.coverage+json"


class MapFormat(StrEnum):
    """What a map is written in."""

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
    """For each pixel, beside the picture: what the encoder holds, and the encoded picture."""
    has_alpha: bool
    max_side_px: int | None
    """The most pixels per side that a file can hold."""

    PNG = "image/png", "png", 4
    PNG8 = "image/png; mode=8bit", "png", 10
    WEBP = "image/webp", "webp", 21, True, 16_383
    JPEG = "image/jpeg", "jpg", 6, False, 65_535
    GIF = "image/gif", "gif", 10, True, 65_535
    GEOTIFF = "image/geotiff", "tif", 6
    """A picture with its place on earth."""
    VALUE_TIFF = "image/tiff", "tif", 12
    NPY = "application/x-npy", "npy", 8

    __repr__ = str.__repr__  # in ETags and messages


TileFormat = Literal[MapFormat.PNG, MapFormat.WEBP, MapFormat.JPEG]
TILE_FORMATS: tuple[TileFormat, ...] = (MapFormat.PNG, MapFormat.WEBP, MapFormat.JPEG)
"""What WMTS has; clients take the first."""

PictureFormat = Literal[TileFormat, MapFormat.PNG8, MapFormat.GIF]
"""The last two have at most 256 colours; pictures of one layer have no more in any case."""

DrawnFormat = Literal[PictureFormat, MapFormat.GEOTIFF]
"""Colours, with their place on earth or without."""

ValueFormat = Literal[MapFormat.VALUE_TIFF, MapFormat.NPY]
VALUE_FORMATS: tuple[ValueFormat, ...] = (MapFormat.VALUE_TIFF, MapFormat.NPY)
"""Numbers on the grid instead of colours: float32 values, NaN where there is none."""


class AnimationFormat(StrEnum):
    """What a time-lapse is written in."""

    def __new__(cls, media_type: str, extension: str, frame_bytes: int, small_frame_bytes: int) -> Self:
        """Return a format."""
        format_ = str.__new__(cls, media_type)
        format_._value_ = media_type
        format_.extension = extension
        format_.frame_bytes, format_.small_frame_bytes = frame_bytes, small_frame_bytes
        return format_

    extension: str
    frame_bytes: int
    """For each pixel of a frame, beside the picture: what the encoder holds."""
    small_frame_bytes: int
    """The same of small frames, of which an encoder may hold more."""

    GIF = "image/gif", "gif", 20, 20
    WEBP = "image/webp", "webp", 28, 28
    MP4 = "video/mp4", "mp4", 56, 100

    __repr__ = str.__repr__  # in ETags and messages


class TableFormat(StrEnum):
    """What series are written in, by the name that `format` gives it."""

    def __new__(cls, name: str, media_type: str, extension: str | None = None, extra: str | None = None) -> Self:
        """Return a format."""
        format_ = str.__new__(cls, name)
        format_._value_ = name
        format_.media_type, format_.extension, format_.extra = media_type, extension, extra
        return format_

    media_type: str
    extension: str | None
    """Of a file that a browser had better save than show."""
    extra: str | None
    """What must be installed for it."""

    JSON = "json", "application/json"
    CSV = "csv", "text/csv", "csv"
    GEOJSON = "geojson", "application/geo+json"
    COVJSON = "covjson", COVERAGE_JSON_TYPE
    NDJSON = "ndjson", "application/x-ndjson"
    PARQUET = "parquet", "application/vnd.apache.parquet", "parquet", "parquet"
    NETCDF = "netcdf", "application/netcdf", "nc", "netcdf"

    __repr__ = str.__repr__  # in messages
