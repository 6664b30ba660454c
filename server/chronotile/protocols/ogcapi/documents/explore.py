"""What the map and the chart of a collection's page are made of."""

from collections.abc import Iterator
from dataclasses import dataclass

from chronotile.catalog.offered import Offered
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, transformer
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.preview import preview_grid, preview_href

WIDTH = 720
"""Of the picture, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """A layer as the page shows it; addresses are relative to the landing page."""

    id: str
    title: str
    units: str
    picture: str
    width: int
    height: int
    crs: str
    bbox: str
    """Of the picture in that CRS."""
    lon: str
    lat: str
    """Of the place in its middle."""
    has_values: bool
    """Whether it has a chart; a composite has none."""


def explored_layers(offered: Offered, language: str) -> Iterator[Explored]:
    """Yield the layer that is drawn, then the others with values, each once."""
    layers = {layer.id: layer for layer in (offered.drawn, *offered.fields.values())}
    for layer in layers.values():
        yield _explored(layer, language)


def _explored(layer: Layer, language: str) -> Explored:
    grid, picture = layer.main_variable.grid, preview_grid(layer, WIDTH)
    middle = grid.centre_of(grid.height // 2, grid.width // 2)
    lon, lat = transformer(grid.crs, CRS84).transform(*middle)
    units = "" if layer.is_composite else layer.main_variable.encoding.units or ""
    return Explored(
        id=layer.id,
        title=text_in(layer.title, language) or layer.id,
        units="" if units == "1" else units,
        picture=preview_href(layer.id, WIDTH),
        width=picture.width,
        height=picture.height,
        crs=grid.crs.name,
        bbox=",".join(f"{edge:.10g}" for edge in picture.bbox),
        lon=f"{lon:.5f}",
        lat=f"{lat:.5f}",
        has_values=not layer.is_composite,
    )
