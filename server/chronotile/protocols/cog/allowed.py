"""Which files `/cog` may open: those below configured folders and URLs, however they are spelt.

The text of a request is never opened: it becomes a real path without links, or a URL composed again of its parts. So
GDAL gets no name that has a meaning of its own to it (`/vsi…`, `NAME:…`, inline XML, archives).
"""

from pathlib import Path

from chronotile.errors import UnknownPath
from chronotile.web.places import Places, is_local

EXTENSIONS = (".tif", ".tiff")


def file_to_open(places: Places, text: str) -> str:
    """Return the path or URL to open.

    Raises:
        UnknownPath: The text names nothing that may be opened; the message is the same whatever the reason.
    """
    try:
        found = places.find(text)
        is_there = not is_local(found) or Path(found).is_file()
        if not is_there or not text.lower().endswith(EXTENSIONS) or not found.lower().endswith(EXTENSIONS):
            raise ValueError("it is not a GeoTIFF")
    except (ValueError, OSError) as error:
        raise UnknownPath(
            "url is not a GeoTIFF that may be opened here; accepted are files below the prefixes that the "
            "operator allows, without escapes",
            locator="url",
        ) from error
    return found
