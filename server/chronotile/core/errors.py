"""Every error the server words to a client; each protocol's `faults.py` turns them into its own document."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import ClassVar

MAX_SHOWN = 60
"""Characters of a client's text that a message repeats."""


class ChronotileError(Exception):
    """Base class; `status` is the default HTTP status, which a protocol's `faults.py` may replace.

    `problem_type` and `problem_title` are those of its problem document (RFC 9457); without a title it is the status's.

    Args:
        message: One line: what was wrong, the given value, and what is accepted.
        locator: The parameter at fault, in the core's words (`layer`, `time`, `bbox`) or as the protocol spells it.
    """

    status = 500
    code = "NoApplicableCode"
    problem_type = "about:blank"
    problem_title: str | None = None
    is_logged = False
    """Whether the log has it already, and needs no line for each request that meets it."""

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
    """The catalogue of others in which a collection lies cannot do what a search needs."""


class OutsideData(InvalidParameter):
    """The requested area or time holds none of the data."""


class UnknownParameter(InvalidParameter):
    """There is no such parameter here, but another of nearly that name or meaning; `locator` is as it was written."""


class MissingParameter(ChronotileError, status=400, code="MissingParameterValue"):
    """A parameter that must be there is absent or empty."""


class UnknownPath(ChronotileError, status=404, code="NotFound"):
    """A segment of the path names nothing."""


class NoFiles(UnknownPath):
    """An item has no files that could be delivered; its numbers are to be had in other ways.

    Args:
        collection: Its collection.
        item: Its id.
        when: Its time, as RFC 3339 has it; empty if it is not known.
    """

    def __init__(self, message: str, *, collection: str, item: str, when: str) -> None:
        super().__init__(message)
        self.collection = collection
        self.item = item
        self.when = when


class StateGone(ChronotileError, status=410, code="NotFound"):
    """What is named belongs to a state that is no longer served; clients of Zarr stores take 404 for missing values."""


class UnknownLayer(ChronotileError, status=404, code="LayerNotDefined"):
    """No layer or alias has this name."""


class UnknownCollection(ChronotileError, status=404, code="NotFound"):
    """No collection or layer has this name."""


class UnknownItem(ChronotileError, status=404, code="NotFound"):
    """No item of a collection, and no product, has this id."""


class ItemExists(ChronotileError, status=409, code="Conflict"):
    """A collection has an item of this id already, which is not to be replaced."""


class ItemChanged(ChronotileError, status=409, code="Conflict"):
    """An item was changed by others while a change of it was made."""


class CursorExpired(ChronotileError, status=410, code="CursorExpired"):
    """What was removed since this state is not known any more."""


class UnknownPlace(ChronotileError, status=404, code="NotFound"):
    """No set of places, or no place in it, has this name."""


class UnknownStyle(ChronotileError, status=400, code="StyleNotDefined"):
    """The layer has no style of this name."""


class UnsupportedCrs(ChronotileError, status=400, code="InvalidCRS"):
    """The coordinate reference system is not one of those offered."""


class AccessRefused(ChronotileError, status=403, code="AccessRefused"):
    """Pages of that origin, or under that name of the host, may not do this."""


class Unauthenticated(ChronotileError, status=401, code="Unauthenticated"):
    """The request does not show who may make it (RFC 9110 §15.5.2)."""


class UnsupportedFormat(ChronotileError, status=400, code="InvalidFormat"):
    """The format is not one of those offered."""


class NotAcceptable(ChronotileError, status=406, code="NotAcceptable"):
    """The client takes none of the media types offered (RFC 9110 §15.5.7)."""


class LayerNotQueryable(ChronotileError, status=400, code="LayerNotQueryable"):
    """The layer shows pictures, but has no values at places."""


class InvalidPoint(ChronotileError, status=400, code="InvalidPoint"):
    """The queried point of a picture lies outside it, or is none."""


class UnknownTileMatrixSet(ChronotileError, status=404, code="InvalidParameterValue"):
    """No tile matrix set, or no tile matrix in it, has this name."""


class PixelOutOfRange(ChronotileError, status=400, code="PointIJOutOfRange"):
    """The queried pixel of a tile lies outside it."""


class TileOutOfRange(ChronotileError, status=404, code="TileOutOfRange"):
    """The tile row or column lies outside its tile matrix."""


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
    """None of the versions that a client accepts is spoken here (OWS Common 1.1 §7.3.2)."""


class CurrentUpdateSequence(ChronotileError, status=400, code="CurrentUpdateSequence"):
    """The client holds the document that is current (WMS 1.3.0 §7.2.3.5)."""


class InvalidUpdateSequence(ChronotileError, status=400, code="InvalidUpdateSequence"):
    """The client holds a document that is newer than the current one."""


class OperationNotSupported(ChronotileError, status=501, code="OperationNotSupported"):
    """The operation belongs to the standard but is not offered here."""


class MissingExtra(OperationNotSupported):
    """The server lacks an optional library that the request needs; the message names the extra that brings it."""


class LimitExceeded(ChronotileError, status=400, code="limit-exceeded"):
    """The answer would be larger than a configured limit.

    Args:
        limit: Name of the limit as in the configuration, e.g. `max_pixels`.
        allowed: Its value.
        needed: What the request would take.
        alternative: The cheaper way to ask.
        what: What `needed` is.
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
    """Raise `LimitExceeded`, with all that is given here, if more is needed than is allowed."""
    if needed > allowed:
        raise LimitExceeded(limit, allowed=allowed, needed=needed, alternative=alternative, locator=locator)


@contextmanager
def translate_error(
    found: type[ChronotileError], error: type[ChronotileError], *, locator: str | None
) -> Generator[None]:
    """Raise an error with the message of another one that comes up."""
    try:
        yield
    except found as cause:
        raise error(cause.message, locator=locator) from cause


@contextmanager
def raised_instead(found: type[Exception] | tuple[type[Exception], ...], error: Exception) -> Generator[None]:
    """Raise an error in place of others that come up."""
    try:
        yield
    except found as cause:
        raise error from cause


class RangeNotSatisfiable(ChronotileError, status=416, code="RangeNotSatisfiable"):
    """The answer does not have the requested bytes (RFC 9110 §15.5.17).

    Args:
        size: Of the whole answer, in bytes.
    """

    def __init__(self, message: str, *, size: int) -> None:
        super().__init__(message, locator="Range")
        self.size = size


LOG_SAYS_WHY = "see the server's log"
"""Where errors say no more, as what they would say is of this machine."""


REPLACE_FILES = "the operator of this server has to replace the files that its log names"
"""In errors about damaged or missing files, which do not heal."""


class SourceUnavailable(ChronotileError, status=503):
    """A source that should be readable is not: gone, damaged, or out of reach."""


class DateUnreadable(SourceUnavailable):
    """At least one date of those requested is damaged or gone, while its source is there; others may be read."""


class SourceAway(SourceUnavailable):
    """A source is unreachable; this was logged when it was noticed."""


class IndexIncomplete(SourceUnavailable):
    """The items of a collection are still being read for the first time; the log reports progress."""


class Overtaken(Exception):
    """The inputs of some work were replaced while it ran; the work starts again (`pipeline.retries`)."""

    max_retries: ClassVar[int] = 100
    """Maximum number of further attempts."""

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
    """Two, because reading notices replaced files separately for each layer."""


class ServerBusy(ChronotileError, status=503):
    """More requests wait than the server will answer in good time."""


class TooManyDownloads(ChronotileError, status=429):
    """A client downloads as much at once as it may, or all clients together do (RFC 6585 §4)."""


class TooManyTries(ChronotileError, status=429):
    """Too many wrong tokens came from one address (RFC 6585 §4)."""


class QuotaExceeded(ChronotileError, status=429):
    """A user has taken what there is for a day (the problem type is that of draft-ietf-httpapi-ratelimit-headers).

    Args:
        retry_s: Until the next day.
    """

    problem_type = "https://iana.org/assignments/http-problem-types#quota-exceeded"
    problem_title = "Quota exceeded"

    def __init__(self, message: str, *, retry_s: int) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class StorageFull(ChronotileError, status=503):
    """There is no room for an answer that is written before it is sent."""


class ClientGone(ChronotileError, status=499):
    """The client has left; the status is only ever logged."""

    problem_title = "Nobody waits"  # a status that HTTP has no words for


class UnsupportedSource(ChronotileError):
    """A file or store cannot be served; the message gives the reason in one line."""


class VariableLacking(UnsupportedSource):
    """An item of a mosaic does not have a variable: it has no value there, and trying again gives no other answer."""


class TooManyPieces(LimitExceeded):
    """A picture would open more items than its collection allows.

    Args:
        boxes: Of the items, in longitude and latitude: west, south, east, north; west > east across the antimeridian.
        allowed: The limit.
        may_be_outlined: Whether a picture of their outlines may be given in place of the error.
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
    """An address inside an item or document is not opened; the message gives the reason.

    Args:
        prefix: What the operator would have to allow; empty: nothing allows it.
    """

    def __init__(self, message: str, *, prefix: str = "") -> None:
        super().__init__(message)
        self.prefix = prefix


class ConfigurationError(ChronotileError):
    """The configuration has mistakes.

    Args:
        mistakes: All of them, each one line with file, line, key and remedy.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class WriteFailed(ChronotileError):
    """A file could not be written; what was there before is still whole."""
