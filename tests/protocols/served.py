"""Services made in memory, whose digital numbers follow a formula of row, column and time.

The number of a cell is `(3 row + 7 column + 40 time) mod 250`, time being its index; cells of row 0 are nodata (255).
The style `steps` paints number `n` as the grey of exactly `n`, so its colour identifies a cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from affine import Affine

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.limits import Limits
from chronotile.catalog.service_info import ServiceInfo
from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.collection import Alias, Collection, Composite, Layer, TimeRules
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.payload import Payload
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.raster import Pixels
from chronotile.core.model.request import MapRequest
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.style import Colour, Stop, Style, StyleClass
from chronotile.core.model.time.domain import NO_TIME, TimeDomain, domain_of_instants
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.services import Services
from chronotile.readers.reader import Reader

NODATA = 255
TEST_HOST = "testserver"
"""Host name in requests of Starlette's test client."""
NOW = np.datetime64("2020-07-01T12:00:00", "ns")

BELGIUM_31N = NativeGrid(
    crs=crs_of("EPSG:32631"), transform=Affine(100.0, 0.0, 600_000.0, 0.0, -100.0, 5_650_000.0), width=400, height=300
)
"""100 m, about 4.4 to 5.1 degrees east and 50.7 to 51.0 north."""

STEPS = Style(
    id="steps",
    title="Number as grey",
    range=(0.0, 250.0),
    ramp=(Stop(0.0, Colour(0, 0, 0)), Stop(250.0, Colour(250, 250, 250))),
    below=Colour(0, 0, 0),
    above=Colour(250, 250, 250),
)
REDS = Style(
    id="reds",
    title="Number as red",
    range=(0.0, 250.0),
    ramp=(Stop(0.0, Colour(0, 0, 0)), Stop(250.0, Colour(250, 0, 0))),
    below=Colour(0, 0, 0),
    above=Colour(250, 0, 0),
)

CHANGES = Style(
    id="difference",
    title="Less blue, more red",
    range=(-1.0, 1.0),
    ramp=(Stop(-1.0, Colour(0, 0, 250)), Stop(0.0, Colour(250, 250, 250)), Stop(1.0, Colour(250, 0, 0))),
    below=Colour(0, 0, 250),
    above=Colour(250, 0, 0),
)
"""Colours of differences; a configuration may have others."""


def days_of(*days: str) -> TimeDomain:
    """Return the domain of days or instants written in ISO 8601."""
    return domain_of_instants(np.datetime64(day.removesuffix("Z"), "ns") for day in days)


DEKADS = days_of("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21")


def number_at(rows: np.ndarray, columns: np.ndarray, time: int) -> np.ndarray:
    """Return the digital numbers of native cells, uint8 of the common shape."""
    numbers = (3 * rows + 7 * columns + 40 * time) % 250
    return np.where(rows == 0, NODATA, numbers).astype(np.uint8)


def expected_numbers(native: NativeGrid, grid: Grid, time: int) -> np.ndarray:
    """Return the number under each pixel's centre (y, x) by exact transforms, `NODATA` outside the data."""
    x, y = np.meshgrid(grid.x_of(np.arange(grid.width) + 0.5), grid.y_of(np.arange(grid.height) + 0.5))
    if grid.crs != native.crs:
        x, y = transformer(grid.crs, native.crs).transform(x, y)
    inverse = ~native.transform
    columns = np.floor(inverse.a * x + inverse.b * y + inverse.c)
    rows = np.floor(inverse.d * x + inverse.e * y + inverse.f)
    inside = (rows >= 0) & (rows < native.height) & (columns >= 0) & (columns < native.width)
    numbers = number_at(np.where(inside, rows, 0).astype(int), np.where(inside, columns, 0).astype(int), time)
    return np.where(inside, numbers, NODATA)


def expected_rgba(native: NativeGrid, grid: Grid, time: int) -> np.ndarray:
    """Return the picture (y, x, 4) of the formula in the style `steps`."""
    numbers = expected_numbers(native, grid, time)
    rgba = np.repeat(numbers[:, :, np.newaxis], 4, axis=2)
    rgba[..., 3] = 255
    rgba[numbers == NODATA] = 0
    return rgba


@dataclass
class FormulaReader(Reader):
    """A `Reader` of the formula; `broken` names variables with a missing source.

    `replaced` maps the index of a changed time to its new revision, or to `None` if the time was deleted.
    """

    source_info: SourceInfo
    broken: frozenset[str] = frozenset()
    revisions: dict[str, str] = field(default_factory=dict)
    replaced: dict[int, str | None] = field(default_factory=dict)
    windows_read: list[Window] = field(default_factory=list)
    cells_read: list[tuple[int, int]] = field(default_factory=list)
    is_closed: bool = False

    @property
    def info(self) -> SourceInfo:
        return self.source_info

    def revision(self, variable: str, index: int) -> str:
        self._check(variable)
        state = self.replaced.get(index, self.revisions.get(variable, "r1"))
        if state is None:
            raise SourceUnavailable("the file is gone")
        return f"{state}-{index}"

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        self._check(variable)
        self.windows_read.append(window)
        rows = np.arange(window.row_start, window.row_stop, step)
        columns = np.arange(window.column_start, window.column_stop, step)
        return Pixels(number_at(rows[:, np.newaxis], columns[np.newaxis, :], index))

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        self._check(variable)
        self.cells_read.append((row, column))
        cells = [number_at(np.array(row), np.array(column), index) for index in indexes]
        return Pixels(np.array(cells, dtype=np.uint8))

    def close(self) -> None:
        self.is_closed = True

    def _check(self, variable: str) -> None:
        if variable in self.broken:
            raise SourceUnavailable("the file is gone")


def make_variable(
    name: str = "NDVI", *, grid: NativeGrid = BELGIUM_31N, times: TimeDomain = DEKADS, **encoding: object
) -> VariableInfo:
    """Return a variable of one level; its values are the digital numbers unless `encoding` sets another encoding."""
    return VariableInfo(
        name=name,
        encoding=Encoding(**{"dtype": "uint8", "nodata": float(NODATA), **encoding}),
        levels=(grid,),
        times=times,
    )


def make_layer(
    layer_id: str = "NDVI", *, collection: str = "s2", variable: VariableInfo | None = None, **members: object
) -> Layer:
    """Return a layer of one variable, whose name is the layer's id."""
    content = variable or make_variable(layer_id)
    given = {"title": {"": layer_id}, "styles": (STEPS, REDS), "time_rules": TimeRules(), "times": content.times}
    return Layer(**{"id": layer_id, "collection": collection, "content": content, **given, **members})


def make_composite(layer_id: str = "TRUE_COLOUR", *, collection: str = "s2", **members: object) -> Layer:
    """Return a composite of RED, GREEN and BLUE, each the formula over 0 to 250."""
    red, green, blue = (make_variable(name) for name in ("RED", "GREEN", "BLUE"))
    content = Composite(variables=(red, green, blue), range=(0.0, 250.0))
    style = Style(id="rgb", title="True colour", range=(0.0, 250.0), ramp=STEPS.ramp)
    return make_layer(layer_id, collection=collection, variable=red, content=content, styles=(style,), **members)


def make_collection(*layers: Layer, collection_id: str | None = None, **members: object) -> Collection:
    """Return a collection; the default layer is NDVI."""
    layers = layers or (make_layer(),)
    given = {"id": collection_id or layers[0].collection, "title": {"": f"Collection {layers[0].collection}"}}
    return Collection(**{**given, "layers": layers, "bbox": layers[0].main_variable.grid.bbox_in(CRS84), **members})


def make_services(
    *collections: Collection,
    crs: Sequence[str] = ("EPSG:4326", "CRS:84", "EPSG:3857", "EPSG:32631", "EPSG:3035"),
    tile_matrix_sets: Sequence[str] = ("WebMercatorQuad", "WorldCRS84Quad"),
    service: ServiceInfo | None = None,
    limits: Limits | None = None,
    now: np.datetime64 = NOW,
    broken: Sequence[str] = (),
    places: Sequence[PlaceSet] = (),
) -> Services:
    """Return services over collections (by default a single NDVI layer); variables in `broken` cannot be read."""
    collections = collections or (make_collection(),)
    layers = [layer for collection in collections for layer in collection.layers]
    catalogue = Catalogue(
        service=service or ServiceInfo(hosts=(TEST_HOST,)),
        collections=collections,
        styles={style.id: style for layer in layers for style in (*layer.styles, CHANGES)},
        crs=tuple(crs_of(name) for name in crs),
        tile_matrix_sets=tuple(load_tile_matrix_set(name, folder=Path()) for name in tile_matrix_sets),
        limits=limits or Limits(),
        places={each.id: each for each in places},
    )
    readers = {collection.id: make_reader(collection, broken=broken) for collection in collections}
    return Services(catalogue=catalogue, readers=readers, clock=lambda: now)


def make_services_of(reader: Reader, *, collection: str = "made", **members: object) -> Services:
    """Return services over an open source, with a layer per variable and the variable's name."""
    variables = reader.info.variables.values()
    layers = [make_layer(each.name, collection=collection, variable=each) for each in variables]
    services = make_services(make_collection(*layers), **members)
    return replace(services, readers={collection: reader})


def draw_map(request: MapRequest, services: Services, **members: object) -> Payload:
    """The picture of a single layer."""
    return overlay_maps([request], services, **members)


def make_reader(collection: Collection, *, broken: Sequence[str] = ()) -> FormulaReader:
    """Return the reader of all variables of a collection; like files, it is checked for changes after each answer."""
    variables = {variable.name: variable for layer in collection.layers for variable in layer.variables}
    return FormulaReader(SourceInfo(variables=variables, is_of_files=True), broken=frozenset(broken))


def varied_collections() -> tuple[Collection, ...]:
    """Return an archive with one layer of each kind that protocols treat differently."""
    instants = days_of("2020-06-20T10:50:31", "2020-06-25T10:50:29", "2020-06-30T10:50:31.024")
    return (
        make_collection(
            make_layer(
                aliases=(Alias(name="CGS_S2_NDVI"), Alias(name="S2_NDVI", advertise=True)),
                attribution="Copernicus & co",
            ),
            make_layer("TIMED", variable=make_variable("TIMED", times=instants)),
            make_layer("RECENT", time_rules=TimeRules(match="nearest", tolerance=np.timedelta64(3, "D"))),
            make_layer("UNDATED", time_rules=TimeRules(default="none")),
            make_layer("FUTURE", variable=make_variable("FUTURE", times=days_of("2020-06-21", "2106-01-01"))),
            make_composite(),
            keywords=("vegetation",),
        ),
        make_collection(
            make_layer("HEIGHT", collection="terrain", variable=make_variable("HEIGHT", times=NO_TIME)),
            make_layer("GONE", collection="terrain", variable=make_variable("GONE")),
        ),
    )


WORLD_4326 = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(1, 0, -180, 0, -1, 90), width=360, height=180)
"""1 degree, all round the earth."""

FLANDERS_4326 = NativeGrid(
    crs=crs_of("EPSG:4326"), transform=Affine(0.002, 0, 4.4, 0, -0.002, 51.0), width=300, height=200
)
"""0.002 degrees, 4.4 to 5.0 degrees east and 50.6 to 51.0 north."""

CROPS = tuple(StyleClass(float(number), Colour(number, 0, 0), f"crop {number}") for number in range(250))


def greys_of(variable: VariableInfo) -> Style:
    """Return the style that paints digital number `n` of a variable as the grey of exactly `n`."""
    low, high = (float(number * variable.encoding.scale + variable.encoding.offset) for number in (0, 250))
    ramp = (Stop(low, STEPS.below), Stop(high, STEPS.above))
    given = {"title": "Number as grey", "below": STEPS.below, "above": STEPS.above}
    return Style(id=f"{variable.name.lower()}-greys", range=(low, high), ramp=ramp, **given)


def tree_collections() -> tuple[Collection, ...]:
    """Return the collections for OGC API tests: one or several fields, and every kind of grid, time and value.

    `s2` has NDVI (scaled, with an alias), LAI (other times) and a composite; `kinds` has CROP (categories), FLAGGED
    (flags 10 and 20, valid 0 to 200) and HEIGHT (no time); `flanders` is geographic; `world` goes round the earth.
    Every layer except the composite is drawn with the grey of exactly its digital number.
    """
    lai_times = days_of("2020-06-01", "2020-06-11", "2020-07-01")
    ndvi = make_variable("NDVI", scale=0.004, offset=-0.08)
    lai = make_variable("LAI", times=lai_times, scale=0.03, units="m2 m-2")
    flagged = make_variable("FLAGGED", flags=((10, "cloud"), (20, "water")), valid_range=(0.0, 200.0))
    crops = replace(make_variable("CROP"), is_categorical=True, classes=CROPS)
    told = {"attribution": "Copernicus & co", "license": "CC-BY-4.0", "keywords": ("vegetation",)}
    return (
        make_collection(
            make_layer(variable=ndvi, styles=(greys_of(ndvi),), aliases=(Alias(name="S2_NDVI", advertise=True),)),
            make_layer("LAI", variable=lai, styles=(greys_of(lai),)),
            make_composite(),
            **told,
        ),
        make_collection(
            make_layer("CROP", collection="kinds", variable=crops),
            make_layer("FLAGGED", collection="kinds", variable=flagged),
            make_layer("HEIGHT", collection="kinds", variable=make_variable("HEIGHT", times=NO_TIME, units="m")),
        ),
        make_collection(
            make_layer("FAPAR", collection="flanders", variable=make_variable("FAPAR", grid=FLANDERS_4326))
        ),
        make_collection(make_layer("DMP", collection="world", variable=make_variable("DMP", grid=WORLD_4326))),
    )
