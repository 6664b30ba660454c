"""The rio-tiler reader that TiTiler uses, limited to GeoTIFF."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rasterio

from chronotile.core.errors import SourceUnavailable, UnknownPath
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.remote.files import RemoteFile, looks
from chronotile.readers.remote.gdal_plugin import gdal_files
from chronotile.readers.remote.requests import Away, Refused, Replaced


@contextmanager
def hide_xarray() -> Iterator[None]:
    """Hide xarray from rio-tiler while it is imported in this block: its unused xarray reader costs 30 MB."""
    if "xarray" in sys.modules:
        yield
        return
    sys.modules["xarray"] = None  # type: ignore[assignment]  # documented by importlib for a missing module
    try:
        yield
    finally:
        del sys.modules["xarray"]


def geotiff_reader() -> Any:  # noqa: ANN401 -- rio-tiler is imported only where it is needed
    """Return a rio-tiler reader class that opens only GeoTIFF.

    Other formats may lead to more files, such as VRT, or be written inside the name, which would bypass the
    allow-list. GDAL_SKIP would disable them for all readers of the process.
    """
    from attrs import define
    from rio_tiler.io import Reader

    @define
    class GeotiffReader(Reader):  # type: ignore[misc, unused-ignore]  # rio-tiler may be absent
        """Opens GeoTIFF only."""

        def __attrs_post_init__(self) -> None:
            """Open the file."""
            try:
                if self.dataset is None:
                    self.dataset = self._ctx_stack.enter_context(_open(str(self.input)))
                super().__attrs_post_init__()  # type: ignore[no-untyped-call, unused-ignore]  # the same
            except BaseException:  # no other code closes the file
                self._ctx_stack.close()
                raise

    return GeotiffReader


@contextmanager
def _open(path: str) -> Iterator[Any]:
    """Yield rasterio's dataset of a GeoTIFF; a remote file is read by the server, because GDAL follows redirects.

    Raises:
        UnknownPath: The remote server refuses the file, or redirects.
        SourceUnavailable: The remote server does not answer, or the file was replaced during the read.
    """
    if local_path(path) is not None:
        with rasterio.open(path, driver="GTiff") as dataset:
            yield dataset
        return
    try:
        remote = RemoteFile(path, looks.state(path))
        name = gdal_files().add(remote, base_name(path))
        try:
            with remote.reading(), rasterio.open(name, driver="GTiff") as dataset:
                yield dataset
        finally:
            gdal_files().remove(name)
    except Refused as error:
        raise UnknownPath(f"url cannot be read: {error}", locator="url") from error
    except (Away, Replaced) as error:
        raise SourceUnavailable(f"url cannot be read now: {error}; try again later", locator="url") from error
