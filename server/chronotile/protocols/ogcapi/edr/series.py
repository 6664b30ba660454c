"""Queries whose answer goes along time, resolved: positions and locations. Texts are read here, in threads."""

from dataclasses import dataclass

from chronotile.model.cancellation import IsActive
from chronotile.model.crs import CRS84, Crs
from chronotile.pipeline.series.fields import FieldsTarget, resolve_areas, resolve_positions
from chronotile.protocols.ogcapi.edr.data_request import DataRequest
from chronotile.protocols.ogcapi.edr.locations import areas_of_locations, require_sets
from chronotile.protocols.ogcapi.edr.params import areas_request, crs_of_query, position_request


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesQuery:
    """The request, and how it is written."""

    target: FieldsTarget
    crs: Crs
    """Of the coordinates in the answer."""


def position_query(data_request: DataRequest, is_active: IsActive) -> SeriesQuery:
    """Return the series of the points of `coords`.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    request = position_request(data_request.offered, data_request.query, data_request.services.catalogue)
    target = resolve_positions(request, data_request.services, is_active=is_active)
    return SeriesQuery(target=target, crs=request.points[0].crs)


def location_query(data_request: DataRequest, is_active: IsActive, *, names: str) -> SeriesQuery:
    """Return the series of the places of the path.

    Raises:
        ChronotileError: There is no such place, or a parameter is not accepted.
    """
    catalogue = data_request.services.catalogue
    require_sets(data_request.offered, catalogue)
    request = areas_request(data_request.offered, areas_of_locations(names, catalogue), data_request.query)
    crs = crs_of_query(data_request.query, data_request.offered.main_field, catalogue) or CRS84
    return SeriesQuery(target=resolve_areas(request, data_request.services, is_active=is_active), crs=crs)
