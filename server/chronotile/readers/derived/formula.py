"""Formulas: variables that are computed from other variables of the source when they are read."""

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
from chronotile.readers.cf.cell_areas import averaging_areas
from chronotile.readers.configured_encoding import configured_circle
from chronotile.readers.derived.alignment import TimePositions, are_same_cells, positions_in, shared_times
from chronotile.readers.reader import Along, BlockShape, Reader
from chronotile.readers.wrapping_reader import DerivingReader, dispatch_derived

BLOCK_CELLS = 1 << 16
"""Cells per step of a computation, which bounds its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A variable that a formula uses."""

    info: VariableInfo
    positions: TimePositions
    levels: tuple[int, ...]
    """For each level of the formula, the number of the level of this variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A variable and the inputs it is computed from."""

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
    """Return the variable that an expression defines: on the grid of its operands, at their common times.

    Raises:
        InvalidParameter: The operands lie on different grids, or have no time in common.
        UnsupportedSource: The formula is circular by configuration, and its units have no defined full turn.
    """
    spec = spec or VariableSpec(id=name)
    encoding = Encoding(dtype="float32", nodata=float("nan"), units=spec.units or "1")
    inputs = [variables[operand] for operand in expression.names]
    times = shared_times(inputs)
    levels = _levels(inputs)
    variable = VariableInfo(
        name=name,
        encoding=replace(encoding, circle=configured_circle(encoding, spec)),
        levels=tuple(inputs[0].levels[level[0]] for level in levels),
        made_levels=frozenset(
            number
            for number, level in enumerate(levels)
            if any(n in variable.made_levels for n, variable in zip(level, inputs, strict=True))
        ),
        times=times,
        title=spec.title,
        is_derived=True,
    )
    operands = (
        Operand(info=info, positions=positions_in(info, times), levels=tuple(level[position] for level in levels))
        for position, info in enumerate(inputs)
    )
    return Formula(info=variable, expression=expression, operands=tuple(operands))


def _levels(variables: list[VariableInfo]) -> list[tuple[int, ...]]:
    """Return the common levels of the variables: for each level, its number in each variable."""
    first, *rest = variables
    for other in rest:
        if not are_same_cells(first.grid, other.grid):
            raise InvalidParameter(
                f"{first.name} and {other.name} lie on different grids ({_size(first.grid)} and {_size(other.grid)} "
                "cells); accepted are variables of one grid",
                locator="expression",
            )
    candidates = [[_level_like(grid, variable) for variable in variables] for grid in first.levels]
    return [tuple(n for n in numbers if n is not None) for numbers in candidates if None not in numbers]


def _level_like(grid: NativeGrid, variable: VariableInfo) -> int | None:
    return next((number for number, level in enumerate(variable.levels) if are_same_cells(grid, level)), None)


def _size(grid: NativeGrid) -> str:
    return f"{grid.width} x {grid.height}"


OPERAND_S = 15e-9
"""Processor seconds of a formula per number of each operand, and per number of the result."""


class FormulaReader(DerivingReader[Formula]):
    """Reader of a source with formulas; a formula may use another one.

    Args:
        reader: Reader of the source.
        formulas: Formulas by id.
        findings: Findings about formulas.
    """

    def __init__(self, reader: Reader, formulas: Mapping[str, Formula], findings: tuple[Finding, ...] = ()) -> None:
        variables = {**reader.info.variables, **{name: formula.info for name, formula in formulas.items()}}
        info = replace(reader.info, variables=variables, findings=(*reader.info.findings, *findings))
        super().__init__(reader, formulas, info)

    @dispatch_derived
    def revision(self, formula: Formula, index: int) -> str:
        """Return the expression and the revisions of its operands."""
        states = [self.revision(operand.info.name, operand.positions.at(index)) for operand in formula.operands]
        return " ".join((formula.expression.text, *states))

    @dispatch_derived
    def revision_key(self, formula: Formula, index: int) -> Hashable:
        """Return the keys of the operands."""
        return tuple(self.revision_key(operand.info.name, operand.positions.at(index)) for operand in formula.operands)

    def file_of(self, variable: str, index: int) -> str | None:
        """Return the file of a stored variable, or `None` for a formula."""
        return None if variable in self._derived else self._reader.file_of(variable, index)

    @dispatch_derived
    @averaging_areas(averages=False)
    def read_window(self, formula: Formula, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of every `step`-th row and column of a window of a level."""
        operands = [
            self.read_window(
                operand.info.name,
                index=operand.positions.at(index),
                level=operand.levels[level],
                window=window,
                step=step,
            )
            for operand in formula.operands
        ]
        return Pixels(_compute(formula, operands))

    @dispatch_derived
    def fetch_ahead(self, formula: Formula, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the requests of all operands."""
        for operand in formula.operands:
            self.fetch_ahead(
                operand.info.name,
                index=operand.positions.at(index),
                level=operand.levels[level],
                window=window,
                step=step,
            )

    @dispatch_derived
    def read_cell(self, formula: Formula, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; a cell without a value has the reason of an operand."""
        operands = _read_operands(
            formula, indexes, lambda name, some: self.read_cell(name, indexes=some, row=row, column=column)
        )
        numbers = _compute(formula, operands)
        return Pixels(numbers, reasons=_reasons(formula, operands, numbers))

    @dispatch_derived
    def block_shape(self, formula: Formula, along: Along) -> BlockShape:
        """Return the shape of blocks of the first operand."""
        return self.block_shape(formula.operands[0].info.name, along)

    @dispatch_derived
    def read_cost(self, formula: Formula, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of the operands, with a common file opened once, and of the computation."""
        parts, files = list[ReadCost](), set[str]()
        for operand in formula.operands:
            operand_indexes = operand.positions.at_all(indexes)
            part = self.read_cost(operand.info.name, indexes=operand_indexes, window=window, along=along)
            file = self.file_of(operand.info.name, operand_indexes[0]) if operand_indexes else None
            parts.append(replace(part, opening_s=0.0) if file in files else part)
            files |= set() if file is None else {file}
        return sum_of_read_costs(parts, value_s=OPERAND_S * (1 + len(parts)))

    @dispatch_derived
    @averaging_areas(averages=False)
    def read_block(self, formula: Formula, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid, with reasons of the operands."""
        return _compute_block(
            formula, indexes, lambda name, some: self.read_block(name, indexes=some, window=window, along=along)
        )

    @dispatch_derived
    def has_fast_cells(self, formula: Formula) -> bool:
        """Return whether all operands have fast cells."""
        return all(self.has_fast_cells(operand.info.name) for operand in formula.operands)

    @dispatch_derived
    def read_cells(self, formula: Formula, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of native cells, with reasons of the operands."""
        return _compute_block(
            formula, indexes, lambda name, some: self.read_cells(name, indexes=some, rows=rows, columns=columns)
        )


def _compute_block(formula: Formula, indexes: Sequence[int], read: Callable[[str, list[int]], Pixels]) -> Pixels:
    operands = _read_operands(formula, indexes, read)
    numbers = _compute(formula, operands)
    return Pixels(numbers, codes=_codes(formula, operands, numbers))


def _read_operands(formula: Formula, indexes: Sequence[int], read: Callable[[str, list[int]], Pixels]) -> list[Pixels]:
    # `read` takes the name of an operand, and its indexes of the times.
    return [read(operand.info.name, operand.positions.at_all(indexes)) for operand in formula.operands]


def _compute(formula: Formula, operands: list[Pixels]) -> NumberArray:
    """The numbers of a formula, in the shape of the operands."""
    shape = operands[0].numbers.shape
    numbers = np.empty(shape, dtype=np.float32)
    step = max(1, BLOCK_CELLS // max(1, int(np.prod(shape[1:]))))
    for start in range(0, shape[0], step):
        part = slice(start, start + step)
        values = {
            operand.info.name: _values(pixels, operand.info.encoding, part)
            for operand, pixels in zip(formula.operands, operands, strict=True)
        }
        with np.errstate(over="ignore"):  # numbers too large for float32 become infinite, which is no value
            numbers[part] = formula.expression.evaluate(values)
    return numbers


def _values(pixels: Pixels, encoding: Encoding, part: slice) -> Float64Array:
    """Values of some rows or times of pixels; NaN without a value."""
    selection = Pixels(
        pixels.numbers[part],
        None if pixels.valid is None else pixels.valid[part],
        codes=None if pixels.codes is None else Codes(pixels.codes.numbers[part], pixels.codes.names),
    )
    return np.where(valid_pixels(selection, encoding), encoding.values(selection.numbers), np.nan)


def _codes(formula: Formula, operands: list[Pixels], numbers: NumberArray) -> Codes:
    """Reasons as in `_reasons`, for a block."""
    operand_codes = [
        pixel_codes(pixels, operand.info.encoding) for operand, pixels in zip(formula.operands, operands, strict=True)
    ]
    names = tuple(dict.fromkeys(name for reasons in operand_codes for name in reasons.names))
    codes = np.where(np.isfinite(numbers), 0, NODATA_CODE).astype(np.uint8)
    for reasons in reversed(operand_codes):
        table = np.array([0, *(names.index(name) + 1 for name in reasons.names)], dtype=np.uint8)
        np.copyto(codes, table[reasons.numbers], where=(codes != 0) & (reasons.numbers != 0))
    return Codes(codes, names)


def _reasons(formula: Formula, operands: list[Pixels], numbers: NumberArray) -> tuple[str | None, ...]:
    """Return the reasons of the first operand without a value; nodata if the arithmetic has no result."""
    operand_reasons = [
        cell_reasons(pixels, operand.info.encoding) for operand, pixels in zip(formula.operands, operands, strict=True)
    ]
    return tuple(
        None if is_value else next(filter(None, reasons), REASON_NODATA)
        for is_value, *reasons in zip(np.isfinite(numbers).tolist(), *operand_reasons, strict=True)
    )
