"""Errors that are reported to clients; the `faults.py` of each protocol writes them as its documents."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import ClassVar

MAX_SHOWN = 60
"""Maximum length of a client's text in messages."""


class ChronotileError(Exception):
    """Base class; `status` is the default HTTP status, which a protocol's `faults.py` may replace.

    `problem_type` and `problem_title` are for its problem document (RFC 9457); the default title belongs to the status.

    Args:
        message: One line: what was wrong, the given value, and what is accepted.
        locator: The parameter at fault, in the words of core (`layer`, `time`, `bbox`) or in the protocol's spelling.
    """

    status = 500
    code = "NoApplicableCode"
    problem_type = "about:blank"
    problem_title: str | None = None
    is_logged = False
    """Whether it is logged already, so that requests do not log it again."""

    def __init_subclass__(cls, *, status: int | None = None, code: str | None = None) -> None:
        super().__init_subclass__()
        if status is not None:
            cls.status = status
        if code is not None:
            cls.code = code

    def __init__(self, message: str, *, locator: str | None = None) -> None:
        super().__init__(message)
        self.locator = locator

    @property
    def message(self) -> str:
        """The sentence for the client."""
        return str(self.args[0])


class InvalidParameter(ChronotileError, status=400, code="InvalidParameterValue"):
    """A parameter has a value that is not accepted."""


class SearchNotSupported(InvalidParameter):
    """The remote catalogue of a collection does not support a part of a search."""


class OutsideData(InvalidParameter):
    """The requested area or time has no data."""


class UnknownParameter(InvalidParameter):
    """The name of a parameter or member does not exist here; `locator` is the name in the request."""


class MissingParameter(ChronotileError, status=400, code="MissingParameterValue"):
    """A required parameter is missing or empty."""


class UnknownPath(ChronotileError, status=404, code="NotFound"):
    """A segment of the path does not exist."""


class NoFiles(UnknownPath):
    """An item has no files to deliver; its values are available in other ways.

    Args:
        collection: Id of the collection.
        when: Time of the item in RFC 3339; empty if unknown.
    """

    def __init__(self, message: str, *, collection: str, when: str) -> None:
        super().__init__(message)
        self.collection = collection
        self.when = when


class StateGone(ChronotileError, status=410, code="NotFound"):
    """The path belongs to data that are no longer served; clients of Zarr stores would take 404 for missing values."""


class UnknownLayer(ChronotileError, status=404, code="LayerNotDefined"):
    """No layer or alias has this name."""


class UnknownCollection(ChronotileError, status=404, code="NotFound"):
    """No collection or layer has this name."""


class UnknownItem(ChronotileError, status=404, code="NotFound"):
    """No item of a collection, and no product, has this id."""


class ItemExists(ChronotileError, status=409, code="Conflict"):
    """The collection has an item with this id, which must not be replaced."""


class ItemChanged(ChronotileError, status=409, code="Conflict"):
    """Another client changed the item after it was read for this change."""


class CursorExpired(ChronotileError, status=410, code="CursorExpired"):
    """The removals since this cursor are no longer stored."""


class UnknownPlace(ChronotileError, status=404, code="NotFound"):
    """No set of places, or no place in it, has this name."""


class UnknownStyle(ChronotileError, status=400, code="StyleNotDefined"):
    """The layer has no style of this name."""


class UnsupportedCrs(ChronotileError, status=400, code="InvalidCRS"):
    """The coordinate reference system is not offered."""


class AccessRefused(ChronotileError, status=403, code="AccessRefused"):
    """Pages of this origin, or with this host name, may not do this."""


class Unauthenticated(ChronotileError, status=401, code="Unauthenticated"):
    """The request has no valid credential (RFC 9110 §15.5.2)."""


class UnsupportedFormat(ChronotileError, status=400, code="InvalidFormat"):
    """The format is not offered."""


class NotAcceptable(ChronotileError, status=406, code="NotAcceptable"):
    """The client accepts no media type that is offered (RFC 9110 §15.5.7)."""


class LayerNotQueryable(ChronotileError, status=400, code="LayerNotQueryable"):
    """The layer has pictures, but no values at points."""


class InvalidPoint(ChronotileError, status=400, code="InvalidPoint"):
    """The queried point is outside the picture, or not valid."""


class UnknownTileMatrixSet(ChronotileError, status=404, code="InvalidParameterValue"):
    """No tile matrix set, or no tile matrix in it, has this name."""


class PixelOutOfRange(ChronotileError, status=400, code="PointIJOutOfRange"):
    """The queried pixel is outside the tile."""


class TileOutOfRange(ChronotileError, status=404, code="TileOutOfRange"):
    """The row or column is outside the tile matrix."""


class MissingTime(ChronotileError, status=400, code="MissingDimensionValue"):
    """The layer has no default time and the request names none."""


class TimeNotAvailable(ChronotileError, status=404, code="InvalidDimensionValue"):
    """The layer has no data at the requested time and may not substitute another.

    Args:
        nearest: The nearest available instants as text, for clients that can go there.
    """

    def __init__(self, message: str, *, locator: str | None = "time", nearest: Sequence[str] = ()) -> None:
        super().__init__(message, locator=locator)
        self.nearest = tuple(nearest)


class VersionNegotiationFailed(ChronotileError, status=400, code="VersionNegotiationFailed"):
    """The server supports no version that the client accepts (OWS Common 1.1 §7.3.2)."""


class CurrentUpdateSequence(ChronotileError, status=400, code="CurrentUpdateSequence"):
    """The client has the current document (WMS 1.3.0 §7.2.3.5)."""


class InvalidUpdateSequence(ChronotileError, status=400, code="InvalidUpdateSequence"):
    """The client has a newer document than the current one."""


class OperationNotSupported(ChronotileError, status=501, code="OperationNotSupported"):
    """The operation belongs to the standard but is not offered here."""


class MissingExtra(OperationNotSupported):
    """The server lacks an optional library for the request; the message names its extra."""


class LimitExceeded(ChronotileError, status=400, code="limit-exceeded"):
    """The answer would be larger than a configured limit.

    Args:
        limit: Name of the limit as in the configuration, e.g. `max_pixels`.
        allowed: Its value.
        needed: Value for the request.
        alternative: A cheaper request.
        what: Word after `needed`.
    """

    problem_type = "limit-exceeded"
    problem_title: str = "Limit exceeded"

    def __init__(
        self,
        limit: str,
        *,
        allowed: float,
        needed: float,
        alternative: str,
        locator: str | None = None,
        what: str = "requested",
    ) -> None:
        super().__init__(f"{limit}: at most {allowed}, {needed} {what}; {alternative}", locator=locator)
        self.limit = limit
        self.allowed = allowed
        self.needed = needed
        self.alternative = alternative


def require_at_most(limit: str, needed: int, allowed: int, *, alternative: str, locator: str | None = None) -> None:
    """Raise `LimitExceeded` if more is needed than allowed."""
    if needed > allowed:
        raise LimitExceeded(limit, allowed=allowed, needed=needed, alternative=alternative, locator=locator)


@contextmanager
def translate_error(
    caught: type[ChronotileError], error: type[ChronotileError], *, locator: str | None
) -> Generator[None]:
    """Raise an error with the message of a caught error."""
    try:
        yield
    except caught as cause:
        raise error(cause.message, locator=locator) from cause


@contextmanager
def raised_instead(caught: type[Exception] | tuple[type[Exception], ...], error: Exception) -> Generator[None]:
    """Raise an error instead of caught errors."""
    try:
        yield
    except caught as cause:
        raise error from cause


class RangeNotSatisfiable(ChronotileError, status=416, code="RangeNotSatisfiable"):
    """The answer does not have the requested bytes (RFC 9110 §15.5.17).

    Args:
        size: Bytes of the whole answer.
    """

    def __init__(self, message: str, *, size: int) -> None:
        super().__init__(message, locator="Range")
        self.size = size


LOG_SAYS_WHY = "see the server's log"
"""End of messages without details, because the details are about this machine."""


REPLACE_FILES = "the operator of this server has to replace the files that its log names"
"""End of messages about damaged or missing files, which do not become available again."""


class SourceUnavailable(ChronotileError, status=503):
    """A source cannot be read: it is missing, damaged or unreachable."""


class DateUnreadable(SourceUnavailable):
    """At least one requested date is damaged or missing; its source exists, and other dates may be readable."""


class SourceAway(SourceUnavailable):
    """A source is unreachable; this was logged when it was noticed."""


class CollectionUnopened(SourceAway):
    """A collection could not be opened, such as one without items in the index.

    Args:
        collection: Its id.
    """

    def __init__(self, message: str, *, collection: str) -> None:
        super().__init__(message)
        self.collection = collection


class IndexIncomplete(SourceUnavailable):
    """The items of a collection are still being read for the first time; the log reports progress."""


class Overtaken(Exception):
    """The inputs of some work were replaced while it ran; the work starts again (`pipeline.retries`)."""

    max_retries: ClassVar[int] = 100
    """Maximum number of times that one piece of work is started again after this error."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """Descriptions of facts that the work lacked; a second retry for the same fact is useless."""
        return ()


class ServicesRenewed(Overtaken):
    """The services were replaced while a request ran. The request runs again, so clients never see this error."""


class SourceChanged(SourceUnavailable, Overtaken):
    """Files were written while they were read, so the values may be from two versions."""

    max_retries = 1


class PlanStale(SourceUnavailable, Overtaken):
    """Reading found another encoding of a file than the plan assumed; the work must be planned again."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """The file, in words."""
        return (self.message,)


class PlanOutdated(SourceUnavailable, Overtaken):
    """The sources of a job changed after it was planned; an attempt with the same plan is useless."""

    max_retries = 2
    """Two, because the replaced files of each layer are noticed separately, when they are read."""


class ServerBusy(ChronotileError, status=503):
    """Too many requests wait to be answered in time."""


class TooManyDownloads(ChronotileError, status=429):
    """Too many concurrent downloads of a client, or of all clients (RFC 6585 §4)."""


class TooManyTries(ChronotileError, status=429):
    """Too many wrong tokens came from one address (RFC 6585 §4).

    Args:
        retry_s: Seconds until a wrong token is accepted again.
    """

    def __init__(self, message: str, *, retry_s: int) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class QuotaExceeded(ChronotileError, status=429):
    """A user has exhausted the quota of a day (problem type of draft-ietf-httpapi-ratelimit-headers).

    Args:
        retry_s: Seconds until the next day.
    """

    problem_type = "https://iana.org/assignments/http-problem-types#quota-exceeded"
    problem_title = "Quota exceeded"

    def __init__(self, message: str, *, retry_s: int) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class StorageFull(ChronotileError, status=503):
    """No disk space is left for an answer, a database or files of a job."""


class ClientGone(ChronotileError, status=499):
    """The client disconnected; the status is only logged."""

    problem_title = "Nobody waits"  # a status that HTTP does not define


class UnsupportedSource(ChronotileError):
    """A file or store cannot be served; the message gives the reason in one line."""


class SeveralGroups(UnsupportedSource):
    """Several groups of a file or store have rasters, and the configuration selects none.

    Args:
        message: The problem and the remedy.
        groups: Paths of the groups.
    """

    def __init__(self, message: str, groups: Sequence[str]) -> None:
        super().__init__(message)
        self.groups = tuple(groups)


class VariableLacking(UnsupportedSource):
    """An item of a mosaic does not have a variable. It has no value there, and a retry gives the same answer."""


class TooManyPieces(LimitExceeded):
    """A picture would open more items than its collection allows.

    Args:
        boxes: Boxes of the items in degrees: west, south, east, north; west > east across the antimeridian.
        allowed: The limit.
        may_be_outlined: Whether a picture of the outlines may replace the error.
    """

    def __init__(
        self, boxes: Sequence[tuple[float, float, float, float]], *, allowed: int, may_be_outlined: bool
    ) -> None:
        super().__init__(
            "max_pieces",
            allowed=allowed,
            needed=len(boxes),
            alternative="request a smaller area or finer pixels, or wait until its overviews are made",
            locator="bbox",
        )
        self.boxes = tuple(boxes)
        self.may_be_outlined = may_be_outlined


class InvalidItem(ChronotileError, status=400, code="InvalidParameterValue"):
    """A STAC item cannot be served; the message gives the reason in one line."""


class AddressRefused(UnsupportedSource):
    """An address in an item or document is not allowed; the message gives the reason.

    Args:
        prefix: Prefix that the operator would have to allow; empty: it cannot be allowed.
    """

    def __init__(self, message: str, *, prefix: str = "") -> None:
        super().__init__(message)
        self.prefix = prefix


class ConfigurationError(ChronotileError):
    """The configuration has mistakes.

    Args:
        mistakes: One line per mistake, with file, line, key and remedy.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class WriteFailed(ChronotileError):
    """A file could not be written; the previous file is still complete."""
