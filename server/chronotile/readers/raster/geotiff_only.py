"""rio-tiler's reader, which TiTiler reads with, limited to GeoTIFF."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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
    import rasterio  # noqa: PLC0415 -- with rio-tiler
    from attrs import define
    from rio_tiler.io import Reader

    @define
    class GeotiffReader(Reader):  # type: ignore[misc, unused-ignore]  # rio-tiler may be absent
        """Opens GeoTIFF only."""

        def __attrs_post_init__(self) -> None:
            """Open the file."""
            if self.dataset is None:
                self.dataset = self._ctx_stack.enter_context(rasterio.open(self.input, driver="GTiff"))
            super().__attrs_post_init__()  # type: ignore[no-untyped-call, unused-ignore]  # the same

    return GeotiffReader
