"""Odd entries of a folder of good files: each becomes a finding, or is served too, and never stops the others."""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil

from tests.odd_archives.files import DAYS, DEGREES, NUMBERS, write_tif


def _renamed(path: Path, name: bytes) -> None:
    path.rename(path.with_name(os.fsdecode(name)))


def _not_unicode(folder: Path) -> None:
    _renamed(write_tif(folder / "t.tif"), b"gr\xf6sse_20200121.tif")


def _folder_not_unicode(folder: Path) -> None:
    write_tif(folder / "t" / "b_20200101.tif")
    _renamed(folder / "t", b"\xe4lter")


def _self_link(folder: Path) -> None:
    (folder / "self.tif").symlink_to(folder / "self.tif")


def _self_link_of_folder(folder: Path) -> None:
    (folder / "around").symlink_to("around")


def _dangling(folder: Path) -> None:
    (folder / "dangling.nc").symlink_to(folder / "nowhere.nc")


def _loop(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "above").symlink_to(folder)


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.tif")


def _socket(folder: Path) -> None:
    short = Path(f"/proc/self/fd/{(handle := os.open(folder, os.O_RDONLY))}")  # as paths of sockets are short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(short / "socket.grib"))
    os.close(handle)


def _line_break(folder: Path) -> None:
    (folder / "a\nerror  forged: line.nc").write_bytes(b"no raster")


def _deep(folder: Path) -> None:
    write_tif(folder.joinpath(*"abcdefghij") / "deep_20200101.tif")


def _named_folder(folder: Path) -> None:
    (folder / "folder.tif").mkdir()


def _written(name: str, body: bytes = b"\0") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).write_bytes(body)

    return make


NEIGHBOURS: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "name not UTF-8": (_not_unicode, "gr\\xf6sse_20200121.tif"),
    "folder not UTF-8": (_folder_not_unicode, "\\xe4lter"),
    "link to itself": (_self_link, "self.tif"),
    "link of a folder to itself": (_self_link_of_folder, "around"),
    "link to nothing": (_dangling, "dangling.nc"),
    "loop of folders": (_loop, ""),
    "pipe": (_pipe, "pipe.tif"),
    "socket": (_socket, "socket.grib"),
    "line break": (_line_break, "a\\nerror  forged: line.nc"),
    "deep folders": (_deep, "a/b/c/d/e/f/g/h"),
    "folder called .tif": (_named_folder, ""),
    "empty file": (_written("empty.tif", b""), "empty.tif"),
    "text called .tif": (_written("text.tif", b"no raster"), "text.tif"),
    "photograph": (_written("photo.png", b"\x89PNG\r\n\x1a\n"), "photo.png"),
    "raw without header": (_written("raw.bil"), "raw.bil"),
    "hidden data": (_written(".hidden.tif", b"II*\0"), ".hidden.tif"),
    "archive": (_written("packed.zip", b"PK"), "packed.zip"),
    "lone metadata": (_written("lone.tif.aux.xml", b"<PAMDataset/>"), "lone.tif.aux.xml"),
    "same name in capitals": (lambda folder: write_tif(folder / "GOOD_20200111.TIF") and None, ""),
}
"""Makers with the place of the finding; empty if none is needed."""


def write_good(folder: Path) -> Path:
    """Write two dates, of 1 and 2."""
    for value, day in enumerate(DAYS, start=1):
        write_tif(folder / f"good_{day}.tif", np.full_like(NUMBERS, value), crs="EPSG:4326", transform=DEGREES)
    return folder


def drawn(seed: int) -> tuple[str, ...]:
    """Return the names of some neighbours."""
    draw = np.random.default_rng(seed)
    return tuple(map(str, draw.choice(list(NEIGHBOURS), size=draw.integers(1, 6), replace=False)))


FORMATS: Mapping[str, tuple[str, str]] = {
    "HFA": ("numbers.img", "HFA"),
    "ASCII": ("numbers.asc", "AAIGrid"),
    "EHdr": ("numbers.bil", "EHdr"),
    "ENVI": ("numbers.dat", "ENVI"),
    "Idrisi": ("numbers.rst", "RST"),
    "PNG": ("numbers.png", "PNG"),
    "JPEG 2000": ("numbers.jp2", "JP2OpenJPEG"),
}
"""Names of files and GDAL's formats that are served in folders."""


def write_format(name: str, folder: Path) -> Path:
    """Write `NUMBERS` in degrees as one file of a format."""
    file, driver = FORMATS[name]
    source = write_tif(folder / "source.tif", dtype="uint8", crs="EPSG:4326", transform=DEGREES)
    options = {"REVERSIBLE": "YES", "QUALITY": 100} if driver == "JP2OpenJPEG" else {}
    rasterio.shutil.copy(source, folder / file, driver=driver, **options)
    source.unlink()
    return folder / file
