"""What every data query begins with, and how its answer leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.offered import Offered
from chronotile.encoders.file_parts import Whole
from chronotile.encoders.series.csv import CsvOptions
from chronotile.pipeline.series.fields import FieldsPayload
from chronotile.pipeline.services import Services
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.csv_options import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.body_response import BodyResponse
from chronotile.protocols.common.responses.respond import caching, instants_text
from chronotile.protocols.common.state import services_of
from chronotile.protocols.ogcapi.edr.formats import CSV, EXTENSIONS, data_format, media_type_of
from chronotile.protocols.ogcapi.edr.params import requested_layers, valued_collection

OTHER_NAMES: Mapping[str, str] = dict.fromkeys(
    ("parameter_name", "parameter_names", "parameter-names", "parametername"), "parameter-name"
)
"""What clients call parameters: OWSLib the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """A request for data of a collection."""

    services: Services
    offered: Offered
    query: Kvp
    accept: str
    address: str
    """Public URL of the collection."""

    def format_among(self, names: tuple[str, ...]) -> str:
        """Return the name of the requested format.

        Raises:
            InvalidParameter: `f` is not one of `names`.
            NotAcceptable: The header Accept takes none of them.
        """
        return data_format(self.query, self.accept, names)

    def csv_options(self, name: str) -> CsvOptions:
        """Return how the requested layers are written as CSV; `name` is that of the format.

        Raises:
            InvalidParameter: As `csv_options`, or a layer is not of the collection.
        """
        layers = requested_layers(self.offered, self.query)
        return csv_options(self.query, layers, is_csv=name == CSV)

    def media_type(self, name: str) -> str:
        """Return the media type under which a format leaves."""
        return media_type_of(name, self.accept)


def parse_data_query(request: Request) -> DataRequest:
    """Return the query, and its collection.

    Raises:
        UnknownCollection: There is not one of that name, or it has no values.
        InvalidParameter: A parameter is repeated with different values.
    """
    services = services_of(request)
    offered = valued_collection(services.catalogue, request.path_params["collectionId"])
    return DataRequest(
        services=services,
        offered=offered,
        query=Kvp((OTHER_NAMES.get(name.lower(), name), value) for name, value in request.query_params.multi_items()),
        accept=request.headers.get("accept", ""),
        address=f"{base_url(request)}/ogcapi/collections/{quote(offered.id)}",
    )


def data_response(payload: FieldsPayload, name: str, data_request: DataRequest) -> Response:
    """Return the answer that carries series; 304 where the client holds it already.

    Args:
        payload: With its body, which is let go when it is sent.
        name: Of the format.
        data_request: As requested.
    """
    cache_headers = caching(payload.unreadable, is_open=payload.time.is_open, left_out=payload.left_out)
    headers = {"ETag": f'"{payload.etag}"', "Vary": "Accept", **cache_headers}
    if payload.time.instants:
        headers["Chronotile-Time"] = instants_text(payload.time)
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    if name in EXTENSIONS:
        headers["Content-Disposition"] = f'attachment; filename="{data_request.offered.id}.{EXTENSIONS[name]}"'
    if isinstance(payload.body, Whole):
        return Response(b"".join(payload.body.iter_bytes()), media_type=payload.media_type, headers=headers)
    return BodyResponse(payload.body, media_type=payload.media_type, headers=headers)
