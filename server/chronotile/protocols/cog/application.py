"""TiTiler's endpoints as an application of their own, with only what its allow-list lets through."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from chronotile.errors import (
    ChronotileError,
    ConfigurationError,
    InvalidParameter,
    SourceUnavailable,
    UnknownPath,
)
from chronotile.extras import missing_extra
from chronotile.protocols.cog.allowed import file_to_open
from chronotile.protocols.cog.limits import check_cost
from chronotile.protocols.common.endpoint import with_error_caching
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.readers.raster.geotiff_only import geotiff_reader, without_xarray
from chronotile.readers.remote.gdal_plugin import gdal_files
from chronotile.web.inner_hosts import inner_hosts
from chronotile.web.places import Places

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError

log = logging.getLogger(__name__)

SETTING = "CHRONOTILE_COG_PREFIXES"
PART_PX = 1024
"""Longest side of a part whose size is not requested; TiTiler would read it at full resolution."""

MAX_REASON = 300
"""Characters of FastAPI's message about a parameter."""

UNCHECKED = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What TiTiler fails with where it has not checked a parameter, such as a colour map that is none or a band 0."""

GDAL_ENVIRONMENT = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no files beside the one that is allowed
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",  # files elsewhere are read by our own requests
}


def cog_application(prefixes: Sequence[str], *, path: str, max_pixels: int) -> ASGIApp:
    """Return TiTiler's endpoints, to be mounted at `path`.

    Raises:
        ConfigurationError: A prefix is none, or TiTiler is not installed.
    """
    places = Places(prefixes, setting=SETTING)
    inner_hosts.allow_addresses(each.host for each in places.remotes)
    absent = missing_extra("cog", SETTING)
    if absent is None and places.remotes:
        absent = missing_extra("s3", f"a URL in {SETTING}")
        gdal_files()  # before the first file is opened
    if absent is not None:
        raise ConfigurationError([absent])
    with without_xarray():
        from fastapi import Depends, FastAPI, Query
        from titiler.core.dependencies import PartFeatureParams
        from titiler.core.factory import TilerFactory

    def allowed_file(url: Annotated[str, Query(description="A GeoTIFF below an allowed place")]) -> str:
        return file_to_open(places, url)

    def part_size(max_size: int | None = PART_PX, height: int | None = None, width: int | None = None) -> Any:  # noqa: ANN401 -- TiTiler's own
        return PartFeatureParams(max_size=max_size, height=height, width=width)

    def bounded(request: Request) -> None:
        path_parameters = ((name, str(value)) for name, value in request.path_params.items())
        check_cost((*path_parameters, *request.query_params.multi_items()), max_pixels)

    # Never with the WMS extension: it opens what LAYERS names without asking path_dependency.
    dependencies: dict[str, Any] = {"path_dependency": allowed_file, "img_part_dependency": part_size}
    factory = TilerFactory(
        **dependencies,
        reader=geotiff_reader(),
        environment_dependency=lambda: dict(GDAL_ENVIRONMENT),
        router_prefix=path,
    )
    app = FastAPI(title="GeoTIFFs", docs_url=None, redoc_url=None, dependencies=[Depends(bounded)])
    app.include_router(factory.router)
    _add_faults(app)
    mounted: ASGIApp = app
    return mounted


def _add_faults(app: "FastAPI") -> None:
    """Errors as all path APIs word them; what GDAL says of a file may name paths, and is left out."""
    from fastapi import exceptions
    from titiler.core.errors import DEFAULT_STATUS_CODES

    for kind, status in DEFAULT_STATUS_CODES.items():
        app.add_exception_handler(kind, _foreign_fault(kind, status))
    for kind in UNCHECKED:
        app.add_exception_handler(kind, _unchecked_fault)
    app.add_exception_handler(ChronotileError, _own_fault)
    app.add_exception_handler(exceptions.RequestValidationError, _parameter_fault)
    app.add_exception_handler(HTTPException, _http_fault)


def _foreign_fault(kind: type[Exception], status: int) -> Any:  # noqa: ANN401 -- no type of its own in Starlette
    """TiTiler takes all of rio-tiler's errors that it does not know for the server's; they are of the request."""
    library = kind.__module__.partition(".")[0]

    async def answer(request: Request, error: Exception) -> Response:
        if library == "rasterio":
            fault: ChronotileError = SourceUnavailable("the file cannot be read; try again later", locator="url")
        elif library == "builtins":
            fault = ChronotileError("internal server error")
        else:
            fault = ChronotileError(str(error))
            fault.status = min(status, 400) if status >= 500 else status
        return with_error_caching(problem_response(fault, request))

    return answer


async def _unchecked_fault(request: Request, error: Exception) -> Response:
    log.warning("%s: %s", request.scope["path"], repr(error)[:300])
    fault = InvalidParameter("a parameter is not accepted, or does not go with this file")
    return problem_response(fault, request)


async def _own_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChronotileError)  # noqa: S101 -- what it is registered for
    return with_error_caching(problem_response(error, request))


async def _parameter_fault(request: Request, error: Exception) -> Response:
    """What FastAPI refuses before TiTiler sees it: a part of the path, a parameter of the query or the body."""
    first = cast("RequestValidationError", error).errors()[0]
    where, *names = map(str, first["loc"])
    name = names[0] if names and where != "body" else where
    reason = f"{name} is not accepted: {first['msg']}"[:MAX_REASON]
    fault = UnknownPath(reason, locator=name) if where == "path" else InvalidParameter(reason, locator=name)
    return with_error_caching(problem_response(fault, request))


async def _http_fault(request: Request, error: Exception) -> Response:
    """A path that is not there, a method that is not accepted, or a body that cannot be read."""
    assert isinstance(error, HTTPException)  # noqa: S101 -- what it is registered for
    fault = ChronotileError(f"{request.method} {request.scope['path'][:200]!r}: {error.detail}")
    fault.status = error.status_code
    response = with_error_caching(problem_response(fault, request))
    response.headers.update(error.headers or {})
    return response
