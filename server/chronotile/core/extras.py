"""Libraries of the extras of this package, and messages about missing libraries."""

import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Final

from chronotile.core.errors import ChronotileError, ConfigurationError, MissingExtra

LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    "access": ("joserfc",),
    "analysis": ("scipy",),
    "cog": ("titiler", "fastapi"),
    "dask": ("distributed", "cryptography"),
    "hdf5": ("hdf5plugin",),
    "icechunk": ("icechunk", "zarr"),
    "netcdf": ("xarray", "h5netcdf", "h5py", "scipy"),
    "parquet": ("pyarrow",),
    "places": ("pyogrio",),
    "postgresql": ("psycopg",),
    "s3": ("aiohttp", "obstore"),
    "video": ("av",),
    "zarr": ("zarr", "xarray"),
}
"""Modules that an extra provides; `pyproject.toml` names their distributions."""


def missing_extra(extra: str, what: str) -> str | None:
    """Return the message that `what` needs an extra; `None` if its libraries are installed.

    Imports nothing, so that `what` can be refused before any work.

    Args:
        extra: A name of `LIBRARIES`.
        what: The subject of the message: a format, a source, an option.
    """
    absent = _absent(extra)
    return None if absent is None else f"{what} needs {absent}, which is not installed: {install(extra)}"


def has_extra(extra: str) -> bool:
    """Return whether all libraries of an extra are installed."""
    return _absent(extra) is None


def require_extra(
    extra: str, what: str, *, locator: str | None = None, error: type[ChronotileError] = MissingExtra
) -> None:
    """Check that the libraries of an extra are installed; a message for clients refers to the server's environment.

    Args:
        extra: A name of `LIBRARIES`.
        what: The subject of the message.
        locator: The parameter at fault.
        error: Class of the error: `UnsupportedSource` if a source needs the extra.

    Raises:
        MissingExtra: A library is missing.
    """
    message = missing_extra(extra, what)
    if message is None:
        return
    if issubclass(error, MissingExtra):
        message = f"{what} needs {_absent(extra)}, which the server lacks: in its environment, {install(extra)}"
    raise error(message, locator=locator)


def require_configured(extra: str, setting: str) -> None:
    """Check that the libraries of the extra for a setting are installed.

    Raises:
        ConfigurationError: A library is missing.
    """
    absent = missing_extra(extra, setting)
    if absent is not None:
        raise ConfigurationError([absent])


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'chronotile[{extra}]'"


def _absent(extra: str) -> str | None:
    # The first library of an extra that is not installed.
    return next((name for name in LIBRARIES[extra] if not _is_installed(name)), None)


def _is_installed(name: str) -> bool:
    return sys.modules[name] is not None if name in sys.modules else _is_found(name)


@cache
def _is_found(name: str) -> bool:
    # Cached, because each request to a remote server needs it.
    return find_spec(name) is not None
