"""What documents of WCS 1.x say of coverages, the same in both versions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from chronotile.core.model.collection import Layer, Resampling
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import BBox, Grid
from chronotile.core.model.time.instants import format_instant
from chronotile.pipeline.coverage.numbers import output_encoding
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import geographic_box, urn
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.place import in_axis_order
from chronotile.protocols.wcs.coverages import WcsCoverage, offered_coverages

IMAGE_CRS = "urn:ogc:def:crs:OGC::imageCRS"
"""Of columns and rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBox:
    """A box as WCS 1.1 writes it, in the axis order of its CRS."""

    crs: str
    """Its URN."""
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A coverage as capabilities list it."""

    coverage: WcsCoverage
    title: str
    abstract: str
    keywords: tuple[str, ...]
    box: BBox
    """In CRS84."""
    ends: tuple[str, ...]
    """The first and the last time; none without time."""
    crs: tuple[Crs, ...]
    """That requests may name, each with a code; the native one first."""

    @property
    def urns(self) -> tuple[str, ...]:
        """The names of the CRS in WCS 1.1."""
        return tuple(filter(None, map(urn, self.crs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDescription:
    """A variable of a coverage."""

    name: str
    title: str
    units: str
    null: float
    """The number that is no value, or NaN."""
    methods: tuple[Resampling, ...]
    """Of interpolation; the default first."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """A coverage as DescribeCoverage describes it."""

    summary: Summary
    times: tuple[str, ...]
    """All, ascending."""
    grid: Grid
    """All cells, in the native CRS."""
    fields: tuple[FieldDescription, ...]

    @property
    def origin(self) -> tuple[float, ...]:
        """The centre of the north-western cell, in the axis order of the native CRS."""
        return in_axis_order((self.grid.x_of(0.5), self.grid.y_of(0.5)), self.grid.crs)

    @property
    def offsets(self) -> tuple[float, ...]:
        """Distances of cells from that one on, in the axis order of the native CRS."""
        across, down = self.grid.resolution
        return in_axis_order((across, -down), self.grid.crs)

    @property
    def boxes(self) -> tuple[NamedBox, ...]:
        """Of centres of cells (§7.5.4), by which GDAL counts them; then of edges, as QGIS takes the last of a CRS."""
        native, (xmin, ymin, xmax, ymax) = self.summary.urns[0], self.grid.bbox
        across, down = (each / 2 for each in self.grid.resolution)
        centres = BBox(xmin + across, ymin + down, xmax - across, ymax - down)
        corners = (in_axis_order(box, self.grid.crs) for box in (centres, self.grid.bbox))
        image = NamedBox(crs=IMAGE_CRS, lower=(1, 1), upper=(self.grid.width, self.grid.height))
        return (image, *(NamedBox(crs=native, lower=box[:2], upper=box[2:]) for box in corners))


def summaries(services: Services, language: str) -> Iterator[Summary]:
    """Yield what capabilities list: coverages that have longitudes and latitudes."""
    for coverage in offered_coverages(services.catalogue):
        summary = _summary(coverage, services, language)
        if summary is not None:
            yield summary


def describe(coverage: WcsCoverage, services: Services, language: str) -> Description | None:
    """Return the description of a coverage; `None` of one without longitudes and latitudes."""
    summary = _summary(coverage, services, language)
    if summary is None:
        return None
    return Description(
        summary=summary,
        times=tuple(map(format_instant, coverage.instants)),
        grid=coverage.grid(services),
        fields=tuple(_field(name, layer, language) for name, layer in coverage.fields.items()),
    )


def _summary(coverage: WcsCoverage, services: Services, language: str) -> Summary | None:
    variable, offered, instants = coverage.layer.main_variable, coverage.offered, coverage.instants
    box = geographic_box(variable.grid)
    if box is None:
        return None
    return Summary(
        coverage=coverage,
        title=text_in(offered.title, language) or offered.id,
        abstract=text_in(offered.abstract, language),
        keywords=offered.keywords,
        box=box,
        ends=tuple(map(format_instant, instants[[0, -1]])) if instants.size else (),
        crs=tuple(crs for crs in dict.fromkeys((coverage.crs, *variable.own_crs, *services.catalogue.crs)) if crs.uri),
    )


def _field(name: str, layer: Layer, language: str) -> FieldDescription:
    variable, encoding = layer.main_variable, output_encoding(layer.main_variable.encoding)
    others: tuple[Resampling, ...] = ("nearest",) if variable.is_categorical else ("nearest", "bilinear")
    return FieldDescription(
        name=name,
        title=text_in(layer.title, language) or name,
        units=encoding.units or "1",
        null=math.nan if encoding.nodata is None else encoding.nodata,
        methods=tuple(dict.fromkeys((layer.resampling, *others))),
    )
