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
    """What is asked for, and how it is told."""

    target: FieldsTarget
    crs: Crs
    """Of the coordinates in the answer."""


def position_query(asked: DataRequest, is_active: IsActive) -> SeriesQuery:
    """Return the series of the points of `coords`.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    request = position_request(asked.offered, asked.query, asked.services.catalogue)
    target = resolve_positions(request, asked.services, is_active=is_active)
    return SeriesQuery(target=target, crs=request.points[0].crs)


def location_query(asked: DataRequest, is_active: IsActive, *, names: str) -> SeriesQuery:
    """Return the series of the places of the path.

    Raises:
        ChronotileError: There is no such place, or a parameter is not accepted.
    """
    catalogue = asked.services.catalogue
    require_sets(asked.offered, catalogue)
    request = areas_request(asked.offered, areas_of_locations(names, catalogue), asked.query)
    crs = crs_of_query(asked.query, asked.offered.main_field, catalogue) or CRS84
    return SeriesQuery(target=resolve_areas(request, asked.services, is_active=is_active), crs=crs)
