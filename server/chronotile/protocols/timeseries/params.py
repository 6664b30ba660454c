"""Path and query of the series of a point turned into a request."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.collection import Layer
from chronotile.model.request import SeriesRequest
from chronotile.protocols.common.query.kvp import Kvp, datetime_of
from chronotile.protocols.common.query.place import asked_point
from chronotile.protocols.timeseries.analysis_params import ANALYSIS_PARAMETERS, analysis_of
from chronotile.protocols.timeseries.area_params import OF_AREAS
from chronotile.protocols.timeseries.pages import PAGE_PARAMETERS

PARAMETERS_OF_POINT = ("lon", "lat", "x", "y", "crs", "datetime", "format", *PAGE_PARAMETERS, *ANALYSIS_PARAMETERS)


def point_request(layer: Layer, query: Kvp, catalogue: Catalogue) -> SeriesRequest:
    """Return the series that `/timeseries/{layer}/point` asks for.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    query.refuse(OF_AREAS, instead="/timeseries/{layer}/area with it: a point is one cell")
    query.check_spelling(PARAMETERS_OF_POINT)
    return SeriesRequest(
        layer=layer.id,
        point=asked_point(layer, query, catalogue),
        time=datetime_of(query),
        analysis=analysis_of(query),
    )
