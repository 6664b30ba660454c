"""TiTiler's endpoints as a separate application, for allowed files and within limits of cost."""

import ast
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from chronotile.core.errors import ChronotileError, InvalidParameter, SourceUnavailable, UnknownPath, require_at_most
from chronotile.core.extras import require_configured
from chronotile.core.model.expression import parse_expression
from chronotile.core.python_syntax import parse_python
from chronotile.core.web.inner_hosts import inner_hosts
from chronotile.core.web.places import AllowedPlaces, is_local
from chronotile.http.error_headers import add_error_headers
from chronotile.http.problems import problem_response
from chronotile.protocols.common.query.values import integer, number
from chronotile.readers.raster.geotiff_only import geotiff_reader, hide_xarray
from chronotile.readers.remote.gdal_plugin import gdal_files

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError


log = logging.getLogger(__name__)

SETTING = "CHRONOTILE_COG_PREFIXES"
PART_PX = 1024
"""Maximum side of a part if the client requests no size; without it, TiTiler reads the full resolution."""

MAX_REASON = 300
"""Maximum number of characters of FastAPI's message about a parameter."""

UNCHECKED = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""Errors that TiTiler raises for parameters that it does not check, such as an invalid colour map or band 0."""

GDAL_ENVIRONMENT = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no files next to the allowed file
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",  # remote files are read by `gdal_plugin`
}


def cog_application(prefixes: Sequence[str], *, path: str, max_pixels: int) -> ASGIApp:
    """Return TiTiler's endpoints, to be mounted at `path`.

    Raises:
        ConfigurationError: A prefix is not valid, or TiTiler is not installed.
    """
    places = AllowedPlaces(prefixes, setting=SETTING)
    inner_hosts.allow_addresses(prefix.host for prefix in places.remotes)
    require_configured("cog", SETTING)
    if places.remotes:
        require_configured("s3", f"a URL in {SETTING}")
        gdal_files()  # before the first file is opened
    with hide_xarray():
        from fastapi import Depends, FastAPI, Query
        from titiler.core.dependencies import PartFeatureParams
        from titiler.core.factory import TilerFactory

    def allowed_file(url: Annotated[str, Query(description="A GeoTIFF below an allowed place")]) -> str:
        return file_to_open(places, url)

    def part_size(max_size: int | None = PART_PX, height: int | None = None, width: int | None = None) -> Any:  # noqa: ANN401 -- TiTiler's own
        return PartFeatureParams(max_size=max_size, height=height, width=width)

    def check_query(request: Request) -> None:
        path_parameters = ((name, str(value)) for name, value in request.path_params.items())
        check_cost((*path_parameters, *request.query_params.multi_items()), max_pixels)

    # Never add the WMS extension: it opens the files in LAYERS without `path_dependency`.
    dependencies: dict[str, Any] = {"path_dependency": allowed_file, "img_part_dependency": part_size}
    factory = TilerFactory(
        **dependencies,
        reader=geotiff_reader(),
        environment_dependency=lambda: dict(GDAL_ENVIRONMENT),
        router_prefix=path,
    )
    app = FastAPI(title="GeoTIFFs", docs_url=None, redoc_url=None, dependencies=[Depends(check_query)])
    app.include_router(factory.router)
    _add_faults(app)
    mounted: ASGIApp = app
    return mounted


def _add_faults(app: "FastAPI") -> None:
    """Word errors as the other path APIs do. GDAL's messages are omitted, because they may contain paths."""
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
    """Return a handler of errors of a library. Status 500 becomes 400 for rio-tiler: the request caused its errors."""
    library = kind.__module__.partition(".")[0]

    async def answer(request: Request, error: Exception) -> Response:
        if library == "rasterio":
            fault: ChronotileError = SourceUnavailable("the file cannot be read; try again later", locator="url")
        elif library == "builtins":
            fault = ChronotileError("internal server error")
        else:
            fault = ChronotileError(str(error))
            fault.status = min(status, 400) if status >= 500 else status
        return add_error_headers(problem_response(fault, request))

    return answer


async def _unchecked_fault(request: Request, error: Exception) -> Response:
    log.warning("%s: %s", request.scope["path"], repr(error)[:300])
    fault = InvalidParameter("a parameter is not accepted, or does not go with this file")
    return problem_response(fault, request)


async def _own_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChronotileError)  # noqa: S101 -- what it is registered for
    return add_error_headers(problem_response(error, request))


async def _parameter_fault(request: Request, error: Exception) -> Response:
    """Answer a part of the path, a parameter or a body that FastAPI refuses before TiTiler is called."""
    first = cast("RequestValidationError", error).errors()[0]
    where, *names = map(str, first["loc"])
    name = names[0] if names and where != "body" else where
    reason = f"{name} is not accepted: {first['msg']}"[:MAX_REASON]
    fault = UnknownPath(reason, locator=name) if where == "path" else InvalidParameter(reason, locator=name)
    return add_error_headers(problem_response(fault, request))


async def _http_fault(request: Request, error: Exception) -> Response:
    """Answer a missing path, a method that is not accepted, or a body that cannot be read."""
    assert isinstance(error, HTTPException)  # noqa: S101 -- what it is registered for
    fault = ChronotileError(f"{request.method} {request.scope['path'][:200]!r}: {error.detail}")
    fault.status = error.status_code
    response = add_error_headers(problem_response(fault, request))
    response.headers.update(error.headers or {})
    return response


# Files that `/cog` may open: GeoTIFFs below the configured folders and URLs.
#
# The text of a request is never opened: it becomes a real path without links, or a URL composed again from its parts.
# So GDAL gets no name with a special meaning (`/vsi…`, `NAME:…`, inline XML, archives).

EXTENSIONS = (".tif", ".tiff")


def file_to_open(places: AllowedPlaces, text: str) -> str:
    """Return the path or URL to open.

    Raises:
        UnknownPath: The file is missing or may not be opened; the message is the same for both.
    """
    try:
        file = places.find(text)
        is_there = not is_local(file) or Path(file).is_file()
        if not is_there or not text.lower().endswith(EXTENSIONS) or not file.lower().endswith(EXTENSIONS):
            raise ValueError("it is not a GeoTIFF")
    except (ValueError, OSError) as error:
        raise UnknownPath(
            "url is not a GeoTIFF that may be opened here; accepted are files below the prefixes that the "
            "operator allows, without escapes",
            locator="url",
        ) from error
    return file


# Limits of the cost of a request to `/cog`; TiTiler has none.

SIDES = ("width", "height", "max_size")
AT_MOST = {"tilesize": 2048, "buffer": 256, "padding": 256, "histogram_bins": 1024}
MAX_BANDS = 32
MAX_PARTS = 8


def check_cost(parameters: Iterable[tuple[str, str]], max_pixels: int) -> None:
    """Check the sizes, bands and expressions in a request.

    Args:
        parameters: Parameters of path and query.
        max_pixels: Maximum number of pixels of a picture.

    Raises:
        InvalidParameter: An expression is not valid, or too costly.
        LimitExceeded: A picture would be too large.
    """
    pairs = list(parameters)
    names = {name for name, _value in pairs}
    if len(names & {"width", "height"}) == 1:
        raise InvalidParameter("width and height go together", locator="width" if "width" in names else "height")
    side = math.isqrt(max_pixels)
    for name, value in pairs:
        if name in SIDES:
            _check_size(name, value, side, limit="max_pixels")
        elif name in AT_MOST:
            _check_size(name, value, AT_MOST[name], limit=name)
        elif name == "expression":
            check_band_math(value)
    bands = sum(name == "bidx" for name, _value in pairs)
    if bands > MAX_BANDS:
        raise InvalidParameter(f"bidx names {bands} bands, at most {MAX_BANDS} are accepted", locator="bidx")


def _check_size(name: str, text: str, allowed: int, *, limit: str) -> None:
    requested = number(text, locator=name) if name == "buffer" else integer(text, locator=name)
    require_at_most(limit, math.ceil(requested), allowed, alternative="request less at once", locator=name)


def check_band_math(text: str) -> None:
    """Check an expression over bands (`b1`, `b2`, …), or several with `;` between.

    TiTiler computes with numexpr, which evaluates powers of numbers at parsing: `9**9**9` would never end.

    Raises:
        InvalidParameter: The text is not arithmetic, or raises a number to a power.
    """
    parts = [part for part in text.split(";") if part.strip()]
    if len(parts) > MAX_PARTS:
        raise InvalidParameter(f"expression has {len(parts)} parts, at most {MAX_PARTS} are accepted")
    for part in parts:
        for node in ast.walk(parse_python(parse_expression(part).text)):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not _is_plain_power(node):
                raise InvalidParameter(
                    "** takes a band or an expression of bands, and a plain number up to 16", locator="expression"
                )


def _is_plain_power(node: ast.BinOp) -> bool:
    is_of_bands = any(isinstance(n, ast.Name) for n in ast.walk(node.left))
    exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
    value = exponent.value if isinstance(exponent, ast.Constant) else None
    return is_of_bands and isinstance(value, int | float) and value <= 16
