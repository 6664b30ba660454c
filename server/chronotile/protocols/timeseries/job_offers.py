"""The jobs that do what series are too large for."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.request import SeriesRequest
from chronotile.protocols.common.job_offer import (
    OF_SERIES,
    JobOffer,
    Json,
    datetime_input,
    format_input,
    places_input,
)
from chronotile.protocols.common.query.csv_options import OF_SERIES as OF_SERIES_CSV
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.common.query.reduction import MIN_VALID
from chronotile.protocols.timeseries.analysis_params import ANALYSIS
from chronotile.protocols.timeseries.area_params import area_request
from chronotile.protocols.timeseries.pages import PAGING
from chronotile.protocols.timeseries.params import DATETIME

STATISTICS, SERIES = "zonal-statistics", "time-series"
NO_PROCESS_TAKES = names_of((*ANALYSIS, *PAGING))


def statistics_offer(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue, *, name: str) -> JobOffer | None:
    """Return the job that does what a series of areas is too large for.

    There is none for an analysis, a page, or a place with too many vertices.

    Args:
        layer: Of the path.
        query: Of the request.
        body: With the geometries, if there is one; it is not read.
        catalogue: All that is served.
        name: Of the format.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    if _has_more(query):
        return None
    reducers, weights, crs = (query.optional(each) for each in ("reducers", "weights", "crs"))
    least, (format_, notes) = MIN_VALID.of(query), _format_inputs(STATISTICS, query, name, otherwise="csv")
    inputs = {
        "layer": layer.id,
        **datetime_input(DATETIME.of(query)),
        **({} if reducers is None else {"reducers": [each.strip() for each in reducers.split(",")]}),
        **({} if weights is None else {"weights": weights}),
        **({} if least == 0 else {"min_valid": least}),
        **format_,
    }
    if body.strip():
        named = "" if crs is None else f" whose member crs names {crs[:MAX_SHOWN]}"
        notes = [*notes, f"inputs.places is the body, as a FeatureCollection{named}"]
        return JobOffer(process=STATISTICS, inputs=inputs, limits=OF_SERIES, notes=notes)
    places = places_input(area_request(layer, query, body, catalogue).areas, layer, catalogue)
    if places is None:
        return None
    return JobOffer(process=STATISTICS, inputs=inputs | places, limits=OF_SERIES, notes=notes)


def points_offer(query: Kvp, *, name: str) -> JobOffer | None:
    """Return the job that does what series of points are too large for; `None` for an analysis.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    if _has_more(query):
        return None
    format_, notes = _format_inputs(SERIES, query, name, otherwise="json")
    if format_["format"] != "json":
        notes = [*notes, f"{format_['format']} takes one layer: post one job for each"]
    notes = [*notes, "the members of the body are inputs, points as [lon, lat] or a FeatureCollection"]
    inputs = {**datetime_input(DATETIME.of(query)), **format_}
    return JobOffer(process=SERIES, inputs=inputs, limits=OF_SERIES, notes=notes)


def point_offer(series_request: SeriesRequest, query: Kvp, *, name: str) -> JobOffer | None:
    """Return the job that does what the series of a point is too large for.

    There is none for an analysis, a page or another CRS: processes take longitudes and latitudes, and rounding may
    lead to the next cell.
    """
    if _has_more(query) or series_request.point.crs != CRS84:
        return None
    format_, notes = _format_inputs(SERIES, query, name, otherwise="json")
    points = [[series_request.point.x, series_request.point.y]]
    inputs = {"layers": series_request.layer, "points": points, **datetime_input(series_request.time), **format_}
    notes = [*notes, "the file is as /timeseries/points has it"]
    return JobOffer(process=SERIES, inputs=inputs, limits=OF_SERIES, notes=notes)


def _format_inputs(process: str, query: Kvp, name: str, *, otherwise: str) -> tuple[Json, list[str]]:
    """The inputs of the file, with those of CSV if that was requested, and notes."""
    inputs, notes = format_input(process, name, otherwise=otherwise)
    given = {each: query.optional(each) for each in names_of(OF_SERIES_CSV)} if name == "csv" else {}
    return inputs | {each: text for each, text in given.items() if text is not None}, notes


def _has_more(query: Kvp) -> bool:
    return any(query.optional(name) is not None for name in NO_PROCESS_TAKES)
