"""Tile matrix sets by name or from JSON files (OGC 17-083r4)."""

import itertools
import json
import math
from functools import cache
from pathlib import Path

import morecantile
from morecantile.errors import MorecantileError
from pydantic import ValidationError
from pyproj.exceptions import CRSError

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.crs import Crs, crs_of, is_north_first
from chronotile.core.model.space.tiles import PIXEL_SIZE_M, TileMatrix, TileMatrixSet
from chronotile.core.yaml_source import list_names, nearest

SET_ALIASES = {"WebMercatorQuad": ("EPSG:3857", "EPSG:900913", "GoogleMapsCompatible")}
"""Names of a set in other servers."""
MAX_FILE_BYTES = 1_000_000

_FIRST_SCALE = 559082264.0287178
_SCALE_SETS = {
    "EPSG:3857": "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible",
    "OGC:CRS84": "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad",
}
"""Scale sets of WMTS 1.0.0 Annex E by CRS; their scales start at `_FIRST_SCALE` and halve at each level."""


def load_tile_matrix_set(name: str, *, folder: Path) -> TileMatrixSet:
    """Return the set with that name, or from the JSON file at that path, relative to `folder`.

    Raises:
        InvalidParameter: It does not exist or cannot be served; the message has the reason in one line.
    """
    if "/" in name or name.lower().endswith(".json"):
        return _convert_set(_read_json_file(folder / name, name))
    identifiers = morecantile.tms.list()
    names = {alias: identifier for identifier, aliases in SET_ALIASES.items() for alias in aliases}
    identifier = names.get(name, name)
    if identifier not in identifiers:
        raise InvalidParameter(
            f"tile matrix set {name[:60]!r} is not known{nearest(name, identifiers)}; accepted are "
            f"{list_names([*identifiers, *names])} and paths to JSON files"
        )
    return _load_morecantile_set(identifier)


@cache
def _load_morecantile_set(identifier: str) -> TileMatrixSet:
    return _convert_set(morecantile.tms.get(identifier))


def _read_json_file(path: Path, name: str) -> morecantile.TileMatrixSet:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidParameter(f"{name[:80]} is larger than {MAX_FILE_BYTES} bytes")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidParameter(f"{name[:80]} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"{name[:80]} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidParameter(f"{name[:80]} does not contain a JSON object")
    try:
        return morecantile.TileMatrixSet.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise InvalidParameter(f"{name[:80]} is not a tile matrix set: {where}: {first['msg']}") from error
    except (CRSError, MorecantileError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidParameter(f"{name[:80]} is not a tile matrix set: {error}") from error


def _convert_set(source: morecantile.TileMatrixSet) -> TileMatrixSet:
    identifier = source.id or "custom"
    if source.is_variable:
        raise InvalidParameter(f"{identifier} has matrices of variable width, which are not served")
    if any(matrix.cornerOfOrigin != "topLeft" for matrix in source.tileMatrices):
        raise InvalidParameter(f"{identifier} counts rows from the bottom, which is not served; accepted is topLeft")
    crs = crs_of(source.crs.to_wkt())
    is_y_first = _is_y_first(source.orderedAxes, crs)
    matrices = tuple(_convert_matrix(matrix, crs, is_y_first=is_y_first) for matrix in source.tileMatrices)
    _check_cells(identifier, matrices)
    return TileMatrixSet(
        id=identifier,
        title=source.title or identifier,
        crs=crs,
        matrices=matrices,
        well_known_scale_set=_well_known_scale_set(crs, matrices),
        uri=_registered_uri(source),
        aliases=SET_ALIASES.get(identifier, ()),
    )


def _convert_matrix(source: morecantile.models.TileMatrix, crs: Crs, *, is_y_first: bool) -> TileMatrix:
    """Convert a matrix; the scale follows from the cell size: CanadianNAD83_LCC assumes pixels of another size."""
    first, second = source.pointOfOrigin
    x_origin, y_origin = (second, first) if is_y_first else (first, second)
    return TileMatrix(
        id=source.id,
        cell_size=source.cellSize,
        scale_denominator=source.cellSize * crs.metres_per_unit / PIXEL_SIZE_M,
        left=float(x_origin),
        top=float(y_origin),
        tile_width=source.tileWidth,
        tile_height=source.tileHeight,
        matrix_width=source.matrixWidth,
        matrix_height=source.matrixHeight,
    )


def _check_cells(identifier: str, matrices: tuple[TileMatrix, ...]) -> None:
    sizes = [matrix.cell_size for matrix in matrices]
    if not sizes:
        raise InvalidParameter(f"{identifier} has no tile matrix")
    if not all(math.isfinite(size) and size > 0 for size in sizes):
        raise InvalidParameter(f"{identifier} has a tile matrix whose cellSize is not positive")
    if any(finer >= coarser for coarser, finer in itertools.pairwise(sizes)):
        raise InvalidParameter(f"{identifier} has tile matrices that do not go from coarse to fine")


def _well_known_scale_set(crs: Crs, matrices: tuple[TileMatrix, ...]) -> str | None:
    """Return the scale set of WMTS 1.0.0 Annex E if the scales start at its first one and skip none.

    WorldCRS84Quad starts at the second scale of GoogleCRS84Quad, although OGC 17-083r4 Annex D.2 assigns that set.
    """
    scales = (matrix.scale_denominator for matrix in matrices)
    is_whole = all(math.isclose(scale, _FIRST_SCALE / 2**level, rel_tol=1e-9) for level, scale in enumerate(scales))
    return _SCALE_SETS.get(crs.name) if is_whole else None


def _registered_uri(source: morecantile.TileMatrixSet) -> str | None:
    # Ignore the URI of another set: WGS1984Quad, with swapped corners, has the URI of WorldCRS84Quad.
    uri = "" if source.uri is None else str(source.uri)
    return uri if source.id and uri.endswith(f"/{source.id}") else None


def _is_y_first(axes: list[str] | None, crs: Crs) -> bool:
    """Return whether corners in the document have y first: the order of the CRS, unless `axes` differ from its axes."""
    crs_axes = [axis.abbrev.lower() for axis in crs.definition.axis_info]
    document_axes = [axis.lower() for axis in axes or ()]
    if not document_axes or document_axes == crs_axes:
        return is_north_first(crs)
    return document_axes[0] in {"y", "n", "lat", "northing", "latitude"}
