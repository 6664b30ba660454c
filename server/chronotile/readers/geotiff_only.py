"""rio-tiler's reader, which TiTiler reads with, kept to GeoTIFF."""

from typing import Any


def geotiff_reader() -> Any:  # noqa: ANN401 -- rio-tiler is imported only where it is needed
    """Return the class of a rio-tiler reader that opens nothing but GeoTIFF.

    Formats that lead to other files, such as VRT, or are written inside the name, are so no way out of an allow-list.
    GDAL_SKIP would take them from all readers of the process.
    """
    import rasterio  # noqa: PLC0415 -- with rio-tiler
    from attrs import define  # noqa: PLC0415 -- with rio-tiler
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
