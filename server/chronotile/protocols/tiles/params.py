"""Path and query of a tile turned into a map request."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import UnknownPath
from chronotile.model.request import LegendRequest, MapRequest, PictureFormat, ValueFormat
from chronotile.model.tiles import TileMatrixSet
from chronotile.protocols.common.query.kvp import (
    Kvp,
    colouring_of,
    datetime_of,
    difference_of,
    picture_reducer,
    value_range,
)
from chronotile.protocols.common.query.tile_address import tile_grid_of

FORMATS: Mapping[str, PictureFormat | ValueFormat] = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tif": "image/tiff",
    "npy": "application/x-npy",
}
COLOURS = ("style", "range", "ramp", "reversed", "logarithmic")
PARAMETERS = ("datetime", *COLOURS, "reducer", "expression", "difference", "rev")
"""Those of tiles; TileJSON and legends leave aside what they have no use for, as one query often goes to all."""
LEGENDS = ("png", "svg", "json")


def tile_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue, *, scale: int = 1) -> MapRequest:
    """Return the map that `/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}` asks for.

    Args:
        path: Its parts.
        query: Its parameters.
        catalogue: What is served.
        scale: How many pixels of a side stand for one of the tile matrix, as screens of high resolution want.

    Raises:
        ChronotileError: A name is unknown, the tile is out of range, or a parameter is not accepted.
    """
    query.check_spelling(PARAMETERS)
    layer = catalogue.layer(path["layer"])
    grid = tile_grid_of(path, catalogue)
    return MapRequest(
        layer=layer.id,
        grid=replace(grid, width=grid.width * scale, height=grid.height * scale),
        time=datetime_of(query),
        difference=difference_of(query.optional("difference"), locator="difference"),
        style=query.optional("style") or "",
        format=_format(path["extension"]),
        range=_range(query),
        ramp=query.optional("ramp"),
        colouring=colouring_of(query),
        reducer=picture_reducer(query.optional("reducer"), locator="reducer"),
        expression=query.optional("expression"),
    )


def tileset(path: Mapping[str, str], catalogue: Catalogue) -> TileMatrixSet:
    """Return the tile matrix set of the path.

    Raises:
        UnknownTileMatrixSet: It is not offered.
    """
    return catalogue.tile_matrix_set(path["tms"])


def legend_request(path: Mapping[str, str], query: Kvp) -> LegendRequest:
    """Return the legend that `/tiles/{layer}/legend.{extension}` asks for.

    Raises:
        UnknownPath: The extension is none of `LEGENDS`.
        InvalidParameter: As `style_request`.
    """
    if path["extension"] not in LEGENDS:
        raise _unknown_extension(path["extension"], LEGENDS)
    return style_request(path, query)


def style_request(path: Mapping[str, str], query: Kvp) -> LegendRequest:
    """Return which colours of the path's layer a query asks for.

    Raises:
        InvalidParameter: The range is not two numbers in order, the difference is no time, a truth is none, or a name
            is misspelt.
    """
    query.check_spelling(PARAMETERS)
    return LegendRequest(
        layer=path["layer"],
        style=query.optional("style") or "",
        is_difference=difference_of(query.optional("difference"), locator="difference") is not None,
        range=_range(query),
        ramp=query.optional("ramp"),
        colouring=colouring_of(query),
    )


def _range(query: Kvp) -> tuple[float, float] | None:
    text = query.optional("range")
    return None if text is None else value_range(text, locator="range")


def _format(extension: str) -> PictureFormat | ValueFormat:
    if extension not in FORMATS:
        raise _unknown_extension(extension, FORMATS)
    return FORMATS[extension]


def _unknown_extension(extension: str, accepted: Iterable[str]) -> UnknownPath:
    return UnknownPath(
        f"extension {extension[:20]!r} is not offered; accepted are {', '.join(accepted)}", locator="format"
    )
