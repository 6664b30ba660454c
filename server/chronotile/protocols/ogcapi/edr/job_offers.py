"""The jobs that do what data queries are too large for."""

import math
from collections.abc import Mapping

from chronotile.model.crs import CRS84
from chronotile.processes.times_and_places import MOST_FEATURES
from chronotile.protocols.common.job_offer import JobInstead, datetime_input, names_input, places_input
from chronotile.protocols.ogcapi.edr.cells import CellsRequest
from chronotile.protocols.ogcapi.edr.data_request import DataRequest
from chronotile.protocols.ogcapi.edr.formats import GEOTIFF
from chronotile.protocols.ogcapi.edr.locations import areas_of_locations
from chronotile.protocols.ogcapi.edr.params import areas_request, position_request
from chronotile.protocols.ogcapi.export_offer import export_instead

LIMITS: Mapping[str, float] = {
    "max_series_values": math.inf,
    "max_area_values": math.inf,
    "max_features": MOST_FEATURES,
}
NAMES = {GEOTIFF: "GTiff"}
"""What processes call formats, where they have other names."""


def position_instead(asked: DataRequest) -> JobInstead | None:
    """Return the job that does what a position query is too large for; `None` of points in another CRS than CRS84.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    request = position_request(asked.offered, asked.query, asked.services.catalogue)
    if any(point.crs != CRS84 for point in request.points):
        return None
    inputs = {
        "layers": names_input(request.layers),
        "points": [[point.x, point.y] for point in request.points],
        **datetime_input(request.time),
        "format": "json",
    }
    notes = ["the file is JSON, as /timeseries/points has it"]
    return JobInstead(process="time-series", inputs=inputs, limits=LIMITS, notes=notes)


def location_instead(asked: DataRequest, *, names: str) -> JobInstead | None:
    """Return the job that does what the data of locations are too large for; `None` of several parameters.

    Raises:
        ChronotileError: There is no such place, or a parameter is not accepted.
    """
    catalogue = asked.services.catalogue
    request = areas_request(asked.offered, areas_of_locations(names, catalogue), asked.query)
    places = places_input(request.areas, catalogue.layer(request.layers[0]), catalogue)
    if places is None or len(request.layers) > 1 or len({area.crs for area in request.areas}) > 1:
        return None
    inputs = {"layer": request.layers[0], **places, **datetime_input(request.time), "format": "geojson"}
    notes = ["the file is GeoJSON, as /timeseries/{layer}/areas has it"]
    return JobInstead(process="zonal-statistics", inputs=inputs, limits=LIMITS, notes=notes)


def cells_instead(cells: CellsRequest, name: str, asked: DataRequest) -> JobInstead | None:
    """Return the job that writes cells which are too many for an answer; `None` of those in an area, or of other sizes.

    Args:
        cells: What is asked for.
        name: Of the format.
        asked: The request.

    Raises:
        ChronotileError: The request is not accepted.
    """
    return export_instead(cells.settled(asked.services), NAMES.get(name, name), asked.services.catalogue)
