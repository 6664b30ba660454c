"""The sections `mosaic`, `search` and `grid` of collections of items."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from chronotile.catalog.value_types import CrsName
from chronotile.core.model.items import Mosaic, MosaicRule
from chronotile.core.model.source import TargetGrid
from chronotile.core.sections import Section, Text

_PROPERTY = re.compile(r"-?[A-Za-z_][A-Za-z0-9_:.-]{0,99}")
_ORDER_BY_START = "datetime"
_ORDER_BY_NODATA = "s2:nodata_pixel_percentage"
"""Fraction of missing pixels in catalogues of Sentinel-2; other catalogues have another property or none."""


def _check_order(text: str) -> str:
    if not _PROPERTY.fullmatch(text):
        raise ValueError(
            f"{text[:40]!r} is not a property; accepted are names such as eo:cloud_cover, and -eo:cloud_cover for "
            "descending order"
        )
    if text == "-id":
        raise ValueError("ids are only ordered ascending; use id, or a property such as -created")
    return text


class MosaicSection(Section):
    """Composition of the items of one time. If an item has no value at a pixel, the next item fills it."""

    rule: MosaicRule = "first"
    """Value of a pixel that several items cover. From one item: the `first` in the order of `order_by`, the `latest`,
    or the item with the fewest missing values (`least_nodata`). From all items: `max`, `mean` or `median`."""
    order_by: Annotated[Text, AfterValidator(_check_order)] | None = None
    """Property that sorts items: `eo:cloud_cover` puts the lowest value first, `-eo:cloud_cover` the highest; default:
    the id. For rule `least_nodata`: the property with the fraction of missing values, by default
    `s2:nodata_pixel_percentage`. Not for rule `latest`. The first item at a point also defines the native grid
    there."""
    too_many: Literal["footprints", "refuse"] = "footprints"
    """If a map needs more than `max_pieces` items until its overviews exist, the answer is a picture of their
    `footprints`, or an error (`refuse`)."""
    max_pieces: Annotated[int, Field(ge=1, le=4096)] = 64
    """Maximum number of items whose files are opened for one picture; overviews do not count."""

    @model_validator(mode="after")
    def _fit(self) -> "MosaicSection":
        if self.rule == "latest" and self.order_by is not None:
            raise ValueError("rule latest orders by time; remove order_by, or use rule first")
        return self

    def mosaic(self) -> Mosaic:
        """Return the rules for composing items."""
        order_by, is_descending = self.order()
        return Mosaic(**{**dict(self), "order_by": order_by, "is_descending": is_descending})

    def order(self) -> tuple[str | None, bool]:
        """Return the property that orders items (`None`: by id), and whether it is descending."""
        if self.rule == "latest":
            return _ORDER_BY_START, True
        if self.rule == "least_nodata" and self.order_by is None:
            return _ORDER_BY_NODATA, False
        if self.order_by is None:
            return None, False
        return self.order_by.removeprefix("-"), self.order_by.startswith("-")


_INDEXED_NAMES = {*("id", "collection", "datetime", "start_datetime", "end_datetime", "updated", "geometry", "bbox")}


def _check_search_property(name: str) -> str:
    if name.startswith("-") or not _PROPERTY.fullmatch(name) or name in _INDEXED_NAMES:
        raise ValueError(
            f"{name[:40]!r} is not a property with values of its own; accepted are names such as grid:code"
        )
    return name


class SearchSection(Section):
    """Search and retention of items."""

    properties: Annotated[
        tuple[Annotated[Text, AfterValidator(_check_search_property)], ...],
        AfterValidator(lambda names: tuple(dict.fromkeys(names))),
    ] = Field(default=(), max_length=8)
    """At most 8 properties, such as `grid:code`: filters with `=` and `IN` find their values fast. A change takes
    effect with the next `chronotile index` or `serve`."""
    keep_days: Annotated[float, Field(gt=0, le=36_500)] | None = None
    """Maximum age of items, in days since their start: `chronotile index` removes older items from the index, but not
    their files. Default: no limit. Not for mode `live`."""


class TargetGridSection(Section):
    """A grid of square cells that starts at the origin of a CRS."""

    crs: CrsName
    """CRS of the cells."""
    resolution: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Side of a cell, in units of the CRS."""

    def grid(self) -> TargetGrid:
        """Return the lattice."""
        return TargetGrid(crs=self.crs, resolution=self.resolution)
