"""Rights and errors of requests that write items, for all protocols that can."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.archive.index.write import ItemWriter
from chronotile.core import errors
from chronotile.http.client_addresses import client_of
from chronotile.http.principal import PRINCIPAL, Principal
from chronotile.http.problems import problem_response
from chronotile.http.request_bodies import TOO_LARGE
from chronotile.http.request_services import services_of
from chronotile.http.retry_after import add_retry_after
from chronotile.http.server_state import state_of


def require_writer(request: Request) -> ItemWriter:
    """Return what writes items, for a request that may: by the operator's token, or as one whom `publish` names.

    Raises:
        AccessRefused: None may.
        Unauthenticated: It does not show the token.
        TooManyTries: Neither, and its address has shown too many wrong ones.
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
    """Whether the user may write items of the collection, or of the layer's collection, that the path names.

    By a password they may not: browsers send it by themselves, for pages of other sites too.
    """
    principal: Principal | None = request.scope.get(PRINCIPAL)
    is_password = request.headers.get("authorization", "").lower().startswith("basic")
    if principal is None or is_password or not (principal.rights is None or "publish" in principal.rights):
        return False
    catalogue, path = services_of(request).origin.catalogue, request.path_params
    written = path.get("collection") or path.get("layer", "")
    named = next(iter(catalogue.collections_of((written,))), written)
    collection = catalogue.collections_by_id.get(named) or catalogue.unopened.get(named)
    return collection is not None and collection.access.allows(principal.subjects, "publish")


def parse_json(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    """Return a body as JSON.

    Raises:
        InvalidParameter: It is none.
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
    return add_retry_after(response, error)
