"""Names, times and styles of a map request resolved to what exists, within the limits; reads no pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chronotile.catalog.resolve_style import resolve_style
from chronotile.catalog.resolve_times import ResolvedTimes
from chronotile.core.errors import InvalidParameter, LimitExceeded, UnsupportedFormat, require_at_most
from chronotile.core.model.collection import Composite, Layer, VariableInfo
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.formats import VALUE_FORMATS
from chronotile.core.model.grid import Grid
from chronotile.core.model.request import (
    AS_STYLED,
    Colouring,
    IdentifyRequest,
    IsActive,
    LegendRequest,
    MapRequest,
    PictureReducer,
    Styled,
    always_active,
)
from chronotile.core.model.series.analysis import ANOMALY_UNITS, AnomalyKind
from chronotile.core.model.series.directions import require_directional
from chronotile.core.model.style import Style
from chronotile.core.model.types import Instant
from chronotile.core.warp.plan import WarpPlan
from chronotile.core.warp.strips import StripPlan, cells_of, plan_strips
from chronotile.pipeline.answer import PixelTarget
from chronotile.pipeline.maps.times import UsualDates, shown_times
from chronotile.pipeline.mosaics import ComposedPlan, native_windows, picture_sources
from chronotile.pipeline.revision import (
    describe_part,
    fingerprint,
    pixel_states,
    revision_of_states,
)
from chronotile.pipeline.services import Services, Stopwatch
from chronotile.pipeline.styling.restyle import with_colouring, with_difference, with_ramp, with_range
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.derived.formula import FormulaReader, formula_of
from chronotile.readers.reader import PROVISIONAL, Reader

DIFFERENCE_STYLE = "difference"
"""The shipped style whose colours differences have; a configuration may have its own of that name."""
ENDS: Mapping[AnomalyKind, tuple[float, float]] = {"z": (-3.0, 3.0), "percentile": (0.0, 100.0)}
"""Values at the ends of the colours of anomalies; of others half the style's range to either side."""
REVERSED = "-inv"
"""What ncWMS writes behind a ramp whose colours are the other way round."""
MAX_SIDE_PX = 65_535
"""Of any picture, and JPEG's own: what takes room a row or a column is bounded by no number of pixels."""

MapPlan = WarpPlan | StripPlan | ComposedPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTarget(PixelTarget):
    """A request for a picture of one layer, resolved. Its dates and items that cannot be read are in `unreadable`."""

    style: Style
    times: ResolvedTimes
    reference_groups: tuple[tuple[Instant, ...], ...] | None
    """Times that are subtracted, or that the shown times are compared with (`ShownTimes`)."""
    usual: UsualDates | None
    """For the anomaly of a period, else `None`."""
    anomaly: AnomalyKind | None
    """`None` for a difference, and for a map of the values."""
    reducer: PictureReducer
    unreadable: UnreadableDates
    is_active: IsActive = always_active
    """Whether the client still waits; checked between some of the times."""
    plans: dict[str, MapPlan | None] = field(default_factory=dict)
    """Plans by name of the variable, filled by `map_plan`."""


def resolve_map(request: MapRequest, services: Services) -> MapTarget:
    """Return the layer, style and times that a request means, and refuse what is too large; reads no pixels."""
    watch = Stopwatch()
    with watch.step("resolve"):
        return _resolved(request, services, watch)


def _resolved(request: MapRequest, services: Services, watch: Stopwatch) -> MapTarget:
    layer = services.catalogue.layer(request.layer)
    layer, services = with_expression(layer, request.expression, services)
    style = requested_style(request, layer, services)
    shown = shown_times(request, layer, services)
    times, used = shown.times, shown.used
    _check_format(request, layer)
    _check_size(request, layer, len(times.indexes) + len(used.base), services)
    reducer = _reducer(request, layer, style, max(len(group) for group in (times.indexes, *(shown.held_against or ()))))
    grid, instants, is_mosaic = request.grid, used.instants + used.base, layer.main_variable.is_mosaic
    windows = native_windows(layer, grid) if is_mosaic else ()
    states = pixel_states(layer, instants, services, windows=windows)
    drawn = picture_sources(layer, instants, grid, services) if is_mosaic else ()
    etag = fingerprint(
        revision_of_states(layer, states),
        (
            used.instants,
            used.base,
            *(() if request.anomaly is None else (request.anomaly.kind, shown.held_against, shown.usual)),
        ),
        # One that came with the request is seldom the same again, and as large as its sender likes.
        (describe_part(style) if request.own_style is None else repr(style), request.colouring),
        (grid.crs.name, grid.bbox, grid.width, grid.height),
        (request.format, request.background, layer.resampling, reducer),
        drawn,
        (layer.content.range, layer.content.gamma, request.range) if isinstance(layer.content, Composite) else None,
    )
    return MapTarget(
        layer=layer,
        style=style,
        times=times,
        time_used=used,
        reference_groups=shown.held_against,
        usual=shown.usual,
        anomaly=None if request.anomaly is None else request.anomaly.kind,
        reducer=reducer,
        services=services,
        states=replace(states, is_provisional=shown.is_chosen or PROVISIONAL in drawn),
        etag=etag,
        watch=watch,
        unreadable=UnreadableDates(layer, services),
    )


def requested_style(request: MapRequest | IdentifyRequest | LegendRequest, layer: Layer, services: Services) -> Style:
    """Return the style that a request names, with what it has in place of the style's own ramp, range and colours.

    A ramp that is stretched over the values of the picture waits for them.

    Raises:
        UnknownStyle: The layer has no such style, or there is no such ramp.
        InvalidParameter: The style has classes, which have neither, and no differences; or the layer is a composite,
            which has no ramp and no differences either.
    """
    if request.own_style is not None and layer.is_composite:
        raise InvalidParameter(f"layer {layer.id} is a composite, which takes no colour map", locator="sld")
    style = request.own_style or resolve_style(layer, request.style)
    if request.colouring != AS_STYLED and layer.is_composite:
        raise InvalidParameter(f"layer {layer.id} is a composite, which has no scale of colours", locator="style")
    if request.is_difference and layer.is_composite:
        raise InvalidParameter(
            f"layer {layer.id} is a composite, which has no values and so no difference", locator="difference"
        )
    if request.anomaly is not None:
        _check_anomaly(request, style, layer)
        style = with_difference(style, services.catalogue.ramp(DIFFERENCE_STYLE), ends=ENDS.get(request.anomaly.kind))
    elif request.is_difference:
        style = with_difference(style, services.catalogue.ramp(DIFFERENCE_STYLE))
    style = _ramped(style, request, layer, services)
    is_final = request.colouring == AS_STYLED or request.colouring.is_stretched
    return style if is_final else with_colouring(style, request.colouring)


def shown_units(layer: Layer, request: Styled) -> str:
    """Return the units of what is shown: the layer's, unless it is an anomaly in others."""
    units = layer.main_variable.encoding.units
    return units if request.anomaly is None else ANOMALY_UNITS.get(request.anomaly.kind, units)


def _check_anomaly(request: MapRequest | IdentifyRequest | LegendRequest, style: Style, layer: Layer) -> None:
    if request.is_difference:
        raise InvalidParameter("a map shows either a difference or an anomaly", locator="anomaly")
    if layer.is_composite or style.is_categorical:
        of = f"layer {layer.id} is a composite" if layer.is_composite else f"style {style.id} has classes"
        raise InvalidParameter(f"{of}, which has no anomaly", locator="anomaly")
    kind = "abs" if request.anomaly is None else request.anomaly.kind
    require_directional(
        kind == "abs", f"anomaly {kind}", layer.id, layer.main_variable.encoding.circle, locator="anomaly"
    )


def _ramped(
    style: Style, request: MapRequest | IdentifyRequest | LegendRequest, layer: Layer, services: Services
) -> Style:
    if request.ramp is None and request.range is None:
        return style
    if style.is_categorical:
        locator = "range" if request.ramp is None else "ramp"
        raise InvalidParameter(f"style {style.id} has classes, which take no {locator}", locator=locator)
    if request.ramp is not None:
        if layer.is_composite:
            raise InvalidParameter(f"layer {layer.id} is a composite, which takes a range but no ramp", locator="ramp")
        style = with_ramp(style, _ramp(request.ramp, services))
    return style if request.range is None else with_range(style, request.range)


def _ramp(name: str, services: Services) -> Style:
    """The ramp of that name, the other way round where the name ends as ncWMS writes that."""
    catalogue = services.catalogue
    plain = name.removesuffix(REVERSED)
    if name == plain or name in catalogue.styles:
        return catalogue.ramp(name)
    return with_colouring(catalogue.ramp(plain), Colouring(is_reversed=True))


def _reducer(request: MapRequest, layer: Layer, style: Style, times: int) -> PictureReducer:
    """The request; of one time all are alike."""
    if request.reducer in {"mean", "median"} and style.is_categorical:
        raise InvalidParameter(
            f"style {style.id} has classes, which have no {request.reducer}; use latest or earliest", locator="reducer"
        )
    is_meant = request.reducer not in {"median", "min", "max"} or times < 2
    for each in layer.variables:
        require_directional(is_meant, request.reducer, layer.id, each.encoding.circle, locator="reducer")
    return request.reducer if times > 1 else "latest"


def _check_format(request: MapRequest, layer: Layer) -> None:
    if layer.is_composite and request.format in VALUE_FORMATS:
        variables = ", ".join(variable.name for variable in layer.variables)
        raise UnsupportedFormat(
            f"layer {layer.id} is a composite of {variables} and has no values of its own", locator="format"
        )


def require_sides(grid: Grid, most: int, *, alternative: str) -> None:
    """Refuse a picture that is wider or higher than `most` pixels.

    Raises:
        LimitExceeded: It is wider or higher; `alternative` describes the request to send instead.
    """
    side = max(grid.width, grid.height)
    require_at_most("pixels per side", side, most, alternative=alternative, locator=larger_side(grid))


def _check_size(request: MapRequest, layer: Layer, times: int, services: Services) -> None:
    grid, limits = request.grid, services.catalogue.limits
    pixels, smaller = pixels_of(grid), "request a smaller picture, or use tiles"
    require_sides(grid, MAX_SIDE_PX, alternative=smaller)
    most, side = limits.max_pixels, larger_side(grid)
    require_at_most("max_pixels", pixels, most, alternative=smaller, locator=side)
    most, values = limits.max_cube_values, pixels * times
    if times > 1 and values > most:
        values = _reduced_cells(grid, layer) * times
    if times > 1 and values > most:
        fewer = (
            "of maps it limits pixels, or cells if they are fewer, times dates: request a shorter interval or a "
            "smaller picture"
        )
        if request.anomaly is not None:
            fewer += ", a shorter reference, or a job of the process anomaly"
        raise LimitExceeded("max_cube_values", allowed=most, needed=values, alternative=fewer, locator="time")


def _reduced_cells(grid: Grid, layer: Layer) -> int:
    """The cells, or if they are fewer the pixels, that are reduced for a map (`shown_values`)."""
    variable = layer.main_variable
    if layer.is_composite or variable.is_mosaic or layer.resampling != "nearest":
        return pixels_of(grid)
    plan = plan_strips(variable.levels, grid)
    return 0 if plan is None else min(pixels_of(grid), cells_of(plan))


def pixels_of(grid: Grid) -> int:
    """Return how many pixels a grid has."""
    return grid.width * grid.height


def larger_side(grid: Grid) -> str:
    """Return the parameter at fault where a picture is too large."""
    return "width" if grid.width >= grid.height else "height"


VARIABLE = "="
"""What the variable of a request's expression is called; no variable of a collection can be."""


def with_expression(layer: Layer, text: str | None, services: Services) -> tuple[Layer, Services]:
    """Return the layer with an expression for its content, and services that can read it; both as they are without.

    Raises:
        InvalidParameter: It is not an expression over variables of the layer's collection, or they do not fit together.
        SourceUnavailable: The source is not open.
    """
    if text is None:
        return layer, services
    if layer.mask is not None:
        raise InvalidParameter(f"layer {layer.id} is masked, over which there is no expression", locator="expression")
    seen, all_ = (each.catalogue.collection(layer.collection) for each in (services, services.origin))
    hidden = all_.variables.keys() - seen.variables.keys()  # of which composites may be made
    variables = {of.name: of for each in seen.layers for of in each.variables if of.name not in hidden}
    if layer.main_variable.is_mosaic:
        expression = parse_expression(text, variables)
        mosaic = services.reader(layer).add_formula(VARIABLE, expression, expression.names)
        return _shown_by(layer, mosaic, mosaic.info.variables[VARIABLE], services)
    formula = formula_of(VARIABLE, parse_expression(text, variables), variables)
    reader = FormulaReader(services.reader(layer), {VARIABLE: formula})
    return _shown_by(layer, reader, formula.info, services)


def _shown_by(layer: Layer, reader: Reader, content: VariableInfo, services: Services) -> tuple[Layer, Services]:
    return (
        replace(layer, content=content, times=content.times),
        replace(services, readers={**services.readers, layer.collection: reader}),
    )
