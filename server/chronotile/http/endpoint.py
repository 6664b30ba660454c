"""Endpoints: they call the function of a protocol and turn its errors into answers. Other modules do not catch them."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.http import name_paths  # noqa: F401 -- registers a convertor that routes use
from chronotile.http.error_headers import add_error_headers
from chronotile.http.replaced_services import answer_when_indexed
from chronotile.http.request_bodies import BODY_ACCOUNT, release_body

log = logging.getLogger(__name__)

UNLOGGED = errors.IndexIncomplete | errors.OperationNotSupported | errors.ServerBusy | errors.SourceAway
"""Errors that `endpoint` does not log: limiters log refusals, and an unavailable source is a finding."""

Endpoint = Callable[[Request], Awaitable[Response]]
Faults = Callable[[errors.ChronotileError, Request], Response]
"""Writes the error document of one protocol."""


def endpoint(handler: Endpoint, faults: Faults) -> Endpoint:
    """Return an endpoint that answers errors of `handler` with `faults`; unexpected errors are logged and sent as 500.

    If what is served changes while `handler` runs, it is called again (`http.replaced_services`).
    """

    async def answer(request: Request) -> Response:
        try:
            return await answer_when_indexed(handler, request)
        except errors.ClientGone:
            return Response(status_code=errors.ClientGone.status)  # for the request log; the client has left
        except errors.ChronotileError as error:
            if error.status >= 500 and not _is_logged(error):
                log.warning("%s: %s%s", request.scope["path"], error.message, _root_cause(error))
            return add_error_headers(faults(error, request))
        except Exception:  # the last place that can turn an error into an answer
            log.exception("unexpected error at %s", request.scope["path"])
            return add_error_headers(faults(errors.ChronotileError("internal server error"), request))
        finally:
            if BODY_ACCOUNT in request.scope:
                release_body(request.scope)

    return answer


def _is_logged(error: BaseException | None) -> bool:
    """Return whether an error, or an error that caused it, is logged in another place."""
    if error is None or isinstance(error, UNLOGGED):
        return error is not None
    return getattr(error, "is_logged", False) or _is_logged(error.__cause__)


def _root_cause(error: BaseException) -> str:
    # For the log only: the text may contain paths of files, which clients must not see.
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    return "" if root is error else f" ({root})"
