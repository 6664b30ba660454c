"""Coverages made in memory, whose digital numbers follow a formula of field, time, row and column."""

from dataclasses import dataclass, field, replace

import numpy as np
from affine import Affine

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.collection import Collection, MetadataLink
from chronotile.core.model.coverage import CoverageField
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.core.model.style import Style, StyleClass
from chronotile.core.model.time.domain import TimeDomain
from tests.protocols.served import STEPS, days_of, make_collection, make_layer, make_variable

DEKADS = days_of("2020-06-01", "2020-06-11", "2020-06-21")
UTM = Grid(crs=crs_of("EPSG:32631"), bbox=BBox(600_000.0, 5_646_300.0, 604_100.0, 5_650_000.0), width=41, height=37)
"""Cells of 100 m; both numbers of cells are odd."""
WIDE = Grid(crs=crs_of("CRS:84"), bbox=BBox(-180.0, 50.0, 180.0, 50.2), width=70_000, height=40)
"""A grid whose 512 rows take 286 MB in float64."""
DEGREES = Grid(crs=crs_of("CRS:84"), bbox=BBox(4.0, 50.0, 4.5, 50.75), width=20, height=30)


@dataclass(frozen=True)
class FormulaCoverage:
    """The numbers of a field are `formula`, cast to its type."""

    fields: tuple[CoverageField, ...]
    grid: Grid
    times: TimeDomain
    collection: Collection
    rows_at_once: int = 1_000_000
    times_at_once: int = 1_000_000
    broken_from: int | None = None
    """First row of the lost part of the source."""
    reads: list[tuple[int, int, range]] = field(default_factory=list)
    """Reads: field, time, rows."""
    etag: str = "etag"

    @property
    def nbytes(self):
        sizes = sum(np.dtype(each.encoding.dtype).itemsize for each in self.fields)
        return sizes * max(1, len(self.times)) * self.grid.width * self.grid.height

    @property
    def row_runs(self):
        return runs(self.grid.height, self.rows_at_once)

    @property
    def time_runs(self):
        return runs(max(1, len(self.times)), self.times_at_once)

    def read(self, field, *, time, rows):
        if self.broken_from is not None and rows.stop > self.broken_from:
            raise SourceUnavailable("the file is gone")
        self.reads.append((field, time, rows))
        return numbers_of(self.fields[field], field, time, rows=rows, width=self.grid.width)

    def read_times(self, field, *, times, rows):
        return np.stack([self.read(field, time=time, rows=rows) for time in times])


def runs(count, most):
    return tuple(range(start, min(start + most, count)) for start in range(0, count, most))


def numbers_of(field, number, time, *, rows, width):
    """Return (y, x): the formula of a field; `nodata`, if it has one, at multiples of 11 of row + column."""
    encoding = field.encoding
    y, x = np.array(rows)[:, np.newaxis], np.arange(width)[np.newaxis, :]
    plain = (3 * y + 7 * x + 40 * time + 13 * number) % 120
    numbers = (plain + (0.25 if np.dtype(encoding.dtype).kind == "f" else 0)).astype(encoding.dtype)
    if encoding.nodata is not None:
        numbers[(y + x) % 11 == 0] = encoding.nodata
    return numbers


def expected_numbers(coverage, number=0):
    """(time, y, x): all numbers of a field."""
    rows, width = range(coverage.grid.height), coverage.grid.width
    times = range(max(1, len(coverage.times)))
    return np.stack([numbers_of(coverage.fields[number], number, time, rows=rows, width=width) for time in times])


def expected_values(coverage, number=0):
    """Return (time, y, x): all values of a field, NaN without a value."""
    encoding = coverage.fields[number].encoding
    numbers = expected_numbers(coverage, number)
    lacking = np.isnan(numbers) if encoding.nodata is None or np.isnan(encoding.nodata) else numbers == encoding.nodata
    return np.where(lacking, np.nan, numbers.astype(np.float64) * encoding.scale + encoding.offset)


def make_field(name="NDVI", dtype="uint8", *, classes=(), standard_name=None, **encoding):
    """Return a field; with classes it is categorical."""
    told = {"dtype": dtype, "nodata": 255.0, **encoding}
    variable = make_variable(name, grid=NativeGrid(crs=UTM.crs, transform=Affine.identity(), width=1, height=1))
    members = {"encoding": Encoding(**told), "standard_name": standard_name}
    variable = replace(variable, is_categorical=bool(classes), **members)
    styles = (Style(id="classes", title="Classes", range=(0.0, 3.0), classes=classes),) if classes else (STEPS,)
    layer = make_layer(name, variable=variable, styles=styles, attribution="Copernicus & co", license="CC-BY-4.0")
    return CoverageField(name=name, title=f"{name} of fields", layer=layer, encoding=variable.encoding)


def make_coverage(*fields, grid=UTM, times=DEKADS, **members):
    """Return a coverage; by default of one field of bytes whose values are hundredths."""
    fields = fields or (make_field(scale=0.01, offset=-0.2),)
    link = MetadataLink(url="https://example.org/metadata.xml", format="application/xml")
    collection = make_collection(
        *(field.layer for field in fields), title={"": "Vegetation", "nl": "Plantengroei"}, metadata=(link,)
    )
    return FormulaCoverage(fields=tuple(fields), grid=grid, times=times, collection=collection, **members)


LARGE = Grid(crs=UTM.crs, bbox=BBox(600_000.0, 5_640_000.0, 611_030.0, 5_650_010.0), width=1103, height=1001)
"""A grid of 3 by 2 tiles or chunks, with two overviews; both numbers of cells are odd."""
NODATA_OF_TYPES = {
    "uint8": 255.0,
    "int8": -128.0,
    "uint16": 65535.0,
    "int16": -32768.0,
    "uint32": 4294967295.0,
    "int32": -1.0,
    "int64": -1.0,
    "uint64": 2.0**64 - 2048,
    "float32": np.nan,
    "float64": np.nan,
}

CLASSES = (
    StyleClass(0.0, STEPS.below, "water & ice"),
    StyleClass(1.0, STEPS.below, "forest"),
    StyleClass(2.0, STEPS.above, "fields"),
)
