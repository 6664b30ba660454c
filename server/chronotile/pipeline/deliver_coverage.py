"""Give me these numbers as a file."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from os import strerror
from typing import NamedTuple

import numpy as np

from chronotile.catalog.catalogue import Limits
from chronotile.encoders.coverage_about import SOFTWARE, about, told_of_field
from chronotile.encoders.coverage_covjson import encode_coverage_covjson
from chronotile.encoders.coverage_geotiff import check_coverage_geotiff, coverage_geotiff
from chronotile.encoders.coverage_netcdf import coverage_netcdf
from chronotile.encoders.coverage_png import check_coverage_png, encode_coverage_png
from chronotile.encoders.coverage_strips import times_of
from chronotile.encoders.coverage_zarr import coverage_zarr_pieces
from chronotile.encoders.file_parts import Body, FileParts, Streamed, Whole, streamed
from chronotile.errors import DateUnreadable, LimitExceeded, StorageFull, UnsupportedFormat
from chronotile.model.coverage import PIECE_BYTES, Coverage, CoverageRequest
from chronotile.model.grid import Grid
from chronotile.model.time import Instant, TimeDomain, format_day
from chronotile.model.wanted import IsWanted, always_wanted
from chronotile.pipeline.coverage_reading import ReadCoverage
from chronotile.pipeline.extract_coverage import extract_coverage
from chronotile.pipeline.one_state import again_if_changed
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import etag_without

FILE_VERSION = "2"
"""Part of every file's ETag: raise it when the same coverage gives other bytes."""
SMALLER = "ask for a smaller bbox, fewer times or coarser cells, or for GTiff, NetCDF or zarr"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def _any_size(_coverage: Coverage, _limits: Limits) -> None:
    """Let pass what the limit of all coverages lets."""


class CoverageFormat(NamedTuple):
    """One way to write a coverage."""

    media_type: str
    extension: str
    encode: Callable[[Coverage, IsWanted], Body]
    check: Callable[[Coverage, Limits], None] = _any_size
    """Raises ChronotileError, such as LimitExceeded, if there is no room for it."""
    is_streamed: bool = False
    """Whether it is made while it is sent, so that its size is not known before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageDelivery:
    """A file that is ready to be sent."""

    media_type: str
    etag: str
    """Strong validator without quotes, made of the resolved target and the format."""
    file_name: str
    grid: Grid
    times: TimeDomain
    is_open: bool
    """Whether the times may be others soon (`TimeSelection.is_open`)."""
    body: Body
    """To be closed by who takes it, whether all of it was sent or not."""
    unchanged: bool = False
    """The client holds this answer already: the body is empty, nothing was read."""
    unreadable: tuple[Instant, ...] = ()
    """Ascending: dates that have no values at some cells, since those could not be read."""


def deliver_coverage(  # noqa: PLR0913 -- all that a file is made of
    request: CoverageRequest,
    format_name: str,
    services: Services,
    *,
    formats: Mapping[str, CoverageFormat] | None = None,
    known: Collection[str] = (),
    with_body: bool = True,
    keep: bool = False,
    is_wanted: IsWanted = always_wanted,
) -> CoverageDelivery:
    """Return the coverage that `request` asks for as a file.

    All but Zarr is written before this returns, into a file without a name that is gone with its body; of Zarr the
    first MiB is, and the rest is made while it is sent, unless too many others are made so already.

    Args:
        request: Of what, where and when.
        format_name: One of `formats`.
        services: What to read it with.
        formats: By the names that protocols give them; `COVERAGE_FORMATS` unless there are others.
        known: ETags of answers that the client holds; one that still holds is answered without reading pixels.
        with_body: Otherwise it is empty where the format is streamed, and nothing is read: of other formats the body is
            made for its size.
        keep: Whether requests for parts of the same file are to be expected: then it is not made anew for each.
        is_wanted: Whether somebody still waits.

    Raises:
        UnsupportedFormat: There is no such format, or it has no room for such numbers.
        LimitExceeded: It is larger than `max_coverage_bytes`, or than the format may be: CoverageJSON has at most
            `max_series_values` values, PNG `max_pixels` cells, GeoTIFF 65535 bands.
        StorageFull: There is no room to write it.
        SourceUnavailable: A source is away, or no date that is asked for can be read.
        ClientGone: Nobody waits any more.
        ChronotileError: As `extract_coverage`.
    """
    offered = COVERAGE_FORMATS if formats is None else formats
    written = offered.get(format_name)
    if written is None:
        raise UnsupportedFormat(f"f is one of {', '.join(offered)}, not {format_name[:40]!r}", locator="f")

    def deliver() -> CoverageDelivery:
        coverage = extract_coverage(request, services)
        told = (about(coverage), *map(told_of_field, coverage.fields))
        etag = fingerprint(FILE_VERSION, SOFTWARE, format_name, coverage.etag, told)
        is_known = etag in known
        written.check(coverage, services.catalogue.limits)
        body: Body = Streamed(nothing for nothing in tuple[bytes, ...]())
        if not is_known and (with_body or not written.is_streamed):
            found = _found(etag, services)
            body = found or _made(coverage, written, services, is_wanted=is_wanted)
            if found is None and keep and not coverage.unreadable:
                body = _kept(etag, body, services)
        return CoverageDelivery(
            media_type=written.media_type,
            etag=etag_without(etag, coverage.unreadable),
            unreadable=coverage.unreadable,
            file_name=coverage_file_name(coverage, written.extension),
            grid=coverage.grid,
            times=coverage.times,
            is_open=request.time.is_open and len(coverage.times) > 0,
            body=body,
            unchanged=is_known,
        )

    return again_if_changed(deliver)


def _found(etag: str, services: Services) -> Body | None:
    """The file, where it was kept."""
    small = services.caches.payloads.kept(etag)
    return services.caches.files.find(etag) if small is None else Whole(small)


def _kept(etag: str, body: Body, services: Services) -> Body:
    """The same file, kept in memory or on the disk as it lies there; one that is made while it is sent is not."""
    if isinstance(body, FileParts) and not body.is_in_memory:
        return services.caches.files.keep(etag, body)
    if isinstance(body, FileParts | Whole):
        with closing(body):
            small = b"".join(body.pieces())
        return Whole(services.caches.payloads.get_or_make(etag, lambda: small))
    return body


def _made(coverage: ReadCoverage, written: CoverageFormat, services: Services, *, is_wanted: IsWanted) -> Body:
    """The file, as soon as there is memory to write it."""
    size = _writing_bytes(coverage)
    with services.memory.taking(size, alternative=SMALLER, locator="bbox", is_wanted=is_wanted):
        return _body(coverage, written, is_wanted)


def _body(coverage: ReadCoverage, written: CoverageFormat, is_wanted: IsWanted) -> Body:
    """The file.

    Raises:
        DateUnreadable: No date can be read.
        SourceChanged: Files were written meanwhile.
    """
    with storing():
        body = written.encode(coverage, is_wanted)
    try:
        if body.size is None:  # the rest is read while it is sent, when nothing can be told any more
            coverage.close_dates()
        else:
            coverage.require_states()
        if coverage.unreadable and all(len(each.instants) == len(coverage.times) for each in coverage.found):
            raise DateUnreadable(f"none of the dates of {coverage.collection.id} that are asked for can be read now")
    except BaseException:
        body.close()
        raise
    return body


def _writing_bytes(coverage: ReadCoverage) -> int:
    """What it takes to write a file of many pieces, about: one as it is read, as it is meant and as it is encoded."""
    itemsize = max(np.dtype(each.encoding.dtype).itemsize for each in coverage.fields)
    values = len(coverage.fields) * times_of(coverage) * coverage.grid.width * coverage.grid.height
    return 3 * min(PIECE_BYTES, values * itemsize)


def check_values(coverage: Coverage, limits: Limits, *, alternative: str = SMALLER) -> None:
    """Refuse more values than a document may have.

    Raises:
        LimitExceeded: They are more than `max_series_values`.
    """
    asked = len(coverage.fields) * times_of(coverage) * coverage.grid.width * coverage.grid.height
    if asked > limits.max_series_values:
        raise LimitExceeded(
            "max_series_values",
            allowed=limits.max_series_values,
            asked=asked,
            alternative=alternative,
            locator="f",
        )


def _check_picture(coverage: Coverage, limits: Limits) -> None:
    check_coverage_png(coverage)
    asked = coverage.grid.width * coverage.grid.height
    if asked > limits.max_pixels:
        raise LimitExceeded(
            "max_pixels",
            allowed=limits.max_pixels,
            asked=asked,
            alternative=SMALLER,
            locator="f",
        )


@contextmanager
def storing() -> Iterator[None]:
    """Say that a file could not be written; readers have words of their own for what cannot be read."""
    try:
        yield
    except OSError as error:
        reason = strerror(error.errno) if error.errno else "the disk fails"
        raise StorageFull(f"there is no room to write the file: {reason}; ask for less, or later") from error


def coverage_file_name(coverage: Coverage, extension: str) -> str:
    """Return `collection_first_last.tif`, of letters, digits, dots and dashes alone."""
    days = [format_day(instant) for instant in coverage.times.instants[[0, -1]]] if len(coverage.times) else []
    return "_".join([_UNSAFE.sub("-", coverage.collection.id), *dict.fromkeys(days)]) + f".{extension}"


COVERAGE_FORMATS: Mapping[str, CoverageFormat] = {
    "GTiff": CoverageFormat(
        "image/tiff; application=geotiff",
        "tif",
        lambda coverage, wanted: coverage_geotiff(coverage, is_wanted=wanted),
        lambda coverage, _limits: check_coverage_geotiff(coverage),
    ),
    "NetCDF": CoverageFormat(
        "application/x-netcdf", "nc", lambda coverage, wanted: coverage_netcdf(coverage, is_wanted=wanted)
    ),
    "zarr": CoverageFormat(
        "application/zip",
        "zarr.zip",
        lambda coverage, wanted: streamed(coverage_zarr_pieces(coverage, is_wanted=wanted)),
        is_streamed=True,
    ),
    "json": CoverageFormat(
        "application/prs.coverage+json",
        "covjson",
        lambda coverage, wanted: Whole(encode_coverage_covjson(coverage, is_wanted=wanted)),
        check_values,
    ),
    "png": CoverageFormat(
        "image/png",
        "png",
        lambda coverage, wanted: Whole(encode_coverage_png(coverage, is_wanted=wanted)),
        _check_picture,
    ),
}
"""By the name that `f` gives them."""
