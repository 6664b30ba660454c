"""Preview pictures of whole layers: their URL and grid."""

import math
from urllib.parse import quote

from chronotile.core.model.collection import Layer
from chronotile.core.model.space.grid import Grid

DEFAULT_WIDTH = 360
LEAST_PX = 8


def preview_href(name: str, width: int = DEFAULT_WIDTH) -> str:
    """Return the URL of the picture of a layer, relative to the landing page."""
    return f"layers/{quote(name)}/preview.png" + ("" if width == DEFAULT_WIDTH else f"?width={width}")


def preview_grid(layer: Layer, width: int) -> Grid:
    """Return the grid of a picture of a whole layer in its native CRS.

    Args:
        layer: Layer to draw.
        width: Maximum width in pixels; the maximum height is two thirds of it.
    """
    grid = layer.main_variable.grid
    box = grid.bbox
    ratio = (box.xmax - box.xmin) / (box.ymax - box.ymin)
    if grid.crs.is_geographic:  # undistorted in the middle
        ratio *= max(math.cos(math.radians((box.ymin + box.ymax) / 2)), 0.1)
    height = round(width * 2 / 3)
    size = (width, round(width / ratio)) if ratio > width / height else (round(height * ratio), height)
    columns, rows = (max(LEAST_PX, side) for side in size)
    return Grid(crs=grid.crs, bbox=box, width=columns, height=rows)
