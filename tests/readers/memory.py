"""A source in memory, and masks and formulas put round it."""

from dataclasses import dataclass, field

import numpy as np
from affine import Affine

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.domain import NO_TIME, domain_of_instants
from chronotile.readers.derived.derive import derive_variables
from chronotile.readers.reader import Reader

NODATA, CLOUD = 255, 252
DAYS = ("2020-01-01", "2020-01-11", "2020-01-21")


def times_of(*days):
    return domain_of_instants(np.datetime64(day, "ns") for day in days)


def grid_of(width, height=None, *, cell=10.0, corner=(500_000.0, 5_650_000.0)):
    transform = Affine(cell, 0, corner[0], 0, -cell, corner[1])
    return NativeGrid(crs=crs_of("EPSG:32631"), transform=transform, width=width, height=height or width)


@dataclass
class MemoryReader(Reader):
    """A `Reader` of arrays (time, y, x) by variable and level, as a source with overviews has them."""

    infos: dict[str, VariableInfo] = field(default_factory=dict)
    levels: dict[str, list[np.ndarray]] = field(default_factory=dict)
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    windows: list[tuple[str, int, Window, int]] = field(default_factory=list)
    is_closed: bool = False

    def add(self, name, *levels, times=DAYS, cell=10.0, scale=1.0, corner=(500_000.0, 5_650_000.0), **encoding):
        cells = [cell * levels[0].shape[2] / level.shape[2] for level in levels]
        grids = tuple(
            grid_of(level.shape[2], level.shape[1], cell=each, corner=corner)
            for level, each in zip(levels, cells, strict=True)
        )
        self.infos[name] = VariableInfo(
            name=name,
            encoding=Encoding(dtype=str(levels[0].dtype), scale=scale, nodata=NODATA, **encoding),
            levels=grids,
            times=times_of(*times) if times else NO_TIME,
        )
        self.levels[name] = list(levels)
        return self

    @property
    def info(self):
        return SourceInfo(variables=self.infos)

    def revision(self, variable, index):
        return f"{variable}{index}"

    def read_window(self, variable, *, index, level, window, step=1):
        assert window.width > 0
        assert window.height > 0
        self.windows.append((variable, level, window, step))
        array = self.levels[variable][level]
        at = (slice(window.row_start, window.row_stop, step), slice(window.column_start, window.column_stop, step))
        assert window.row_stop <= array.shape[1]
        assert window.column_stop <= array.shape[2]
        mask = self.masks.get(variable)
        return Pixels(array[index][at], None if mask is None else mask[index][at])

    def read_cell(self, variable, *, indexes, row, column):
        mask = self.masks.get(variable)
        at = (list(indexes), row, column)
        return Pixels(self.levels[variable][0][at], None if mask is None else mask[at])

    def has_fast_cells(self, variable):
        return True

    def read_cells(self, variable, *, indexes, rows, columns):
        mask = self.masks.get(variable)
        at = (np.array(indexes)[:, None], rows, columns)
        return Pixels(self.levels[variable][0][at], None if mask is None else mask[at])

    def close(self):
        self.is_closed = True


def random_numbers(seed, side=12, times=3):
    return np.random.default_rng(seed).integers(1, 250, (times, side, side)).astype("uint8")


def derived(reader, items=None, **variables):
    specs = {name: VariableSpec(id=name) for name in reader.infos}
    for name, given in variables.items():
        expression = given.get("formula")
        formula = None if expression is None else parse_expression(expression)
        specs[name] = VariableSpec(**{"id": name, **given, "formula": formula})
    return derive_variables(reader, SourceSpec(collection="c", kind="cog", href="x", variables=specs, items=items))


def whole(reader, variable, *, index=0, level=0, step=1):
    grid = reader.info.variables[variable].levels[level]
    window = Window(0, grid.height, 0, grid.width)
    return reader.read_window(variable, index=index, level=level, window=window, step=step)


def told(block):
    """[time][row][column]: why pixels of a block are no values."""
    return np.array((None, *block.codes.names), dtype=object)[block.codes.numbers].tolist()


def assert_cells_are_those_of_blocks(reader, variable):
    """Compare cells here and there at two times with a block of all."""
    grid = reader.info.variables[variable].grid
    rows, columns = np.array([5, 0, 1, 7]), np.array([4, 0, 1, 3])
    block = reader.read_block(variable, indexes=[1, 0], window=Window(0, grid.height, 0, grid.width), along="space")

    cells = reader.read_cells(variable, indexes=[1, 0], rows=rows, columns=columns)

    assert reader.has_fast_cells(variable)
    np.testing.assert_array_equal(cells.numbers, block.numbers[:, rows, columns])
    assert told(cells) == np.array(told(block), dtype=object)[:, rows, columns].tolist()


def cells_told(reader, variable, indexes, window):
    """Return the reasons of cells that are read individually."""
    cells = [
        [
            reader.read_cell(variable, indexes=indexes, row=row, column=column).reasons
            for column in range(window.column_start, window.column_stop)
        ]
        for row in range(window.row_start, window.row_stop)
    ]
    return [[[cell[time] for cell in row] for row in cells] for time in range(len(indexes))]
