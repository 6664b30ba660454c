"""The kinds of source that can be served."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from chronotile.model.source import KindOptions, SourceSpec
from chronotile.readers.kind import SourceKind
from chronotile.readers.mosaic.kind import ItemsKind
from chronotile.readers.netcdf.kind import NetcdfKind
from chronotile.readers.raster.kind import RasterKind
from chronotile.readers.zarr.kind import ZarrKind

_ITEMS = ItemsKind()
KINDS = {kind.name: kind for kind in (ZarrKind(), RasterKind(), NetcdfKind(), _ITEMS)}
"""By name. A folder marked by several is of the first."""


def kind_of_spec(spec: SourceSpec) -> SourceKind:
    """Return the kind of a source; files that are tiles are items, too."""
    return KINDS[spec.kind] if spec.items is None else _ITEMS


def kind_of_path(path: Path) -> SourceKind | None:
    """Return what a file or folder seems to be, by its name and, of a folder, by what lies in it."""
    if path.is_dir():
        return next((each for each in KINDS.values() if _is_folder_of(path, each)), None)
    name = path.name.lower()
    return next((each for each in KINDS.values() if name.endswith(each.file_ends)), None)


def _is_folder_of(path: Path, kind: SourceKind) -> bool:
    return path.name.lower().endswith(kind.folder_ends) or any(_has_file(path, name) for name in kind.folder_marks)


def _has_file(folder: Path, name: str) -> bool:
    with suppress(PermissionError):  # a folder that this user may not look into is no store; its walk says why
        return (folder / name).is_file()
    return False


def kind_of_named(path: Path) -> SourceKind:
    """Return the kind of a file or store that is named by itself: a file of no known ending may be any raster."""
    return kind_of_path(path) or next(kind for kind in KINDS.values() if kind.options.has_bands)


def kind_options() -> Mapping[str, KindOptions]:
    """Return what the configuration may say of sources of each kind, by name."""
    return {name: kind.options for name, kind in KINDS.items()}
