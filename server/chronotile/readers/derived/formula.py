"""Variables that no file holds, computed from others of the same source as they are read."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import NODATA_CODE, REASON_NODATA, Encoding
from chronotile.core.model.expression import Expression
from chronotile.core.model.raster import Codes, Pixels, cell_reasons, pixel_codes, valid_pixels
from chronotile.core.model.source import VariableInfo, VariableSpec
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import Float64Array, Int64Array, NumberArray
from chronotile.core.read_cost import ReadCost, sum_of_read_costs
from chronotile.readers.derived.wrapped import (
    Deriving,
    Positions,
    are_same_cells,
    for_derived,
    positions_in,
    shared_times,
)
from chronotile.readers.encoding import configured_circle
from chronotile.readers.reader import Along, BlockShape, Reader

BLOCK_CELLS = 1 << 16
"""Cells computed at once, so that what is half done stays small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A variable that a formula takes."""

    info: VariableInfo
    positions: Positions
    levels: tuple[int, ...]
    """Its level for each of the formula's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A variable with what it is computed from."""

    info: VariableInfo
    expression: Expression
    operands: tuple[Operand, ...]


def formula_of(
    name: str,
    expression: Expression,
    variables: Mapping[str, VariableInfo],
    *,
    spec: VariableSpec | None = None,
) -> Formula:
    """Return the variable that an expression makes of others: on their grid, at the times that all have.

    Raises:
        InvalidParameter: They lie on different grids, or have no time in common.
        UnsupportedSource: It is configured as circular, in units of which a full turn is unknown.
    """
    spec = spec or VariableSpec(id=name)
    encoding = Encoding(dtype="float32", nodata=float("nan"), units=spec.units or "1")
    taken = [variables[each] for each in expression.names]
    times = shared_times(taken)
    levels = _levels(taken)
    info = VariableInfo(
        name=name,
        encoding=replace(encoding, circle=configured_circle(encoding, spec)),
        levels=tuple(taken[0].levels[level[0]] for level in levels),
        made_levels=frozenset(
            number
            for number, level in enumerate(levels)
            if any(each in variable.made_levels for each, variable in zip(level, taken, strict=True))
        ),
        times=times,
        title=spec.title,
        is_derived=True,
    )
    operands = (
        Operand(info=each, positions=positions_in(each, times), levels=tuple(level[place] for level in levels))
        for place, each in enumerate(taken)
    )
    return Formula(info=info, expression=expression, operands=tuple(operands))


def _levels(variables: list[VariableInfo]) -> list[tuple[int, ...]]:
    """The levels that all variables have, each with its number among each variable's own."""
    first, *rest = variables
    for other in rest:
        if not are_same_cells(first.grid, other.grid):
            raise InvalidParameter(
                f"{first.name} and {other.name} lie on different grids ({_size(first.grid)} and {_size(other.grid)} "
                "cells); accepted are variables of one grid",
                locator="expression",
            )
    found = [[_level_like(grid, other) for other in variables] for grid in first.levels]
    return [tuple(number for number in numbers if number is not None) for numbers in found if None not in numbers]


def _level_like(grid: NativeGrid, variable: VariableInfo) -> int | None:
    return next((number for number, each in enumerate(variable.levels) if are_same_cells(grid, each)), None)


def _size(grid: NativeGrid) -> str:
    return f"{grid.width} x {grid.height}"


OPERAND_S = 15e-9
"""Processor time of a formula for each number of each operand, and for each of its own."""


class FormulaReader(Deriving[Formula]):
    """Reads what another reader does, and formulas over it; a formula may take another.

    Args:
        reader: Of the same source.
        formulas: By name.
        left_out: Formulas that cannot be, and why.
    """

    def __init__(self, reader: Reader, formulas: Mapping[str, Formula], left_out: tuple[Finding, ...] = ()) -> None:
        variables = {**reader.info.variables, **{name: formula.info for name, formula in formulas.items()}}
        findings = (*reader.info.findings, *left_out)
        super().__init__(reader, formulas, replace(reader.info, variables=variables, findings=findings))

    @for_derived
    def revision(self, formula: Formula, index: int) -> str:
        """Return the formula, and the states of all that it takes at that time."""
        states = [self.revision(each.info.name, each.positions.at(index)) for each in formula.operands]
        return " ".join((formula.expression.text, *states))

    @for_derived
    def revision_key(self, formula: Formula, index: int) -> Hashable:
        """Return those of all that the formula takes at that time."""
        return tuple(self.revision_key(each.info.name, each.positions.at(index)) for each in formula.operands)

    def file_of(self, variable: str, index: int) -> str | None:
        """Return the file of the reader; a formula has none."""
        return None if variable in self._derived else self._reader.file_of(variable, index)

    @for_derived
    def read_window(self, formula: Formula, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        operands = [
            self.read_window(
                each.info.name, index=each.positions.at(index), level=each.levels[level], window=window, step=step
            )
            for each in formula.operands
        ]
        return Pixels(_computed(formula, operands))

    @for_derived
    def fetch_ahead(self, formula: Formula, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the requests of all that the formula is over."""
        for each in formula.operands:
            self.fetch_ahead(
                each.info.name, index=each.positions.at(index), level=each.levels[level], window=window, step=step
            )

    @for_derived
    def read_cell(self, formula: Formula, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; one without a value has the reason of what it is made of."""
        operands = _operands(
            formula, indexes, lambda name, some: self.read_cell(name, indexes=some, row=row, column=column)
        )
        numbers = _computed(formula, operands)
        return Pixels(numbers, reasons=_reasons(formula, operands, numbers))

    @for_derived
    def block_shape(self, formula: Formula, along: Along) -> BlockShape:
        """Return the shape of blocks of the variable, or of the first that its formula takes."""
        return self.block_shape(formula.operands[0].info.name, along)

    @for_derived
    def read_cost(self, formula: Formula, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of all that the formula is over, whose common files are opened once, and of computing it."""
        parts, files = list[ReadCost](), set[str]()
        for each in formula.operands:
            own = each.positions.at_all(indexes)
            part = self.read_cost(each.info.name, indexes=own, window=window, along=along)
            file = self.file_of(each.info.name, own[0]) if own else None
            parts.append(replace(part, opening_s=0.0) if file in files else part)
            files |= set() if file is None else {file}
        return sum_of_read_costs(parts, value_s=OPERAND_S * (1 + len(parts)))

    @for_derived
    def read_block(self, formula: Formula, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid, with the reasons of what they are made of."""
        operands = _operands(
            formula, indexes, lambda name, some: self.read_block(name, indexes=some, window=window, along=along)
        )
        numbers = _computed(formula, operands)
        return Pixels(numbers, codes=_codes(formula, operands, numbers))

    @for_derived
    def has_fast_cells(self, formula: Formula) -> bool:
        """Return whether all that is read for a variable is read so."""
        return all(self.has_fast_cells(each.info.name) for each in formula.operands)

    @for_derived
    def read_cells(self, formula: Formula, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of native cells, with the reasons of what they are made of."""
        operands = _operands(
            formula, indexes, lambda name, some: self.read_cells(name, indexes=some, rows=rows, columns=columns)
        )
        numbers = _computed(formula, operands)
        return Pixels(numbers, codes=_codes(formula, operands, numbers))


def _operands(formula: Formula, indexes: Sequence[int], read: Callable[[str, list[int]], Pixels]) -> list[Pixels]:
    # What is read of each operand by its name, at its own indexes of the formula's times.
    return [read(each.info.name, each.positions.at_all(indexes)) for each in formula.operands]


def _computed(formula: Formula, operands: list[Pixels]) -> NumberArray:
    """The formula's numbers, in the shape that all operands have."""
    shape = operands[0].numbers.shape
    numbers = np.empty(shape, dtype=np.float32)
    step = max(1, BLOCK_CELLS // max(1, int(np.prod(shape[1:]))))
    for start in range(0, shape[0], step):
        part = slice(start, start + step)
        values = {
            each.info.name: _values(pixels, each.info.encoding, part)
            for each, pixels in zip(formula.operands, operands, strict=True)
        }
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, which is no value
            numbers[part] = formula.expression.evaluate(values)
    return numbers


def _values(pixels: Pixels, encoding: Encoding, part: slice) -> Float64Array:
    """Values of some rows or times of pixels, NaN where there is none."""
    some = Pixels(
        pixels.numbers[part],
        None if pixels.valid is None else pixels.valid[part],
        codes=None if pixels.codes is None else Codes(pixels.codes.numbers[part], pixels.codes.names),
    )
    return np.where(valid_pixels(some, encoding), encoding.values(some.numbers), np.nan)


def _codes(formula: Formula, operands: list[Pixels], numbers: NumberArray) -> Codes:
    """As `_reasons`, of a block."""
    coded = [pixel_codes(pixels, each.info.encoding) for each, pixels in zip(formula.operands, operands, strict=True)]
    names = tuple(dict.fromkeys(name for each in coded for name in each.names))
    codes = np.where(np.isfinite(numbers), 0, NODATA_CODE).astype(np.uint8)
    for each in reversed(coded):
        table = np.array([0, *(names.index(name) + 1 for name in each.names)], dtype=np.uint8)
        np.copyto(codes, table[each.numbers], where=(codes != 0) & (each.numbers != 0))
    return Codes(codes, names)


def _reasons(formula: Formula, operands: list[Pixels], numbers: NumberArray) -> tuple[str | None, ...]:
    """The reason of the first operand that has one; nodata where the arithmetic itself has no result."""
    each_reasons = [
        cell_reasons(pixels, each.info.encoding) for each, pixels in zip(formula.operands, operands, strict=True)
    ]
    return tuple(
        None if is_value else next(filter(None, reasons), REASON_NODATA)
        for is_value, *reasons in zip(np.isfinite(numbers).tolist(), *each_reasons, strict=True)
    )
