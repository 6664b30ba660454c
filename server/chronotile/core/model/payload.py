"""Payloads: encoded answers of operations, and the times and files that they were made from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.grid import Window
from chronotile.core.model.style import Colour
from chronotile.core.model.types import Float64Array, Instant, InstantArray, NumberArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeUsed:
    """Instants in an answer, and how they were derived from the requested times."""

    instants: tuple[Instant, ...] = ()
    """Newest first; empty for a layer without time."""
    substitution: str | None = None
    """`default` or `nearest` if the client did not request exactly these instants."""
    base: tuple[Instant, ...] = ()
    """Instants whose values were subtracted (differences), newest first."""
    base_substitution: str | None = None
    is_open: bool = False
    """Whether they were resolved from `latest`, `default`, no time or an open interval, so may change soon."""


@dataclass(frozen=True, slots=True)
class PixelStates:
    """Fingerprints of the pixels of a layer at some times."""

    texts: tuple[str, ...] = ()
    """By variable."""
    file_checks: int = field(default=0, compare=False)
    """Number of files and folders that were checked for the fingerprints."""
    windows: tuple[Window | None, ...] = ()
    """By variable: the relevant cells of a mosaic, `None` for all; empty: all cells of all variables."""
    is_provisional: bool = field(default=False, compare=False)
    """Whether equal fingerprints may stand for different pixels later or on another host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Dates and items that an answer lacks because they could not be read. False if nothing is missing."""

    unreadable_times: tuple[Instant, ...] = ()
    """Ascending. A layer without time has none."""
    skipped_items: tuple[str, ...] = ()
    """Ids, sorted, of items of mosaics that could not be read or do not have the variable."""
    unread_items: tuple[str, ...] = ()
    """The skipped items that have the variable: a later answer may contain their values."""
    note: str = ""
    """Sentence for the client about a substitute in the answer, such as outlines instead of pixels."""

    def __bool__(self) -> bool:
        return bool(self.unreadable_times or self.skipped_items or self.note)


NOTHING_MISSING = Missing()


def join_missing(parts: Iterable[Missing]) -> Missing:
    """Return the dates and items that any part lacks, with the first note."""
    parts = tuple(parts)
    return Missing(
        unreadable_times=tuple(sorted({instant for part in parts for instant in part.unreadable_times})),
        skipped_items=tuple(sorted({item for part in parts for item in part.skipped_items})),
        unread_items=tuple(sorted({item for part in parts for item in part.unread_items})),
        note=next((part.note for part in parts if part.note), ""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """An encoded answer without its body."""

    media_type: str
    etag: str
    """Strong validator without quotes, made of the resolved target, its fingerprints and the encoder version."""
    time: TimeUsed = TimeUsed()
    unchanged: bool = False
    """Whether the client has this answer already. The body is empty then, and nothing was read."""
    missing: Missing = NOTHING_MISSING
    """An answer that lacks something may be cached for a short time only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload(AnswerHead):
    """An encoded answer."""

    body: bytes
    layer_times: tuple[TimeUsed, ...] = ()
    """Times of each layer, for an answer about several layers."""
    timing: tuple[tuple[str, float], ...] = ()
    """Steps with their duration in seconds."""
    revision: str = ""
    """Version of the data in the answer; empty if it is not published."""
    states: PixelStates = PixelStates()
    """Fingerprints of the files that the answer was made from; empty if they are not published."""

    @property
    def times(self) -> tuple[TimeUsed, ...]:
        """The times of each layer."""
        return self.layer_times or (self.time,)


def join_layer_times(times: Sequence[TimeUsed]) -> TimeUsed:
    """Return the union of the instants of several layers; a single `TimeUsed` is returned unchanged."""
    if len(times) == 1:
        return times[0]
    instants = tuple(sorted({instant for used in times for instant in used.instants}, reverse=True))
    return TimeUsed(instants=instants, is_open=any(used.is_open for used in times))


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedDocument:
    """A cached document in plain and compressed form."""

    body: bytes
    gzipped: bytes
    etag: str
    """Strong validator without quotes, made of the content."""

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in a cache."""
        return len(self.body) + len(self.gzipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSeries:
    """Values of one variable along time, in the native cell that contains a point."""

    variable: str
    units: str
    centre: tuple[float, float]
    """Longitude and latitude of the cell's centre."""
    numbers: NumberArray
    """(time,): digital numbers of the source."""
    values: Float64Array
    """(time,), NaN if missing."""
    encoding: Encoding | None
    """Encoding that determines the text of the values; `None` for differences."""
    reasons: tuple[str | None, ...]
    """(time,): why a value is missing; `None` for values."""
    labels: tuple[str | None, ...]
    """(time,): label of the class or flag."""
    dates: int | None = None
    """Number of dates that the anomaly of a period is made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """Values of a layer at a point; a composite has three variables."""

    layer: str
    """Requested name of the layer."""
    title: str
    style: str
    """Id of the style of the colours."""
    longitude: float
    latitude: float
    """The requested point in CRS84."""
    times: InstantArray
    """(time,), ascending; not a time (NaT) for the single value of a layer without time."""
    is_series: bool
    """Whether a list or an interval was requested, even with one time, or the request has several times."""
    cells: tuple[CellSeries, ...]
    """One per variable; empty if the point is outside the layer."""
    colours: tuple[Colour, ...]
    """(time,): colour of the cell in a picture at native zoom; empty outside the layer."""
