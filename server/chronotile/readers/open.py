"""The one way to a reader."""

from urllib.parse import urlsplit

from chronotile.errors import UnsupportedSource
from chronotile.model.source import SourceSpec
from chronotile.readers.derived.derive import with_derived
from chronotile.readers.hrefs import local_path
from chronotile.readers.reader import Reader

REMEDY = "use s3:// with credentials of S3, or a server that needs none"


def open_source(spec: SourceSpec) -> Reader:
    """Return a reader of the source that `spec` names, with its masks and formulas.

    Raises:
        UnsupportedSource: It cannot be served; the message says why in one line.
    """
    _check_address(spec)
    return with_derived(_open_stored(spec.stored), spec)


def _check_address(spec: SourceSpec) -> None:
    """Refuse what no reader sends with every request.

    Raises:
        UnsupportedSource: The message names no secret.
    """
    if local_path(spec.href) is not None:
        return
    parts = urlsplit(spec.href)
    if "@" in parts.netloc:
        raise UnsupportedSource(f"user and password in a URL are not supported; {REMEDY}")
    if spec.kind == "zarr" and parts.scheme != "s3" and parts.query:
        raise UnsupportedSource(f"a query in the URL of a Zarr store, such as a signature, is not supported; {REMEDY}")


def _open_stored(spec: SourceSpec) -> Reader:
    # Each kind brings its own library, of which a server with one kind should load no other.
    if spec.kind == "zarr":
        from chronotile.readers.zarr.source import open_zarr  # noqa: PLC0415 -- see above

        return open_zarr(spec)
    if spec.kind == "cog":
        from chronotile.readers.raster.source import open_rasters  # noqa: PLC0415 -- see above

        if spec.series is None:
            return open_rasters(spec)
        from chronotile.readers.derived.stack_with_series import open_with_series  # noqa: PLC0415 -- see above

        return open_with_series(spec, open_rasters(spec))
    if spec.kind == "netcdf":
        from chronotile.readers.netcdf.files import open_netcdf_source  # noqa: PLC0415 -- see above

        return open_netcdf_source(spec)
    raise UnsupportedSource(f"sources of kind {spec.kind} cannot be read yet; zarr, cog and netcdf can")
