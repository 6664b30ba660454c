"""Drawing: the picture of one layer, or its values, from a resolved request."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chronotile.core.errors import TooManyPieces
from chronotile.core.model.collection import Composite
from chronotile.core.model.picture import Picture, RgbaPicture
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import Float32Array
from chronotile.pipeline.maps.footprints import draw_footprints, footprints_note
from chronotile.pipeline.maps.rasters import MapValues, make_from_variables, read_layer_values
from chronotile.pipeline.maps.resolve import MapTarget
from chronotile.pipeline.maps.stretched_range import stretch_style
from chronotile.pipeline.styling.paint import blank_pixels, composite_picture, paint, paint_band, stack_strips


def draw_picture(request: MapRequest, target: MapTarget) -> Picture:
    """Return the picture of a resolved request, transparent outside the layer.

    If a mosaic would open too many items, their outlines are drawn and the answer gets a note.

    Raises:
        TooManyPieces: Too many items would be opened, and the collection is configured to refuse.
        DateUnreadable: None of the times can be read.
        SourceUnavailable: The source is unreachable.
    """
    try:
        return _draw_layer(request, target)
    except TooManyPieces as error:
        if not error.may_be_outlined:
            raise
        target.unreadable.note = footprints_note(error)
        return draw_footprints(error, request.grid)


def _draw_layer(request: MapRequest, target: MapTarget) -> Picture:
    if isinstance(target.layer.content, Composite):
        return _draw_composite(request, target, target.layer.content)
    values = read_layer_values(request.grid, target)
    if values is None:
        return _blank_picture(request.grid)
    style = stretch_style(request, target, values)

    def paint_rows(rows: slice) -> Picture:
        raster = values.read_rows(rows)
        with target.watch.step("paint"):
            return paint(raster, style)

    return stack_strips(((rows, paint_rows(rows)) for rows in values.strips), request.grid.height)


def _draw_composite(request: MapRequest, target: MapTarget, content: Composite) -> Picture:
    grid, composite = request.grid, replace(content, range=request.range or content.range)

    def paint_bands(bands: Iterator[MapValues]) -> Picture:
        pixels = blank_pixels(grid.height, grid.width)
        for band, values in enumerate(bands):
            for rows in values.strips:
                raster = values.read_rows(rows)
                with target.watch.step("paint"):
                    paint_band(pixels[rows], band, raster, composite)
        return composite_picture(pixels)

    return make_from_variables(grid, target, content.variables, paint_bands) or _blank_picture(grid)


def read_value_array(grid: Grid, target: MapTarget) -> Float32Array:
    """Return the (y, x) values of a layer, NaN outside it and at pixels without a value."""
    array = np.full((grid.height, grid.width), np.nan, dtype=np.float32)
    values = read_layer_values(grid, target)
    if values is None:
        return array
    for rows in values.strips:
        raster = values.read_rows(rows)
        with target.watch.step("encode"):
            array[rows] = raster.values_for_files()
    return array


def _blank_picture(grid: Grid) -> RgbaPicture:
    return RgbaPicture(np.zeros((grid.height, grid.width, 4), dtype=np.uint8))
