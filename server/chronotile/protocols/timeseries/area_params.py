"""Path, query and body of series of areas turned into a request."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter, MissingParameter
from chronotile.model.collection import Layer
from chronotile.model.crs import Crs
from chronotile.model.geometry.area import Area, area_of_box
from chronotile.model.geometry.geojson import area_of, areas_of
from chronotile.model.grid import WHOLE_CIRCLE, BBox
from chronotile.model.request import AreaSeriesRequest
from chronotile.model.series.reducer import Reducer, parse_reducers
from chronotile.protocols.common.query.kvp import Kvp, datetime_of, is_true, numbers
from chronotile.protocols.common.query.place import asked_crs, geometry_rules
from chronotile.protocols.common.query.reduction import asked_min_valid, asked_weights
from chronotile.protocols.timeseries.analysis_params import ANALYSIS_PARAMETERS, analysis_of
from chronotile.protocols.timeseries.pages import PAGE_PARAMETERS

PARAMETERS_OF_AREA = (
    *("place", "bbox", "crs", "datetime", "reducers", "weights", "min_valid", "dry_run", "format"),
    *PAGE_PARAMETERS,
    *ANALYSIS_PARAMETERS,
)
PARAMETERS_OF_AREAS = tuple(name for name in PARAMETERS_OF_AREA if name not in {"place", "bbox"})

OF_AREAS = ("reducers", "reducer", "weights", "min_valid", "bbox", "place", "dry_run")
"""What series of points are not asked with."""


def area_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `/timeseries/{layer}/area` asks for, of the geometry in the body, of `bbox` or of a place.

    Raises:
        ChronotileError: A parameter or the geometry is not accepted.
    """
    query.check_spelling(PARAMETERS_OF_AREA)
    given_by = next((name for name in ("place", "bbox") if query.optional(name) is not None), "geometry")
    return _request(layer, query, (_area(layer, query, body, catalogue),), given_by=given_by)


def areas_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `/timeseries/{layer}/areas` asks for: one for each feature of the body.

    Raises:
        ChronotileError: A parameter or the body is not accepted.
    """
    query.refuse(("bbox", "place"), instead="/timeseries/{layer}/area with it")
    query.check_spelling(PARAMETERS_OF_AREAS)
    return _request(
        layer, query, areas_of(body, geometry_rules(layer, query, catalogue, elsewhere=f"/timeseries/{layer.id}/area"))
    )


def is_dry_run(query: Kvp) -> bool:
    """Return whether only the cost is asked for.

    Raises:
        InvalidParameter: `dry_run` is neither true nor false.
    """
    return is_true(query, "dry_run")


def _request(layer: Layer, query: Kvp, areas: tuple[Area, ...], *, given_by: str = "geometry") -> AreaSeriesRequest:
    return AreaSeriesRequest(
        layer=layer.id,
        areas=areas,
        given_by=given_by,
        time=datetime_of(query),
        reducers=_reducers(query),
        weights=asked_weights(query),
        min_valid=asked_min_valid(query),
        analysis=analysis_of(query),
    )


def _area(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> Area:
    """The place that is named, the box, or the geometry of the body."""
    named = [name for name in ("place", "bbox") if query.optional(name) is not None]
    if not named and not body:
        raise MissingParameter("give place=set/id or bbox=, or POST a geometry", locator="place")
    if len(named) + bool(body.strip()) > 1:
        raise InvalidParameter("give one of place, bbox and a geometry in the body", locator=named[0])
    if named == ["bbox"]:
        return _area_of_box(query.required("bbox"), layer, query, catalogue)
    if not named:
        return area_of(body, geometry_rules(layer, query, catalogue, elsewhere=f"/timeseries/{layer.id}/areas"))
    if "crs" in query:
        raise InvalidParameter("a place has a geometry and crs of its own; give either it or a body", locator="place")
    return catalogue.place(query.required("place"))


def _area_of_box(text: str, layer: Layer, query: Kvp, catalogue: Catalogue) -> Area:
    crs = asked_crs(query.optional("crs"), layer, catalogue)
    box = BBox(*numbers(text, 4, locator="bbox"))
    area = area_of_box(box, crs)
    if crs.is_geographic and box.xmin > box.xmax:
        _check_antimeridian(text, layer, crs)
    return area


def _check_antimeridian(text: str, layer: Layer, crs: Crs) -> None:
    """Refuse a box with west and east the wrong way round, which would have all of the layer but what was meant."""
    reach, half = layer.main_variable.grid.unwound_box_in(crs), WHOLE_CIRCLE / 2
    if reach.xmin > -half and reach.xmax < half:
        raise InvalidParameter(
            f"bbox {text[:60]} has its west east of its east, and so crosses the antimeridian, which layer {layer.id} "
            "does not reach; give west,south,east,north",
            locator="bbox",
        )


def _reducers(query: Kvp) -> tuple[Reducer, ...]:
    return parse_reducers((query.optional("reducers") or "mean").split(","))
