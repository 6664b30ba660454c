"""Coverages as files: encoded to a scratch file or while they are sent, and cached for requests of parts."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from chronotile.catalog.limits import Limits
from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import REPLACE_FILES, DateUnreadable, StorageFull, UnsupportedFormat, require_at_most
from chronotile.core.extras import require_extra
from chronotile.core.model.coverage import RUN_BYTES, Coverage, CoverageRequest
from chronotile.core.model.formats import COVERAGE_JSON_TYPE, GEOTIFF_TYPE, MapFormat
from chronotile.core.model.payload import Missing, TimeUsed
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_day
from chronotile.pipeline.cached_answer import FilePayload, etag_without
from chronotile.pipeline.changed_files import retry_if_files_change
from chronotile.pipeline.coverage.extract import extract_coverage
from chronotile.pipeline.coverage.source_coverage import ReadCoverage
from chronotile.pipeline.download_names import plain_name
from chronotile.pipeline.encoders.bodies import (
    Body,
    BytesBody,
    ConcatenatedFiles,
    SizedBody,
    StreamedBody,
    store_parts,
    stream_parts,
    translate_storage_errors,
)
from chronotile.pipeline.encoders.coverage.attributes import SOFTWARE, about, field_attributes
from chronotile.pipeline.encoders.coverage.covjson import encode_coverage_covjson
from chronotile.pipeline.encoders.coverage.geotiff import check_coverage_geotiff, coverage_geotiff
from chronotile.pipeline.encoders.coverage.netcdf import coverage_netcdf
from chronotile.pipeline.encoders.coverage.png import check_coverage_png, encode_coverage_png
from chronotile.pipeline.encoders.coverage.strips import times_of
from chronotile.pipeline.encoders.coverage.zarr import iter_coverage_zarr
from chronotile.pipeline.estimate import require_seconds
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services

Made = TypeVar("Made")

FILE_VERSION = "2"
"""Part of the ETag of every file. Raise it when the same coverage gives other numbers or another layout of the file."""
SMALLER = "request a smaller bbox, fewer times or coarser cells, or use GTiff, NetCDF or zarr"
TEXT_VALUE_S = 800e-9
"""Processor time to write a value as text."""


class CoverageFormat(NamedTuple):
    """A file format of coverages."""

    media_type: str
    extension: str
    encode: Callable[[Coverage, IsActive], Body]
    check: Callable[[Coverage, Limits], None] = lambda _coverage, _limits: None
    """Raises a ChronotileError, such as LimitExceeded, if the format cannot contain the coverage."""
    is_streamed: bool = False
    """Whether the file is made while it is sent, so that its size is unavailable in advance."""
    value_s: float = 20e-9
    """Processor time to write a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePayload(FilePayload):
    """A coverage as a file.

    Unless the format is streamed, the ETag contains a checksum of the file, since two workers may compress the same
    numbers differently.
    """

    grid: Grid
    times: TimeDomain
    is_cached_for_parts: bool = False
    """Whether the file is cached if a part of it is requested, so that it is not made again for each part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The part of a file that a client needs."""

    client_etags: Collection[str] = ()
    """ETags of answers that the client has; pixels are read only if none of them is current."""
    with_body: bool = True
    """Whether the body is sent. Without it, a streamed format has an empty body and nothing is read; other formats make
    the body for its size."""
    keep: bool = False
    """Whether requests for parts of the file are expected. The file is cached, unless incomplete or too large, and
    concurrent requests for it wait until it is made."""


WHOLE_FILE = Conditions()


def deliver_coverage(
    request: CoverageRequest,
    format_name: str,
    services: Services,
    *,
    formats: Mapping[str, CoverageFormat] | None = None,
    conditions: Conditions = WHOLE_FILE,
    is_active: IsActive = always_active,
) -> CoveragePayload:
    """Return a coverage as a file.

    All formats except Zarr are written to a scratch file before this returns; the file is deleted when its body is
    closed. A Zarr store is made while it is sent, after its first MiB, unless too many others are being sent.

    Args:
        request: Layers, area and times.
        format_name: One of `formats`.
        services: The services that read it.
        formats: Formats by the names that the protocol gives them; `None` for `COVERAGE_FORMATS`.
        conditions: The part of the file that the client needs.
        is_active: Whether the client still waits.

    Raises:
        UnsupportedFormat: The format does not exist, or cannot contain these numbers.
        LimitExceeded: The coverage is larger than `max_coverage_bytes` or than its format allows: CoverageJSON has at
            most `max_series_values` values, PNG `max_pixels` cells, GeoTIFF 65535 bands.
        StorageFull: The disk or its quota is full.
        SourceUnavailable: A source is unreachable, or none of the requested dates can be read.
        ClientGone: The client closed the connection.
        ChronotileError: Errors of `extract_coverage`.
    """
    formats = COVERAGE_FORMATS if formats is None else formats
    if format_name not in formats:
        raise UnsupportedFormat(f"f is one of {', '.join(formats)}, not {format_name[:40]!r}", locator="f")
    file_format = formats[format_name]

    def deliver() -> CoveragePayload:
        coverage = extract_coverage(request, services)
        described = (about(coverage), *map(field_attributes, coverage.fields))
        key = fingerprint(FILE_VERSION, SOFTWARE, format_name, coverage.etag, described)
        etag_of_client = _etag_of_client(key, conditions.client_etags)
        file_format.check(coverage, services.catalogue.limits)
        body: Body = StreamedBody(nothing for nothing in tuple[bytes, ...]())
        if etag_of_client is None and (conditions.with_body or not file_format.is_streamed):
            body = _file(key, coverage, file_format, services, keep=conditions.keep, is_active=is_active)
        missing = coverage.missing
        return CoveragePayload(
            media_type=file_format.media_type,
            etag=etag_of_client or _etag(key, body, file_format, missing),
            missing=missing,
            file_name=coverage_file_name(coverage, file_format.extension),
            grid=coverage.grid,
            times=coverage.times,
            time=TimeUsed(is_open=request.time.is_open and len(coverage.times) > 0),
            body=body,
            unchanged=etag_of_client is not None,
            is_cached_for_parts=_is_cacheable(body, file_format, missing, services),
        )

    return retry_if_files_change(deliver)


def _etag_of_client(key: str, client_etags: Collection[str]) -> str | None:
    """Return the ETag under which the client has the file, with any checksum; `None` if it does not have it."""
    if key in client_etags:
        return key
    return min((etag for etag in client_etags if etag.startswith(f"{key}-")), default=None)


def _etag(key: str, body: Body, file_format: CoverageFormat, missing: Missing) -> str:
    etag = etag_without(key, missing)
    if file_format.is_streamed or not isinstance(body, SizedBody):
        return etag
    return f"{etag}-{body.checksum()}"


def _is_cacheable(body: Body, file_format: CoverageFormat, missing: Missing, services: Services) -> bool:
    is_whole = not (file_format.is_streamed or missing)
    return is_whole and body.size is not None and services.caches.files.has_room_for(body.size)


def _file(
    key: str,
    coverage: ReadCoverage,
    file_format: CoverageFormat,
    services: Services,
    *,
    keep: bool,
    is_active: IsActive,
) -> Body:
    """Return a new file; if `keep` is set, possibly one that is cached or being made for another request."""

    def make() -> Body:
        small = services.caches.payloads.get(key)
        cached = services.caches.files.find(key) if small is None else BytesBody(small)
        return cached or _make_file(coverage, file_format, services, is_active=is_active)

    if not keep or file_format.is_streamed:
        return make()
    made_bodies = list[Body]()

    def make_and_keep() -> None:
        body = make()
        made_bodies.append(
            _cache_file(key, body, services) if _is_cacheable(body, file_format, coverage.missing, services) else body
        )

    services.caches.making.get_or_make(key, make_and_keep, is_active=is_active)
    return made_bodies[0] if made_bodies else make()


def _cache_file(key: str, body: Body, services: Services) -> Body:
    """Return the body in a cache: in memory if it is small and in memory already, else on disk."""
    caches = services.caches
    if not isinstance(body, ConcatenatedFiles | BytesBody):
        return body  # the body is in a cache: another request has put it there
    is_in_memory = isinstance(body, BytesBody) or body.is_in_memory
    if not (is_in_memory and caches.payloads.has_room_for(body.size)):
        with translate_storage_errors():
            return caches.files.keep(key, _move_to_disk(body, services))
    small = b"".join(body.iter_bytes())
    body.close()
    return BytesBody(caches.payloads.get_or_make(key, lambda: small))


def _move_to_disk(body: ConcatenatedFiles | BytesBody, services: Services) -> ConcatenatedFiles:
    """Return the body as a file that is completely on disk.

    Raises:
        StorageFull: The disk or its quota is full.
    """

    def move() -> ConcatenatedFiles:
        with translate_storage_errors():
            if isinstance(body, BytesBody):
                return store_parts(body.iter_bytes())
            body.move_to_disk()
            return body

    try:
        return _retry_with_room(move, services)
    except BaseException:  # in any case: an open file needs disk space and a descriptor
        body.close()
        raise


def _retry_with_room(make: Callable[[], Made], services: Services) -> Made:
    """Call `make`. If the disk is full, call it again without the cached files that are not being read.

    Raises:
        StorageFull: The disk is full without these files too.
    """
    try:
        return make()
    except StorageFull:
        if not services.caches.files.drop_idle():
            raise
    return make()


def _make_file(coverage: ReadCoverage, file_format: CoverageFormat, services: Services, *, is_active: IsActive) -> Body:
    """Wait for memory, then make the file.

    Raises:
        LimitExceeded: The estimate exceeds `max_seconds`.
    """
    values = len(coverage.fields) * times_of(coverage) * coverage.grid.width * coverage.grid.height
    seconds = coverage.reading_seconds() + values * file_format.value_s
    require_seconds(seconds, services, alternative=SMALLER, locator="bbox")
    size = _writing_bytes(coverage)
    with services.memory.taking(size, alternative=SMALLER, locator="bbox", is_active=is_active):
        return _retry_with_room(lambda: _body(coverage, file_format, is_active), services)


def _body(coverage: ReadCoverage, file_format: CoverageFormat, is_active: IsActive) -> Body:
    """Encode the file.

    Raises:
        DateUnreadable: None of the dates can be read.
        SourceChanged: Files were written while they were read.
    """
    with translate_storage_errors():
        body = file_format.encode(coverage, is_active)
    try:
        if body.size is None:  # the rest is read while it is sent, after the status is fixed
            coverage.close_dates()
        else:
            coverage.require_states()
        if coverage.missing.unreadable_times and all(
            len(unreadable.instants) == len(coverage.times) for unreadable in coverage.unreadable
        ):
            raise DateUnreadable(
                f"none of the requested dates of {coverage.collection.id} can be read; {REPLACE_FILES}"
            )
        if isinstance(body, SizedBody) and not file_format.is_streamed:
            with translate_storage_errors():
                body.checksum()
    except BaseException:  # in any case: an open file needs disk space and a descriptor
        body.close()
        raise
    return body


def _writing_bytes(coverage: ReadCoverage) -> int:
    """Return the approximate memory for one run: as it is read, with its missing values replaced, and encoded."""
    itemsize = max(np.dtype(field.encoding.dtype).itemsize for field in coverage.fields)
    values = len(coverage.fields) * times_of(coverage) * coverage.grid.width * coverage.grid.height
    return 3 * min(RUN_BYTES, values * itemsize)


def check_values(coverage: Coverage, limits: Limits, *, alternative: str = SMALLER) -> None:
    """Check that a document does not have too many values.

    Raises:
        LimitExceeded: There are more than `max_series_values`.
    """
    requested = len(coverage.fields) * times_of(coverage) * coverage.grid.width * coverage.grid.height
    require_at_most("max_series_values", requested, limits.max_series_values, alternative=alternative, locator="f")


def _check_picture(coverage: Coverage, limits: Limits) -> None:
    check_coverage_png(coverage)
    requested = coverage.grid.width * coverage.grid.height
    require_at_most("max_pixels", requested, limits.max_pixels, alternative=SMALLER, locator="f")


def coverage_file_name(coverage: Coverage, extension: str) -> str:
    """Return `collection_first_last.tif`, which consists of letters, digits, dots and dashes."""
    days = [format_day(instant) for instant in coverage.times.instants[[0, -1]]] if len(coverage.times) else []
    return "_".join([plain_name(coverage.collection.id), *dict.fromkeys(days)]) + f".{extension}"


COVERAGE_FORMATS: Mapping[str, CoverageFormat] = {
    "GTiff": CoverageFormat(
        GEOTIFF_TYPE,
        "tif",
        lambda coverage, is_active: coverage_geotiff(coverage, is_active=is_active),
        lambda coverage, _limits: check_coverage_geotiff(coverage),
    ),
    "NetCDF": CoverageFormat(
        "application/x-netcdf",
        "nc",
        lambda coverage, is_active: coverage_netcdf(coverage, is_active=is_active),
        lambda _coverage, _limits: require_extra("netcdf", "format NetCDF", locator="f"),
    ),
    "zarr": CoverageFormat(
        "application/zip",
        "zarr.zip",
        lambda coverage, is_active: stream_parts(iter_coverage_zarr(coverage, is_active=is_active)),
        is_streamed=True,
    ),
    "json": CoverageFormat(
        COVERAGE_JSON_TYPE,
        "covjson",
        lambda coverage, is_active: BytesBody(encode_coverage_covjson(coverage, is_active=is_active)),
        check_values,
        value_s=TEXT_VALUE_S,
    ),
    "png": CoverageFormat(
        str(MapFormat.PNG),
        "png",
        lambda coverage, is_active: BytesBody(encode_coverage_png(coverage, is_active=is_active)),
        _check_picture,
    ),
}
"""Formats by the value of the parameter `f`."""
