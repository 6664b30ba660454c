"""Targets of VRTs: GDAL follows them to any file and host, with the credentials of this machine."""

import os
import re
from pathlib import Path
from typing import Any

from lxml import etree

from chronotile.core.errors import ChronotileError
from chronotile.readers.kinds import head_of
from chronotile.readers.library_errors import opening
from chronotile.readers.netcdf.hdf5 import survey_hdf5
from chronotile.readers.netcdf.source import HDF5
from chronotile.readers.raster.formats import JPEG2000, VRT_END
from chronotile.readers.tiff import TIFF

MAX_NESTED = 4
"""Depth of nested VRTs that are read."""
_ROOT = "VRTDataset"
_NAMES = ("sourcefilename", "sourcedataset", "dempath")
_KEYS = re.compile(r"[XY]_DATASET|RPC_DEM|.*DATASET_FILENAME.*", re.IGNORECASE)
"""Options and arguments whose values are file names."""
_SUBDATASET = re.compile(r'(?:NETCDF|HDF5):"?(?P<path>[^":]+)"?:.*')
_HOLDING = (*TIFF, *JPEG2000, b"GRIB", HDF5, b"CDF", b"\x89PNG", b"\xff\xd8\xff", b"EHFA_HEADER_TAG")
"""First bytes of files that contain pixels. Other files, such as texts, may lead GDAL to other files."""


def place_outside(vrt: Path, root: Path, *, nested: int = 0) -> str | None:
    """Return the first location in a VRT, or in VRTs that it refers to, that is not a file below a folder."""
    folders = (Path(os.path.normpath(root)), root.resolve())
    try:
        with vrt.open("rb") as file:
            elements = etree.iterparse(file, resolve_entities=False, no_network=True)
            locations = [
                (text, _path_of(text, vrt, element))
                for _event, element in elements
                if _is_name(element) and (text := (element.text or "").strip())
            ]
    except etree.XMLSyntaxError:
        return "places in a text other than XML"
    except OSError:
        return None  # the reader of the VRT reports that it cannot be read
    if nested and elements.root.tag != _ROOT:
        return f"{vrt.name}, which is not a VRT"
    for text, path in dict.fromkeys(locations):
        if path is None or not any(map(path.is_relative_to, folders)):
            return text
        if path.suffix.lower() != VRT_END:
            outside = text if _may_lead_on(path) else None
        elif path != vrt:
            outside = text if nested == MAX_NESTED else place_outside(path, root, nested=nested + 1)
        else:
            outside = None
        if outside is not None:
            return outside
    return None


def _is_name(element: Any) -> bool:  # noqa: ANN401 -- lxml has no types
    # Whether the text of an element names a file.
    key = element.get("key") or element.get("name") or ""
    return str(element.tag).lower() in _NAMES or _KEYS.fullmatch(key) is not None


def _path_of(text: str, vrt: Path, element: Any) -> Path | None:  # noqa: ANN401 -- lxml has no types
    """Return the file in a VRT without following links; `None` for URLs and other texts."""
    relative = {key.lower(): value for key, value in element.attrib.items()}.get("relativetovrt", "0")
    base = {"1": vrt.parent, "0": Path.cwd()}.get(relative)
    if base is None or "/vsi" in text or "://" in text or text.startswith("<"):
        return None
    path = Path(os.path.normpath(base / text))
    if ":" not in text or path.is_file():
        return path
    subdataset = _SUBDATASET.fullmatch(text)
    return Path(os.path.normpath(base / subdataset["path"])) if subdataset else None


def _may_lead_on(path: Path) -> bool:
    """Return whether a file may lead GDAL to other files; False if it is missing or empty."""
    head = head_of(path)
    if not head.startswith(HDF5):
        return bool(head) and not head.startswith(_HOLDING)
    try:
        with opening(path.name):
            return survey_hdf5(path).elsewhere is not None
    except ChronotileError:  # h5py is missing, or the file is damaged or unsupported
        return True
