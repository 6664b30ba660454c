"""rio-tiler's reader, which TiTiler reads with, limited to GeoTIFF."""

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
def without_xarray() -> Iterator[None]:
    """Let rio-tiler, imported in the block, find no xarray: for a reader unused here it costs 30 MB, with pandas."""
    if "xarray" in sys.modules:
        yield
        return
    sys.modules["xarray"] = None  # type: ignore[assignment]  # what importlib documents for a module that is absent
    try:
        yield
    finally:
        del sys.modules["xarray"]


def geotiff_reader() -> Any:  # noqa: ANN401 -- rio-tiler is imported only where it is needed
    """Return the class of a rio-tiler reader that opens only GeoTIFF.

    Formats that lead to other files, such as VRT, or are written inside the name, are so no way out of an allow-list.
    GDAL_SKIP would take them from all readers of the process.
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
                    self.dataset = self._ctx_stack.enter_context(_opened(str(self.input)))
                super().__attrs_post_init__()  # type: ignore[no-untyped-call, unused-ignore]  # the same
            except BaseException:  # whatever it is: nobody else closes the file
                self._ctx_stack.close()
                raise

    return GeotiffReader


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Give rasterio's dataset of a GeoTIFF; one elsewhere is read by our own requests, as GDAL follows redirects.

    Raises:
        UnknownPath: Its server refuses it, or redirects.
        SourceUnavailable: Its server does not answer, or it was replaced meanwhile.
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
