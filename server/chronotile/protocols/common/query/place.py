"""Where a request asks: points, geometries, the order of their axes, tiles, and how the cells of an area count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import InvalidParameter, UnknownPath, raised_as
from chronotile.core.model.collection import Layer
from chronotile.core.model.crs import CRS84, Crs, HasCrs, is_north_first
from chronotile.core.model.geometry.geojson import GeometryRules
from chronotile.core.model.grid import BBox, Grid
from chronotile.core.model.request import WEIGHTS as WORDS
from chronotile.core.model.request import Point, place_in_degrees
from chronotile.core.model.series.analysis import MEAN, parse_reducer
from chronotile.core.model.tiles import TileMatrix, TileMatrixSet
from chronotile.protocols.common.query.kvp import Kvp, integer
from chronotile.protocols.common.query.parameter import choice, custom, number, text

LON = number("lon", "Longitude in degrees")
LAT = number("lat", "Latitude in degrees")
X = number("x", "Instead of `lon`, in `crs`")
Y = number("y", "Instead of `lat`, in `crs`")
CRS = text("crs", "CRS of the coordinates, x before y: one the service offers, or the layer's own; default: CRS84")


def requested_point(layer: Layer, query: Kvp, catalogue: Catalogue) -> Point:
    """Return the place of `lon` and `lat`, or of `x` and `y` in `crs`, x before y whatever the CRS says.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    if not ("x" in query or "y" in query):
        if "crs" in query:
            raise InvalidParameter("crs belongs to x and y; lon and lat are in CRS84", locator="crs")
        return longitude_latitude(query, hint="; coordinates in metres are x and y, and need crs=")
    if "lon" in query or "lat" in query:
        raise InvalidParameter("give either lon and lat, or x, y and crs", locator="x")
    x, y = X.of(query), Y.of(query)
    crs = requested_crs(CRS.given(query), layer, catalogue)
    if not crs.is_geographic:
        return Point(x=x, y=y, crs=crs)
    hint = "" if "crs" in query else "; coordinates in metres need crs="
    return place_in_degrees(x, y, crs=crs, names=("x", "y"), hint=hint)


def longitude_latitude(query: Kvp, *, hint: str = "") -> Point:
    """Return the place of `lon` and `lat`.

    Args:
        query: What has them.
        hint: What the message adds where one is no such degree.

    Raises:
        ChronotileError: One is missing or no such degree.
    """
    return place_in_degrees(LON.of(query), LAT.of(query), hint=hint)


def geometry_rules(layer: Layer, query: Kvp, catalogue: Catalogue, *, elsewhere: str) -> GeometryRules:
    """Return what the geometries of a body about a layer may be; `elsewhere` is the path of one, or of many."""
    return GeometryRules(
        max_vertices=catalogue.limits.max_vertices,
        max_features=catalogue.limits.max_features,
        crs_named=lambda name: requested_crs(name, layer, catalogue),
        crs=CRS.given(query),
        elsewhere=elsewhere,
    )


def requested_crs(name: str | None, owner: HasCrs, catalogue: Catalogue) -> Crs:
    """Return one of those offered, or of the owner's own; CRS84 where none is named.

    Raises:
        UnsupportedCrs: It is neither.
    """
    return CRS84 if name is None else catalogue.offered_crs(name, owner)


# Coordinates in the order a CRS defines its axes: turned to x, y here, and nowhere else.


def as_xy(box: BBox, crs: Crs) -> BBox:
    """Return a box whose edges were written in the axis order of `crs` with x before y."""
    return BBox(box.ymin, box.xmin, box.ymax, box.xmax) if is_north_first(crs) else box


def in_axis_order(coordinates: Sequence[float], crs: Crs) -> tuple[float, ...]:
    """Return x, y pairs (`x, y` or `xmin, ymin, xmax, ymax`) in the axis order of `crs`."""
    if not is_north_first(crs):
        return tuple(coordinates)
    return tuple(coordinate for x, y in zip(coordinates[::2], coordinates[1::2], strict=True) for coordinate in (y, x))


WEIGHTS = choice(
    "weights",
    "Which cells belong to an area and their weights; `auto` is `area` for small areas; default: `pixel`",
    WORDS,
    default="pixel",
    any_case=False,
)
REDUCER = custom(
    "reducer", "One of those of `/timeseries` except histograms; default: `mean`", parse_reducer, default=MEAN
)
MIN_VALID = number(
    "min_valid", "Minimum share of cells with a value; below it there is no result", least=0, most=1, default=0.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileAddress:
    """Which tile, of a set and matrix that are offered; the row and column may lie outside the matrix."""

    tile_matrix_set: TileMatrixSet
    matrix: TileMatrix
    row: int
    column: int

    def grid(self) -> Grid:
        """Return the pixels of the tile.

        Raises:
            TileOutOfRange: The matrix has no such row or column.
        """
        return self.tile_matrix_set.tile_grid(self.matrix, row=self.row, column=self.column)


def tile_address(catalogue: Catalogue, *, tile_matrix_set: str, matrix: str, row: str, column: str) -> TileAddress:
    """Return the tile that segments of a path name.

    Raises:
        UnknownTileMatrixSet: The set is not offered, or has no such matrix.
        UnknownPath: A row or column is not a number.
    """
    found = catalogue.tile_matrix_set(tile_matrix_set)
    return TileAddress(
        tile_matrix_set=found, matrix=found.matrix(matrix), row=_place(row, "row"), column=_place(column, "column")
    )


def tile_grid_of(path: Mapping[str, str], catalogue: Catalogue) -> Grid:
    """Return the pixels of the tile that `…/{tms}/{z}/{x}/{y}` names.

    Raises:
        UnknownTileMatrixSet: The set is not offered, or has no such matrix.
        TileOutOfRange: The matrix has no such row or column.
        UnknownPath: A row or column is not a number.
    """
    address = tile_address(catalogue, tile_matrix_set=path["tms"], matrix=path["z"], row=path["y"], column=path["x"])
    return address.grid()


def _place(text: str, locator: str) -> int:
    # A tile's row or column; text that is not a number names no tile.
    with raised_as(InvalidParameter, UnknownPath, locator=locator):
        return integer(text, locator=locator)
