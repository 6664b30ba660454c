"""How a layer is drawn: what tiles, time-lapses, legends and maps of OGC API have alike in their queries."""

from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import TypeVar

from chronotile.core.errors import ChronotileError, InvalidParameter, UnknownPath
from chronotile.core.model.collection import Layer
from chronotile.core.model.grid import Grid
from chronotile.core.model.payload import PixelStates, TimeUsed
from chronotile.core.model.request import (
    PICTURE_REDUCERS,
    Colouring,
    LegendRequest,
    MapAnomaly,
    MapRequest,
    PictureReducer,
    Shown,
)
from chronotile.core.model.series.analysis import ANOMALY_KINDS, AnomalyKind
from chronotile.core.model.time.instants import ABSENT, TimeSelection, format_instant
from chronotile.core.model.types import Instant
from chronotile.pipeline.maps.expression import apply_expression
from chronotile.pipeline.maps.times import resolve_map_times
from chronotile.pipeline.revision import (
    are_counted,
    dated_revision,
    found_revision,
    pixel_states,
    states_at,
)
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.kvp import Kvp, value_range
from chronotile.protocols.common.query.parameter import Parameter, choice, custom, datetime, text, times, truth
from chronotile.readers.hrefs import one_look

Format = TypeVar("Format")

MAX_SIDE_PX = 4096
"""Of a legend."""
IS_HORIZONTAL = {"vertical": False, "horizontal": True}
"""How the colours of a legend lie, by the word for it."""

STYLE = text("style", "A style of the layer; default: its first")
RANGE = custom(
    "range",
    "`low,high`: the values at the ends of the ramp, instead of the style's own",
    partial(value_range, locator="range"),
)
RAMP = text("ramp", "Id of a style whose colours are stretched over the range, instead of the style's own")
REVERSED = truth("reversed", "Whether the ramp is reversed")
LOGARITHMIC = truth("logarithmic", "Whether the ramp's colours follow the logarithm of values")
DIFFERENCE = times("difference", "A second time, whose values are subtracted")
REDUCER = choice(
    "reducer",
    "Reducer of several times to one pixel; default: `latest`, of an anomaly `mean`",
    PICTURE_REDUCERS,
    any_case=False,
)
ANOMALY = choice(
    "anomaly", "The deviation from the usual values of the time of the year", ANOMALY_KINDS, any_case=False
)
REFERENCE = times("reference", "Of an anomaly: the times of the usual values; default: all of the layer")
EXPRESSION = text("expression", "Arithmetic over the variables of the layer's collection, instead of its own values")
DATETIME = datetime("What the title of an anomaly's legend names")
REV = text(
    "rev",
    "The `revision` of the layer or the places, or that of TileJSON: an answer of that state may be cached for a year",
)
COLOURS: tuple[Parameter[object], ...] = (STYLE, RANGE, RAMP, REVERSED, LOGARITHMIC, DIFFERENCE, ANOMALY, REFERENCE)
"""Those of legends, too."""


def anomaly_of(
    query: Kvp, anomaly: Parameter[AnomalyKind] = ANOMALY, reference: Parameter[TimeSelection] = REFERENCE
) -> MapAnomaly | None:
    """Return the anomaly that a query requests, if any.

    Raises:
        InvalidParameter: A parameter is not accepted, or there is a reference for no anomaly.
    """
    kind, times_of_reference = anomaly.given(query), reference.given(query)
    if kind is None:
        if times_of_reference is not None:
            raise InvalidParameter(f"{reference.name} is that of an {anomaly.name}", locator=reference.name)
        return None
    return MapAnomaly(kind=kind, reference=ABSENT if times_of_reference is None else times_of_reference)


def reducer_of(query: Kvp, anomaly: MapAnomaly | None, reducer: Parameter[PictureReducer] = REDUCER) -> PictureReducer:
    """Return the reducer of a query; without one each pixel has its newest value, of an anomaly the mean as in series.

    Raises:
        InvalidParameter: There is no such reducer.
    """
    return reducer.given(query) or ("latest" if anomaly is None else "mean")


def settled(layer: Layer, query: Kvp, time: TimeSelection, services: Services) -> dict[str, str]:
    """Return what the address of a picture names in place of a time: the instant, if it is one, and their revision.

    Raises:
        ChronotileError: There is nothing at that time, or at that of the difference.
    """
    shown, reading = apply_expression(layer, EXPRESSION.given(query), services)
    anomaly = anomaly_of(query)
    requested = Shown(
        layer=layer.id,
        time=time,
        difference=DIFFERENCE.given(query),
        anomaly=anomaly,
        reducer=reducer_of(query, anomaly),
    )
    used = resolve_map_times(requested, shown, reading).used
    is_period = anomaly is not None and time.keyword == "parts"  # which an instant of it does not tell
    named = {"datetime": format_instant(used.instants[0])} if len(used.instants) == 1 and not is_period else {}
    return {**named, "rev": dated_revision(shown, used.instants + used.base, reading)}


def map_request(layer: Layer, grid: Grid, query: Kvp, *, time: TimeSelection) -> MapRequest:
    """Return the map of a layer, drawn as a query says.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    anomaly = anomaly_of(query)
    return MapRequest(
        layer=layer.id,
        grid=grid,
        time=time,
        difference=DIFFERENCE.given(query),
        style=STYLE.given(query) or "",
        range=RANGE.given(query),
        ramp=RAMP.given(query),
        colouring=_colouring(query),
        reducer=reducer_of(query, anomaly),
        anomaly=anomaly,
        expression=EXPRESSION.given(query),
    )


def legend_request(layer: str, query: Kvp) -> LegendRequest:
    """Return the colours of a layer, by its id or alias, that a query requests; `datetime` is for a title alone.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    anomaly = anomaly_of(query)
    return LegendRequest(
        layer=layer,
        style=STYLE.given(query) or "",
        is_difference=DIFFERENCE.given(query) is not None,
        reducer=reducer_of(query, anomaly),
        anomaly=anomaly,
        time=ABSENT if anomaly is None else DATETIME.of(query),
        range=RANGE.given(query),
        ramp=RAMP.given(query),
        colouring=_colouring(query),
    )


def by_extension(extension: str, formats: Mapping[str, Format]) -> Format:
    """Return the format of an extension in a path.

    Raises:
        UnknownPath: It is not one of those offered.
    """
    if extension not in formats:
        message = f"extension {extension[:20]!r} is not offered; accepted are {', '.join(formats)}"
        raise UnknownPath(message, locator="format")
    return formats[extension]


def _colouring(query: Kvp) -> Colouring:
    return Colouring(is_reversed=REVERSED.of(query), is_logarithmic=LOGARITHMIC.of(query))


# Whether the `rev` of an address names the state that its answer was read in, so that caches may keep it for ever.


class NamedState:
    """Compares the `rev` of an address with the state of its layer; made before the answer is, for a thread.

    Two revisions are compared: that of the times that the answer shows, and that of the layer, for addresses whose
    times are chosen by clients. Either names one state only of these times. An answer that was not read in exactly that
    state, or may have been read in another, is not named, though the revision may be that of now.

    Args:
        revision: Of the address; `None` where it has none.
        layer: Id or alias of the layer that it shows.
        services: What reads it.
        expression: In place of the layer's own values.

    Raises:
        ChronotileError: There is no such layer, or the expression is none.
    """

    def __init__(self, revision: str | None, layer: str, services: Services, *, expression: str | None = None) -> None:
        self._revision = revision
        self._is_expression = expression is not None
        self._layer, self._services = apply_expression(services.catalogue.layer(layer), expression, services)
        self._counter = "" if revision is None else self._services.reader(self._layer).items_revision()

    def holds(self, *parts: tuple[TimeUsed, PixelStates]) -> bool:
        """Return whether the revision names the state of all parts of an answer: times, and the pixels read of each."""
        if self._revision is None or any(states.is_provisional for _time, states in parts):
            return False
        layer, services = self._layer, self._services
        read = [(time.instants + time.base, states) for time, states in parts]
        try:
            with one_look():
                return (
                    self._names(read)
                    and all(
                        pixel_states(layer, instants, services, windows=states.windows) == states
                        for instants, states in read
                    )
                    and services.reader(layer).items_revision() == self._counter
                )
        except ChronotileError:
            return False  # it was read, and is away now

    def _names(self, read: list[tuple[tuple[Instant, ...], PixelStates]]) -> bool:
        layer, services = self._layer, self._services
        instants = tuple(chain.from_iterable(each for each, _states in read))
        if self._revision == dated_revision(layer, instants, services):
            return True
        if self._is_expression:
            return False
        found = found_revision(layer, services)
        if found.revision != self._revision:
            return False
        if self._counter:
            return all(are_counted(layer, each, services, states.windows) for each, states in read)
        if found.states >= states_at(layer, instants, services):
            return True
        services.layer_revisions.pop(layer.id, None)  # one of these files was replaced after it was found
        return False
