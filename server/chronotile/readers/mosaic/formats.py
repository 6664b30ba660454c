"""Which files of items GDAL opens: those that hold their pixels themselves."""

from chronotile.errors import UnsupportedSource
from chronotile.readers.foreign import opening
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.raster.formats import JPEG2000, TIFF
from chronotile.readers.remote.files import RemoteFile, looks


def require_image(href: str) -> None:
    """Check that a file is GeoTIFF or JPEG 2000: a VRT, whatever its name, could lead GDAL to any file and host.

    Raises:
        UnsupportedSource: It is another, or cannot be read.
    """
    path = local_path(href)
    with opening(base_name(href)):
        if path is None:
            file = RemoteFile(href, looks.state(href))
            begin = file.read(0, 16)
            if file.failure is not None:
                raise file.failure
        else:
            with path.open("rb") as opened:
                begin = opened.read(16)
    if not begin.startswith((*TIFF, *JPEG2000)):
        raise UnsupportedSource(f"{base_name(href)} is neither GeoTIFF nor JPEG 2000; files of items are read as these")
