"""Path and query of the series of a point turned into a request."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.collection import Layer
from chronotile.model.request import SeriesRequest
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, datetime, names_of
from chronotile.protocols.common.query.place import CRS, LAT, LON, X, Y, requested_point
from chronotile.protocols.timeseries.analysis_params import ANALYSIS, analysis_of
from chronotile.protocols.timeseries.formats import FORMAT
from chronotile.protocols.timeseries.pages import PAGING

DATETIME = datetime("An instant, interval, interval with period, or list; default: the whole time domain")
OF_POINT: tuple[Parameter[object], ...] = (
    LON,
    LAT,
    X,
    Y,
    CRS,
    DATETIME,
    FORMAT,
    *csv_options.OF_SERIES,
    *PAGING,
    *ANALYSIS,
)
NOT_OF_POINTS = ("reducers", "reducer", "weights", "min_valid", "bbox", "place", "dry_run")
"""Parameters of areas, which series of points refuse."""


def point_request(layer: Layer, query: Kvp, catalogue: Catalogue) -> SeriesRequest:
    """Return the series that `/timeseries/{layer}/point` requests.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    query.refuse(NOT_OF_POINTS, instead="/timeseries/{layer}/area with it: a point is one cell")
    query.check_names(names_of(OF_POINT))
    return SeriesRequest(
        layer=layer.id,
        point=requested_point(layer, query, catalogue),
        time=DATETIME.of(query),
        analysis=analysis_of(query),
    )
