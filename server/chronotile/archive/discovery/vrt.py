"""Where a VRT leads: GDAL follows it to any file and host, with the credentials of this machine."""

import os
import re
from pathlib import Path

from lxml import etree

MOST_NESTED = 4
"""VRTs in VRTs that are looked into."""
_NAMES = ("sourcefilename", "sourcedataset")
_SUBDATASET = re.compile(r'(?:NETCDF|HDF5):"?(?P<path>[^":]+)"?:.*')


def place_outside(vrt: Path, root: Path, *, nested: int = 0) -> str | None:
    """Return the first place that a VRT names, or one that it names, which is not a file below a folder."""
    folders = (Path(os.path.normpath(root)), root.resolve())
    try:
        with vrt.open("rb") as file:
            named = [
                (text, _path_of(text, vrt.parent if element.get("relativeToVRT") == "1" else Path.cwd()))
                for _event, element in etree.iterparse(file, resolve_entities=False, no_network=True)
                if str(element.tag).lower() in _NAMES and (text := (element.text or "").strip())
            ]
    except etree.XMLSyntaxError:
        return "places in a text other than XML"
    except OSError:
        return None  # which its reader reports
    for text, path in dict.fromkeys(named):
        if path is None or not any(map(path.is_relative_to, folders)):
            return text
        if path.suffix.lower() == ".vrt" and path != vrt:
            further = text if nested == MOST_NESTED else place_outside(path, root, nested=nested + 1)
            if further is not None:
                return further
    return None


def _path_of(text: str, base: Path) -> Path | None:
    """The file that a VRT names, links not followed; nothing of a URL and of what is no file."""
    if "/vsi" in text or "://" in text:
        return None
    path = Path(os.path.normpath(base / text))
    if ":" not in text or path.is_file():
        return path
    subdataset = _SUBDATASET.fullmatch(text)
    return Path(os.path.normpath(base / subdataset["path"])) if subdataset else None
