"""The servable files below a folder, and the reasons against other files."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chronotile.archive.discovery.vrt_targets import place_outside
from chronotile.core.finding import LEFT_OUT, Finding, Severity
from chronotile.core.printable import is_unicode
from chronotile.readers.kinds import KINDS, head_of, kind_of_path
from chronotile.readers.raster.formats import VRT_END
from chronotile.readers.raster.further_formats import RAW_ENDS
from chronotile.readers.raster.kind import RasterKind
from chronotile.readers.safe_zips import members_of

MAX_DEPTH = 8
"""Depth of folders that are read."""
MAX_FILES = 200_000
RASTERS = RasterKind.options.name

_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".shp.xml")

_FOREIGN = "its format is not supported; convert it to GeoTIFF, NetCDF or Zarr"
_HDF4 = "HDF4 is not supported; write its rasters as GeoTIFF (gdal_translate -sds FILE.hdf OUT.tif)"
_HDF4_ENDS = (".hdf", ".h4", ".hdf4")
_HDF4_HEAD = b"\x0e\x03\x13\x01"
_PACKED = "an archive; unpack it"
_REASONS = {
    **dict.fromkeys((".csv", ".tsv", ".xlsx", ".xls", ".parquet"), "a table, not a raster"),
    **dict.fromkeys(
        (".json", ".geojson", ".gpkg", ".kml", ".kmz", ".gml", ".fgb"), "features or a document, not a raster"
    ),
    **dict.fromkeys(_SHAPEFILE_PARTS, "part of a shapefile, which holds features and not a raster"),
    **dict.fromkeys(
        (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"),
        "a picture that is not georeferenced; georeference it first (gdal_translate -a_srs … -a_ullr …)",
    ),
    **dict.fromkeys((".hdf", ".h4", ".h5", ".hdf5", ".he5", ".img"), _FOREIGN),
    **dict.fromkeys(RAW_ENDS[1:], "numbers without the header (.hdr) of ENVI or Esri that describes them"),
    ".asc": "a text and not a grid of Esri: it does not begin with ncols and nrows",
    ".hgt": "heights whose name does not state the place, such as N50E004.hgt",
    ".rst": "a raster of Idrisi without the .rdc that describes it",
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".7z"), _PACKED),
    **dict.fromkeys((".yaml", ".yml"), "a configuration; serve it by its name"),
}
_TILE_INDEX = "a tile index of GDAL; name it as href with tiles: true in a configuration"
_TILE_INDEX_ENDS = (".gti", ".gti.gpkg", ".gti.fgb", ".gti.parquet")
_OTHER = "neither raster, NetCDF nor Zarr"
_LEADS_OUT = f"{LEFT_OUT}it leads, or may lead, outside of this folder; to serve it, name it as href in a configuration"
_NOT_UNICODE = "its name is not UTF-8; rename it"
_LEADS_NOWHERE = "it is a link to a file that does not exist"
_SPECIAL = "it is a pipe, a socket or a device, not a file"
_HIDDEN = "its name begins with a dot; rename it if it is data"
_MAY_BE_DATA = {_FOREIGN, _HDF4, _PACKED, _NOT_UNICODE, _SPECIAL, _LEADS_NOWHERE}
"""Reasons against files that probably hold data, so that operators get a warning."""
_LISTED_SKIPS = 3
"""Number of files listed by name per reason."""


@dataclass(frozen=True, slots=True)
class WalkResult:
    """Servable files and stores in order of their names, and findings about other files."""

    places: Mapping[str, Sequence[Path]]
    """Files by name of their kind."""
    findings: tuple[Finding, ...] = ()
    left_out: tuple[Path, ...] = ()
    """Files that patterns may match, but that must not be opened."""


def walk(root: Path) -> WalkResult:
    """Return the files below a folder without hidden files. Each folder is read once, even if several links lead to it.

    Hidden data files, and data files in unsupported formats, become findings.
    """
    files: dict[str, list[Path]] = {}
    skipped: dict[str, list[Path]] = {}
    findings: list[Finding] = []
    left_out: list[Path] = []
    for path in _entries(root, findings):
        oddity, kind = _oddity(path), kind_of_path(path)
        if oddity is not None:
            skipped.setdefault(oddity, []).append(path)
        elif path.name.startswith("."):
            if kind is not None and path.is_file():
                skipped.setdefault(_HIDDEN, []).append(path)
        elif kind is not None:
            place = place_outside(path, root) if path.suffix.lower() == VRT_END else None
            if place is None:
                files.setdefault(kind.name, []).append(path)
            else:
                left_out.append(path)
                findings.append(Finding("warning", _name(path, root), _LEADS_OUT, path=place))
        elif not path.is_dir():
            try:
                if images := images_in(path):
                    files.setdefault(RASTERS, []).extend(images)
                else:
                    skipped.setdefault(reason_against(path), []).append(path)
            except OSError as error:
                findings.append(Finding("warning", _name(path, root), f"{LEFT_OUT}{error.strerror or error}"))
    skipped.pop("", None)
    findings += [skip for reason, paths in skipped.items() for skip in _skips(reason, paths, root)]
    return WalkResult(files, tuple(findings), tuple(left_out))


def images_in(path: Path) -> list[Path]:
    """Return the images of products in a ZIP file; empty for other files.

    Raises:
        OSError: A product is not read.
    """
    names = members_of(str(path)) if path.suffix.lower() == ".zip" and path.is_file() else ()
    return [path / name for name in names if name.endswith(".jp2")]


def _oddity(path: Path) -> str | None:
    """Return why a directory entry is not a file or folder that can be opened by name; `None` if it is."""
    if not is_unicode(path.name):
        return _NOT_UNICODE
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return _LEADS_NOWHERE if path.is_symlink() else ""  # deleted since the folder was listed
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else _SPECIAL


def reason_against(path: Path) -> str:
    """Return why a file is not served; empty for an auxiliary file of a source, such as a `.aux.xml`."""
    for kind in KINDS.values():
        reason = kind.side_reason(path)
        if reason is not None:
            return reason
    return reason_by_content(path) or _REASONS.get(path.suffix.lower(), _OTHER)


def reason_by_content(path: Path) -> str | None:
    """Return why a file is not served by its content; `None` if it may be served."""
    if path.name.lower().endswith(_TILE_INDEX_ENDS):
        return _TILE_INDEX
    is_meant = path.suffix.lower() in _HDF4_ENDS and head_of(path).startswith(_HDF4_HEAD)
    return _HDF4 if is_meant else None


def _entries(root: Path, findings: list[Finding]) -> Iterator[Path]:
    """Yield files, and folders that are Zarr stores, folder by folder."""

    def report(error: OSError) -> None:
        message = f"skipped: it cannot be read: {error.strerror}"
        findings.append(Finding("warning", _name(Path(error.filename), root), message))

    visited, count = set[tuple[int, int]](), 0
    for folder, folders, files in os.walk(root, followlinks=True, onerror=report):
        path, below = Path(folder), sorted(name for name in folders if not name.startswith("."))
        folders.clear()
        try:
            status = path.stat()
        except OSError as error:  # for example if the folder was deleted since it was listed
            report(error)
            continue
        if (status.st_dev, status.st_ino) in visited:
            continue
        visited.add((status.st_dev, status.st_ino))
        plain = [name for name in below if is_unicode(name) and kind_of_path(path / name) is None]
        for name in sorted({*files, *below} - {*plain}):
            count += 1
            if count > MAX_FILES:
                findings.append(Finding("warning", root.name, f"only its first {MAX_FILES} files are inspected"))
                return
            yield path / name
        if plain and len(path.relative_to(root).parts) == MAX_DEPTH:
            findings.append(Finding("warning", _name(path, root), f"folders deeper than {MAX_DEPTH} are skipped"))
        else:
            folders.extend(plain)


def _skips(reason: str, paths: Iterable[Path], root: Path) -> Iterator[Finding]:
    paths = list(paths)
    severity: Severity = "warning" if reason in _MAY_BE_DATA else "note"
    if len(paths) <= _LISTED_SKIPS:
        yield from (Finding(severity, _name(path, root), f"skipped: {reason}") for path in paths)
        return
    suffixes = ", ".join(suffix or "none" for suffix, _count in Counter(path.suffix for path in paths).most_common(5))
    yield Finding(severity, f"{len(paths)} files ({suffixes})", f"skipped: {reason}")


def _name(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path != root else path.name
