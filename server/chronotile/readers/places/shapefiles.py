"""Shapefiles (ESRI 1998) in ZIPs, prepared for GDAL: the first one of a ZIP with a new index, its CRS and encoding."""

import io
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from chronotile.core.errors import UnsupportedSource, raised_instead, require_at_most
from chronotile.core.model.space.crs import Crs
from chronotile.readers.places.crs_texts import crs_of_file

PARTS = (".cpg", ".dbf", ".prj", ".shp")
"""Suffixes of the files that are read. The index (`.shx`), which some programs do not write, is made again."""
ENCODINGS = (
    *("utf-8", "utf8", "big5", "gbk", *(f"iso-8859-{number}" for number in range(1, 10))),
    *(f"cp{page}" for page in ("437", "850", "852", "866", "932", "936", "949", "950", *range(1250, 1259))),
)
"""Supported encodings in a `.cpg`; texts in any other encoding are read as Latin-1."""
FEWER = "send fewer shapes, or simpler ones"
MAX_MEMBERS = 1_000
HEADER_BYTES = 100
"""Size of the header of a `.shp`, which is also that of a `.shx`."""
_DAMAGED = (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError, zlib.error)
"""Errors of `zipfile` for a ZIP that is damaged or encrypted."""


@dataclass(frozen=True, slots=True)
class PlaceFile:
    """A file to be opened by GDAL; of a shapefile, its name, CRS and encoding, which its other files state."""

    content: bytes
    name: str | None = None
    """Name of the shapefile; `None` for other formats."""
    crs: Crs | None = None
    """CRS of the shapefile; `None`: GDAL reads the CRS from the file."""
    encoding: str | None = None
    """Encoding of texts that GDAL decodes as Latin-1; `None`: GDAL decodes texts correctly."""

    def decoded(self, value: Any) -> Any:  # noqa: ANN401 -- of any type
        """Return a name or value with text in the right encoding; invalid characters are replaced."""
        if self.encoding is None or not isinstance(value, str):
            return value
        return value.encode("latin-1", "replace").decode(self.encoding, "replace")


def read_zip(content: bytes, *, max_bytes: int) -> PlaceFile:
    """Return the first shapefile of a ZIP, with a new index.

    Raises:
        UnsupportedSource: The ZIP is damaged, or has no shapefile with a known CRS.
        LimitExceeded: The unpacked shapefile is larger than `max_bytes`, or the ZIP has too many members.
    """
    damaged = UnsupportedSource("the ZIP is damaged, or its compression is not supported")
    with raised_instead(_DAMAGED, damaged), ZipFile(io.BytesIO(content)) as members:
        require_at_most("members of a ZIP", len(members.filelist), MAX_MEMBERS, alternative="send the shapefile alone")
        names = sorted(name for name in members.namelist() if not PurePosixPath(name).name.startswith("."))
        first = next((name for name in names if name.lower().endswith(".shp")), None)
        if first is None:
            raise UnsupportedSource("the ZIP has no shapefile (.shp)")
        found = [members.getinfo(name) for name in names if name[:-4] == first[:-4] and name[-4:].lower() in PARTS]
        size = sum(part.file_size for part in found)  # zipfile never returns more bytes than stated here
        require_at_most("bytes of a shapefile", size, max_bytes, alternative=FEWER)
        if any(part.compress_type not in {ZIP_STORED, ZIP_DEFLATED} for part in found):
            raise damaged
        parts = {part.filename[-4:].lower(): members.read(part) for part in found}
    if ".prj" not in parts:
        raise UnsupportedSource("it has no CRS: the .prj is missing")
    crs = crs_of_file(parts.pop(".prj").decode("utf-8", "replace").strip("\ufeff\0 \r\n"))
    named = parts.pop(".cpg", b"").decode("ascii", "replace").strip().lower().removeprefix("ansi ")
    encoding = next((name for name in (named, f"cp{named}") if name in ENCODINGS), "latin-1")
    packed = io.BytesIO()
    with ZipFile(packed, "w") as flat:
        for suffix, part in (*parts.items(), (".shx", _index_of(parts[".shp"])), (".cpg", b"ISO-8859-1")):
            flat.writestr(f"shapes{suffix}", part)
    return PlaceFile(packed.getvalue(), PurePosixPath(first).stem, crs, encoding)


def _index_of(shapes: bytes) -> bytes:
    """Return the `.shx` of a `.shp`: offset and length of each record, in words of two bytes."""
    index, at = bytearray(shapes[:HEADER_BYTES]), HEADER_BYTES
    while at + 8 <= len(shapes):
        length = shapes[at + 4 : at + 8]
        index += (at // 2).to_bytes(4, "big") + length
        at += 8 + 2 * int.from_bytes(length, "big")
    index[24:28] = (len(index) // 2).to_bytes(4, "big")
    return bytes(index)
