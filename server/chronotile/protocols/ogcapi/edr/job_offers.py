"""The jobs that do what data queries are too large for."""

from chronotile.model.crs import CRS84
from chronotile.protocols.common.job_offer import OF_SERIES, JobOffer, datetime_input, names_input, places_input
from chronotile.protocols.ogcapi.edr.cells import CellsRequest
from chronotile.protocols.ogcapi.edr.data_request import DataRequest
from chronotile.protocols.ogcapi.edr.formats import GEOTIFF
from chronotile.protocols.ogcapi.edr.locations import areas_of_locations
from chronotile.protocols.ogcapi.edr.params import areas_request, position_request
from chronotile.protocols.ogcapi.export_offer import export_offer

NAMES = {GEOTIFF: "GTiff"}
"""What processes call formats, where they have other names."""


def position_offer(data_request: DataRequest) -> JobOffer | None:
    """Return the job that does what a position query is too large for; `None` of points in another CRS than CRS84.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    request = position_request(data_request.offered, data_request.query, data_request.services.catalogue)
    if any(point.crs != CRS84 for point in request.points):
        return None
    inputs = {
        "layers": names_input(request.layers),
        "points": [[point.x, point.y] for point in request.points],
        **datetime_input(request.time),
        "format": "json",
    }
    notes = ["the file is JSON, as /timeseries/points has it"]
    return JobOffer(process="time-series", inputs=inputs, limits=OF_SERIES, notes=notes)


def location_offer(data_request: DataRequest, *, names: str) -> JobOffer | None:
    """Return the job that does what the data of locations are too large for; `None` of several parameters.

    Raises:
        ChronotileError: There is no such place, or a parameter is not accepted.
    """
    catalogue = data_request.services.catalogue
    request = areas_request(data_request.offered, areas_of_locations(names, catalogue), data_request.query)
    places = places_input(request.areas, catalogue.layer(request.layers[0]), catalogue)
    if places is None or len(request.layers) > 1 or len({area.crs for area in request.areas}) > 1:
        return None
    inputs = {"layer": request.layers[0], **places, **datetime_input(request.time), "format": "geojson"}
    notes = ["the file is GeoJSON, as /timeseries/{layer}/areas has it"]
    return JobOffer(process="zonal-statistics", inputs=inputs, limits=OF_SERIES, notes=notes)


def cells_offer(cells: CellsRequest, name: str, data_request: DataRequest) -> JobOffer | None:
    """Return the job that writes cells which are too many for an answer; `None` of those in an area, or of other sizes.

    Args:
        cells: As requested.
        name: Of the format.
        data_request: The request.

    Raises:
        ChronotileError: The request is not accepted.
    """
    return export_offer(cells.settled(data_request.services), NAMES.get(name, name), data_request.services.catalogue)
