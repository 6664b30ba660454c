"""The sections `mosaic` and `grid` of a collection of items: how items become one raster, and on which cells."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from chronotile.catalog.kinds import CrsName
from chronotile.model.items import Mosaic, MosaicRule
from chronotile.model.source import TargetGrid
from chronotile.sections import Section, Text

_PROPERTY = re.compile(r"-?[A-Za-z_][A-Za-z0-9_:.-]{0,99}")
_BY_START = "datetime"
_BY_NODATA = "s2:nodata_pixel_percentage"
"""What Sentinel-2's catalogues call it; others have a property of their own, or none."""


def _order(text: str) -> str:
    if not _PROPERTY.fullmatch(text):
        raise ValueError(
            f"{text[:40]!r} is not a property; accepted are names such as eo:cloud_cover, and -eo:cloud_cover for "
            "descending order"
        )
    return text


class MosaicSection(Section):
    """How the items of one time become one raster. Where an item has no value, the next one is used."""

    rule: MosaicRule = "first"
    """The value where items overlap: of the first in the order of order_by, of the latest, of the one with the fewest
    missing values, or the max, mean or median of all."""
    order_by: Annotated[Text, AfterValidator(_order)] | None = None
    """Property by which items are ordered, ascending, with - before it descending: eo:cloud_cover; equal values by item
    id. Not with rule latest, which orders by time; with least_nodata the property that has the share of missing values,
    by default s2:nodata_pixel_percentage. The first item of a place is also its native grid."""
    too_many: Literal["footprints", "refuse"] = "footprints"
    """What a map gets that needs more than max_pieces files: the outlines of the items, or an error."""
    max_pieces: Annotated[int, Field(ge=1, le=4096)] = 64
    """Maximum number of files that are opened for one picture."""

    @model_validator(mode="after")
    def _fit(self) -> "MosaicSection":
        if self.rule == "latest" and self.order_by is not None:
            raise ValueError("rule latest orders by time; remove order_by, or use rule first")
        return self

    def mosaic(self) -> Mosaic:
        """Return how items are composed."""
        order_by, is_descending = self.order()
        return Mosaic(
            rule=self.rule,
            order_by=order_by,
            is_descending=is_descending,
            too_many=self.too_many,
            max_pieces=self.max_pieces,
        )

    def order(self) -> tuple[str | None, bool]:
        """Return the property by which items are ordered, and whether descending."""
        if self.rule == "latest":
            return _BY_START, True
        if self.rule == "least_nodata" and self.order_by is None:
            return _BY_NODATA, False
        if self.order_by is None:
            return None, False
        return self.order_by.removeprefix("-"), self.order_by.startswith("-")


class TargetGridSection(Section):
    """Cells of one size, from the origin of a CRS on."""

    crs: CrsName
    """Their CRS."""
    resolution: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Side of a cell, in units of the CRS."""

    def grid(self) -> TargetGrid:
        """Return the cells."""
        return TargetGrid(crs=self.crs, resolution=self.resolution)
