"""The one place where errors on their way out of a handler are caught."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import (
    ChronotileError,
    ClientGone,
    IndexIncomplete,
    OperationNotSupported,
    ServerBusy,
    ServicesRenewed,
    SourceAway,
    SourceUnavailable,
)
from chronotile.http.form import ROOM, forget_body
from chronotile.http.server_state import forget_services

log = logging.getLogger(__name__)

RETRY_AFTER_S = "5"
UNLOGGED = IndexIncomplete | OperationNotSupported | ServerBusy | SourceAway


class NamePath(PathConvertor):
    """The rest of a path, of names of files and items: `path` ends at a line break, which they may have too."""

    regex = "(?s:.*)"


register_url_convertor("names", NamePath())

Handler = Callable[[Request], Awaitable[Response]]
Faults = Callable[[ChronotileError, Request], Response]
"""Words an error as one protocol does."""


def endpoint(handler: Handler, faults: Faults) -> Handler:
    """Return `handler` with its errors worded by `faults`; an unforeseen one is logged, its trace not sent."""

    async def answer(request: Request) -> Response:
        try:
            return await _answered(handler, request)
        except ClientGone:
            return Response(status_code=ClientGone.status)  # for the log; nobody reads it
        except ChronotileError as error:
            # An operator must act on it. Limiters log their own refusals, and that a source is away is a finding.
            if error.status >= 500 and not _is_logged(error):
                log.warning("%s: %s%s", request.scope["path"], error.message, _cause(error))
            return with_error_caching(faults(error, request))
        except Exception:  # the last place where an error becomes an answer
            log.exception("unexpected error at %s", request.scope["path"])
            return with_error_caching(faults(ChronotileError("internal server error"), request))
        finally:
            if ROOM in request.scope:
                forget_body(request.scope)

    return answer


async def _answered(handler: Handler, request: Request) -> Response:
    """Answer with what is served now, even if that changes as the request is begun: `retry_overtaken`, awaited."""
    for _attempt in range(ServicesRenewed.most_again):
        with suppress(ServicesRenewed):
            return await handler(request)
        forget_services(request)
    raise SourceUnavailable("what is served was replaced again and again while this was answered; try again later")


def _is_logged(error: BaseException | None) -> bool:
    """Whether the log has an error, or one that it came from, without this request."""
    if error is None or isinstance(error, UNLOGGED):
        return error is not None
    return getattr(error, "is_logged", False) or _is_logged(error.__cause__)


def _cause(error: BaseException) -> str:
    """What lies at the root of an error, for the operator: it may name files, which clients must not see."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    return "" if root is error else f" ({root})"


def with_error_caching(response: Response) -> Response:
    """Return the error with how long it may be cached: a missing thing a minute, a failing source not at all."""
    if response.status_code == 404:
        response.headers["Cache-Control"] = "max-age=60"
    elif response.status_code >= 500:
        response.headers["Cache-Control"] = "no-store"
        if response.status_code == 503:
            response.headers["Retry-After"] = RETRY_AFTER_S
    return response
