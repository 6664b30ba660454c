"""Path, query and body of a series turned into a series request."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter, MissingParameter
from chronotile.model.area import Area
from chronotile.model.collection import Layer
from chronotile.model.reducer import Reducer, parse_reducers
from chronotile.model.request import AreaSeriesRequest, SeriesRequest
from chronotile.protocols.common.asked_place import asked_point, geometry_rules
from chronotile.protocols.common.geojson import area_of
from chronotile.protocols.common.kvp import Kvp, datetime_of, number
from chronotile.protocols.timeseries.analysis_params import ANALYSIS_PARAMETERS, analysis_of

PARAMETERS_OF_POINT = ("lon", "lat", "x", "y", "crs", "datetime", "format", *ANALYSIS_PARAMETERS)
PARAMETERS_OF_AREA = ("crs", "datetime", "reducers", "min_valid", "format", *ANALYSIS_PARAMETERS)


def point_request(layer: Layer, query: Kvp, catalogue: Catalogue) -> SeriesRequest:
    """Return the series that `/timeseries/{layer}/point` asks for.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    query.check_spelling(PARAMETERS_OF_POINT)
    return SeriesRequest(
        layer=layer.id,
        point=asked_point(layer, query, catalogue),
        time=datetime_of(query),
        analysis=analysis_of(query),
    )


def area_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `/timeseries/{layer}/area` asks for.

    Raises:
        ChronotileError: A parameter or the geometry is not accepted.
    """
    query.check_spelling(PARAMETERS_OF_AREA)
    return AreaSeriesRequest(
        layer=layer.id,
        areas=(_area(layer, query, body, catalogue),),
        time=datetime_of(query),
        reducers=_reducers(query),
        min_valid=_min_valid(query),
        analysis=analysis_of(query),
    )


def _area(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> Area:
    """The place that is named, else the geometry of the body."""
    name = query.optional("place")
    if name is None and not body:
        raise MissingParameter("give place=set/id, or POST a geometry", locator="place")
    if name is None:
        return area_of(body, geometry_rules(layer, query, catalogue))
    if body or "crs" in query:
        raise InvalidParameter("a place has a geometry and crs of its own; give either it or a body", locator="place")
    return catalogue.place(name)


def _reducers(query: Kvp) -> tuple[Reducer, ...]:
    return parse_reducers((query.optional("reducers") or "mean").split(","))


def _min_valid(query: Kvp) -> float:
    share = number(query.optional("min_valid") or "0", locator="min_valid")
    if not 0 <= share <= 1:
        raise InvalidParameter(f"min_valid must be a share from 0 to 1, got {share:g}", locator="min_valid")
    return share
