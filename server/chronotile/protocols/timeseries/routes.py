"""`/timeseries`: our own series, and Terrascope's."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.encoders.csv_series import encode_series_csv
from chronotile.encoders.json_area_series import encode_area_series_json
from chronotile.encoders.json_series import encode_series_json
from chronotile.pipeline.analyse_area_series import analyse_area_series
from chronotile.pipeline.extract_series import SeriesFormat, deliver_series
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.form import body_of
from chronotile.protocols.common.kvp import Kvp
from chronotile.protocols.common.respond import known_etags, respond
from chronotile.protocols.common.state import for_client, services_of, state_of
from chronotile.protocols.timeseries.analysis_params import refuse_in_columns
from chronotile.protocols.timeseries.faults import point_fault
from chronotile.protocols.timeseries.params import (
    MEDIA_TYPES,
    area_request,
    point_request,
    series_format,
)
from chronotile.protocols.timeseries.terrascope_routes import routes as terrascope_routes

OUR_FORMATS = {
    "json": SeriesFormat(name="json", media_type=MEDIA_TYPES["json"], encode=encode_series_json),
    "csv": SeriesFormat(name="csv", media_type=MEDIA_TYPES["csv"], encode=encode_series_csv),
}


async def get_point(request: Request) -> Response:
    """Return the series of a point as JSON or CSV."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    layer = services.catalogue.layer(request.path_params["layer"])
    asked = point_request(layer, query, services.catalogue)
    written = OUR_FORMATS[series_format(query, request.headers.get("accept", ""))]
    if written.name == "csv":
        refuse_in_columns(asked.analysis)
    gate = state_of(request).gates.series
    work = partial(deliver_series, asked, written, services, known=known_etags(request))
    response = respond(await for_client(request, gate, layer.id, work, services=services))
    response.headers["Vary"] = "Accept"
    return response


async def get_area(request: Request) -> Response:
    """Return the series of the area in the body as JSON."""
    services = services_of(request)
    layer = services.catalogue.layer(request.path_params["layer"])
    body = await body_of(request)
    query = Kvp(request.query_params.multi_items())
    gate = state_of(request).gates.series

    def work() -> bytes:
        asked = area_request(layer, query, body, services.catalogue)
        return encode_area_series_json(analyse_area_series(asked, services))

    document = await for_client(request, gate, layer.id, work, services=services)
    return Response(document, media_type="application/json")


routes = [
    *terrascope_routes,
    Route("/timeseries/{layer}/point", endpoint(get_point, point_fault)),
    Route("/timeseries/{layer}/area", endpoint(get_area, point_fault), methods=["POST"]),
]
