"""TiTiler's endpoints as an application of their own, with only what its allow-list lets through."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from chronotile.errors import ChronotileError, ConfigurationError, LimitExceeded, SourceUnavailable
from chronotile.protocols.cog.allowed import EXTENSIONS, AllowList
from chronotile.protocols.cog.limits import check_cost
from chronotile.protocols.cog.redirects import RedirectCheck
from chronotile.protocols.common.endpoint import with_error_caching
from chronotile.protocols.common.problem import problem_response
from chronotile.readers.geotiff_only import geotiff_reader

if TYPE_CHECKING:
    from fastapi import FastAPI

PART_PX = 1024
"""Longest side of a part whose size is not asked for; TiTiler would read it at full resolution."""

MAX_BODY_BYTES = 1 << 20
"""Of a GeoJSON feature."""

GDAL_ENVIRONMENT = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no files beside the one that is allowed
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ",".join(EXTENSIONS),
    "CPL_VSIL_CURL_USE_S3_REDIRECT": "NO",
    "GDAL_HTTP_CONNECTTIMEOUT": "5",
    "GDAL_HTTP_TIMEOUT": "30",
}


def cog_application(prefixes: Sequence[str], *, path: str, max_pixels: int) -> ASGIApp:
    """Return TiTiler's endpoints, to be mounted at `path`.

    Raises:
        ConfigurationError: A prefix is none, or TiTiler is not installed.
    """
    allowed, redirects = AllowList(prefixes), RedirectCheck()
    try:
        from fastapi import Depends, FastAPI, Query  # noqa: PLC0415 -- only where /cog is on
        from titiler.core.dependencies import PartFeatureParams
        from titiler.core.factory import TilerFactory
    except ImportError as error:
        raise ConfigurationError(
            ["CHRONOTILE_COG_PREFIXES: /cog needs TiTiler; install it with: pip install 'chronotile[cog]'"]
        ) from error

    def file_to_open(url: Annotated[str, Query(description="A GeoTIFF below an allowed place")]) -> str:
        place = allowed.resolve(url)
        if place.startswith("http"):
            redirects.check(place)
        return place

    def part_size(max_size: int | None = PART_PX, height: int | None = None, width: int | None = None) -> Any:  # noqa: ANN401 -- TiTiler's own
        return PartFeatureParams(max_size=max_size, height=height, width=width)

    def bounded(request: Request) -> None:
        _check_body(request)
        path_parameters = ((name, str(value)) for name, value in request.path_params.items())
        check_cost((*path_parameters, *request.query_params.multi_items()), max_pixels)

    # Never with the WMS extension: it opens what LAYERS names without asking path_dependency.
    dependencies: dict[str, Any] = {"path_dependency": file_to_open, "img_part_dependency": part_size}
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


def _check_body(request: Request) -> None:
    if request.method not in {"GET", "HEAD"}:
        length = request.headers.get("content-length", "")
        asked = int(length) if length.isdecimal() else MAX_BODY_BYTES + 1
        if asked > MAX_BODY_BYTES:
            fault = LimitExceeded(
                "max_body_bytes", allowed=MAX_BODY_BYTES, asked=asked, alternative="send a simpler geometry"
            )
            fault.status = 413
            raise fault


def _add_faults(app: "FastAPI") -> None:
    """Errors as all path APIs word them; what a library says of a file may name paths, and is not told."""
    from titiler.core.errors import DEFAULT_STATUS_CODES

    for kind, status in DEFAULT_STATUS_CODES.items():
        if kind is not Exception:
            app.add_exception_handler(kind, _foreign_fault(status))
    app.add_exception_handler(ChronotileError, _own_fault)


def _foreign_fault(status: int) -> Any:  # noqa: ANN401 -- Starlette's kind of handler is no type of its own
    async def answer(request: Request, error: Exception) -> Response:
        fault: ChronotileError = SourceUnavailable("the file cannot be read; try again later", locator="url")
        if status < 500:
            fault = ChronotileError(str(error))
            fault.status = status
        return with_error_caching(problem_response(fault, request))

    return answer


async def _own_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChronotileError)  # noqa: S101 -- what it is registered for
    return with_error_caching(problem_response(error, request))
