"""Rights and errors of requests that write items, for all protocols with such requests."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.archive.index.write import ItemWriter
from chronotile.core import errors
from chronotile.http.client_addresses import client_of
from chronotile.http.error_headers import add_limit_headers
from chronotile.http.principal import PRINCIPAL, Principal
from chronotile.http.problems import problem_response
from chronotile.http.request_bodies import TOO_LARGE
from chronotile.http.request_services import services_of
from chronotile.http.server_state import state_of


def require_writer(request: Request) -> ItemWriter:
    """Return the writer of items if the request has the operator's token or its user has the right `publish`.

    Raises:
        AccessRefused: Items cannot be written on this server.
        Unauthenticated: The token is missing or wrong.
        TooManyTries: Too many wrong tokens came from this address.
    """
    writer = state_of(request).items
    if writer is None:
        raise errors.AccessRefused("items cannot be written here")
    if _may_publish(request):
        return writer
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not writer.allows(token.strip() if scheme.lower() == "bearer" else None, client_of(request) or ""):
        raise errors.Unauthenticated("writing items needs the header Authorization: Bearer with the operator's token")
    return writer


def _may_publish(request: Request) -> bool:
    """Return whether the user may write items of the collection, or of the layer's collection, in the path.

    Passwords are not accepted: browsers send them automatically, even for pages of other sites.
    """
    principal: Principal | None = request.scope.get(PRINCIPAL)
    is_password = request.headers.get("authorization", "").lower().startswith("basic")
    if principal is None or is_password or not (principal.rights is None or "publish" in principal.rights):
        return False
    catalogue, path = services_of(request).origin.catalogue, request.path_params
    name = path.get("collection") or path.get("layer", "")
    collection_id = next(iter(catalogue.collections_of((name,))), name)
    collection = catalogue.collections_by_id.get(collection_id) or catalogue.unopened.get(collection_id)
    return collection is not None and collection.access.allows(principal.subjects, "publish")


def parse_json(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    """Return the JSON document in a body.

    Raises:
        InvalidParameter: The body is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.InvalidParameter(f"the body is not valid JSON: {error}") from error


def publishing_problem(error: errors.ChronotileError, request: Request) -> Response:
    """Return the problem document of a request that writes items."""
    response = problem_response(error, request, status=TOO_LARGE if isinstance(error, errors.LimitExceeded) else None)
    if isinstance(error, errors.Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="chronotile"'
    return add_limit_headers(response, error)
