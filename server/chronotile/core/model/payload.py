"""Payloads: encoded answers of operations, and the times and files that they were made from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.grid import Window
from chronotile.core.model.style import Colour
from chronotile.core.model.types import Float64Array, Instant, InstantArray, NumberArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeUsed:
    """The instants an answer shows, and how they came from the requested times."""

    instants: tuple[Instant, ...] = ()
    """Newest first; empty for a layer without time."""
    substitution: str | None = None
    """`default` or `nearest` where the client did not name the instant itself."""
    base: tuple[Instant, ...] = ()
    """Of a difference, the instants whose values were taken away, newest first."""
    base_substitution: str | None = None
    is_open: bool = False
    """Whether they were resolved from `latest`, `default`, no time or an open interval, and may be others soon."""


@dataclass(frozen=True, slots=True)
class PixelStates:
    """The states of the pixels of a layer at some times."""

    texts: tuple[str, ...] = ()
    """By variable."""
    looks: int = field(default=0, compare=False)
    """Files and folders that were looked at to find them."""
    windows: tuple[Window | None, ...] = ()
    """By variable: the cells that count, of a mosaic; all of them where there are none."""
    is_provisional: bool = field(default=False, compare=False)
    """Whether the same states give other pixels later, or at another host."""


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
    """Return the instants that any of some layers shows; of one layer all that is known of them."""
    if len(times) == 1:
        return times[0]
    instants = tuple(sorted({each for used in times for each in used.instants}, reverse=True))
    return TimeUsed(instants=instants, is_open=any(used.is_open for used in times))


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedDocument:
    """A cached document, as it is and compressed."""

    body: bytes
    gzipped: bytes
    media_type: str
    etag: str
    """Strong validator without quotes, made of the content."""

    @property
    def nbytes(self) -> int:
        """What it takes in a cache."""
        return len(self.body) + len(self.gzipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSeries:
    """One variable in the native cell that holds a point, along time."""

    variable: str
    title: str
    units: str
    row: int
    column: int
    centre: tuple[float, float]
    """Longitude and latitude of the cell's centre."""
    numbers: NumberArray
    """(time,): digital numbers as the source holds them."""
    values: Float64Array
    """(time,), NaN where there is none."""
    encoding: Encoding | None
    """Whose text the values have; `None` of differences."""
    reasons: tuple[str | None, ...]
    """(time,): why there is no value; `None` where there is one."""
    labels: tuple[str | None, ...]
    """(time,): the class of the value, or its flag."""
    dates: int | None = None
    """Of the anomaly of a period: dates that it is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A layer at one place: of a composite its three variables."""

    layer: str
    """The name by which it was requested."""
    title: str
    style: str
    """Id of the style that gave the colours."""
    longitude: float
    latitude: float
    """The requested place, in CRS84."""
    time: TimeUsed
    times: InstantArray
    """(time,), ascending; not a time (NaT) for the one value of a layer without time."""
    is_series: bool
    """Whether a list or an interval was requested, however many times it has, or what was requested has several."""
    cells: tuple[CellSeries, ...]
    """One a variable; none where the place lies outside the layer."""
    colours: tuple[Colour, ...]
    """(time,): as a picture at native zoom shows the cell; empty outside the layer."""
