"""Resolving maps: the layer, style and times of a request, checked against the limits; reads no pixels."""

from dataclasses import dataclass, field, replace

from chronotile.catalog.resolve_times import ResolvedTimes
from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import InvalidParameter, UnsupportedFormat
from chronotile.core.model.collection import Composite, Layer
from chronotile.core.model.formats import VALUE_FORMATS
from chronotile.core.model.request import MapRequest, PictureReducer
from chronotile.core.model.series.analysis import AnomalyKind
from chronotile.core.model.series.directions import require_directional
from chronotile.core.model.style import Style
from chronotile.core.model.types import Instant
from chronotile.core.warp.plan import WarpPlan
from chronotile.core.warp.strips import StripPlan
from chronotile.pipeline.cached_answer import PixelTarget
from chronotile.pipeline.maps.expression import apply_expression
from chronotile.pipeline.maps.size_limits import check_map_size
from chronotile.pipeline.maps.style_range import resolve_map_style
from chronotile.pipeline.maps.times import UsualDates, resolve_map_times
from chronotile.pipeline.mosaic_plans import MosaicPlan, list_picture_inputs, native_windows
from chronotile.pipeline.revision import describe_part, fingerprint, pixel_states, revision_of_states
from chronotile.pipeline.services import Services, Stopwatch
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.mosaic_reader import PROVISIONAL

MapPlan = WarpPlan | StripPlan | MosaicPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTarget(PixelTarget):
    """A request for a picture of one layer, resolved. Its dates and items that cannot be read are in `unreadable`."""

    style: Style
    times: ResolvedTimes
    reference_groups: tuple[tuple[Instant, ...], ...] | None
    """Times that are subtracted, or that the shown times are compared with (`MapTimes`)."""
    usual: UsualDates | None
    """For the anomaly of a period, else `None`."""
    anomaly: AnomalyKind | None
    """`None` for a difference, and for a map of the values."""
    reducer: PictureReducer
    unreadable: UnreadableDates
    is_active: IsActive = always_active
    """Whether the client still waits; checked between some of the times."""
    plans: dict[str, MapPlan | None] = field(default_factory=dict)
    """Plans by name of the variable, filled by `plan_map`."""


def resolve_map(request: MapRequest, services: Services) -> MapTarget:
    """Return the target of a request; reads no pixels.

    Raises:
        LimitExceeded: The map is too large.
        SourceUnavailable: The source is unreachable.
        ChronotileError: A name, time or parameter is not accepted.
    """
    watch = Stopwatch()
    with watch.step("resolve"):
        return _resolve_target(request, services, watch)


def _resolve_target(request: MapRequest, services: Services, watch: Stopwatch) -> MapTarget:
    layer = services.catalogue.layer(request.layer)
    layer, services = apply_expression(layer, request.expression, services)
    style = resolve_map_style(request, layer, services)
    map_times = resolve_map_times(request, layer, services)
    times, used, groups = map_times.times, map_times.used, map_times.reference_groups
    _check_format(request, layer)
    check_map_size(request, layer, len(times.indexes) + len(used.base), services)
    reducer = _resolve_reducer(request, layer, style, max(len(group) for group in (times.indexes, *(groups or ()))))
    grid, instants, is_mosaic = request.grid, used.instants + used.base, layer.main_variable.is_mosaic
    windows = native_windows(layer, grid) if is_mosaic else ()
    states = pixel_states(layer, instants, services, windows=windows)
    inputs = list_picture_inputs(layer, instants, grid, services) if is_mosaic else ()
    etag = fingerprint(
        revision_of_states(layer, states),
        (
            used.instants,
            used.base,
            *(() if request.anomaly is None else (request.anomaly.kind, groups, map_times.usual)),
        ),
        # A style in the request is not cached as text: it seldom repeats, and its size is up to the client.
        (describe_part(style) if request.own_style is None else repr(style), request.colouring),
        (grid.crs.name, grid.bbox, grid.width, grid.height),
        (request.format, request.background, layer.resampling, reducer),
        inputs,
        (layer.content.range, layer.content.gamma, request.range) if isinstance(layer.content, Composite) else None,
    )
    return MapTarget(
        layer=layer,
        style=style,
        times=times,
        time_used=used,
        reference_groups=groups,
        usual=map_times.usual,
        anomaly=None if request.anomaly is None else request.anomaly.kind,
        reducer=reducer,
        services=services,
        states=replace(states, is_provisional=map_times.is_chosen or PROVISIONAL in inputs),
        etag=etag,
        watch=watch,
        unreadable=UnreadableDates(layer, services),
    )


def _resolve_reducer(request: MapRequest, layer: Layer, style: Style, times: int) -> PictureReducer:
    """The reducer of the request; `latest` for a single time, where all reducers give the same."""
    if request.reducer in {"mean", "median"} and style.is_categorical:
        raise InvalidParameter(
            f"style {style.id} has classes, which have no {request.reducer}; use latest or earliest", locator="reducer"
        )
    is_defined = request.reducer not in {"median", "min", "max"} or times < 2
    for variable in layer.variables:
        require_directional(is_defined, request.reducer, layer.id, variable.encoding.circle, locator="reducer")
    return request.reducer if times > 1 else "latest"


def _check_format(request: MapRequest, layer: Layer) -> None:
    if layer.is_composite and request.format in VALUE_FORMATS:
        variables = ", ".join(variable.name for variable in layer.variables)
        raise UnsupportedFormat(
            f"layer {layer.id} is a composite of {variables} and has no values of its own", locator="format"
        )
