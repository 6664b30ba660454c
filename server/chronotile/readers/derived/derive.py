"""Masks and formulas put round a reader, as its configuration has them."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import InvalidParameter, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import MASKED_CODE, REASON_MASKED
from chronotile.core.model.expression import Expression
from chronotile.core.model.raster import Pixels, cell_reasons, pixel_codes, valid_pixels
from chronotile.core.model.source import Mask, SourceSpec, VariableInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import BoolArray, Int64Array
from chronotile.core.read_cost import ReadCost, sum_of_read_costs
from chronotile.readers.derived.formula import Formula, FormulaReader, formula_of
from chronotile.readers.derived.wrapped import (
    Deriving,
    Overlay,
    Positions,
    cells_across,
    for_derived,
    overlay,
    positions_in,
    shared_times,
)
from chronotile.readers.reader import Along, Reader

OF_ONE_GRID = ": take bands of one resolution, or write the collection onto one grid (chronotile optimise --collection)"
"""What to do about bands of items whose cells differ."""


def with_derived(reader: Reader, spec: SourceSpec) -> Reader:
    """Return the reader with the masks and formulas of `spec`; what cannot be is left out and becomes a finding.

    Formulas take masked variables; a mask of a formula comes on top.
    """
    formulas = {name: variable.formula for name, variable in spec.variables.items() if variable.formula is not None}
    masks = {name: variable.mask for name, variable in spec.variables.items() if variable.mask is not None}
    reader = _with_masks(reader, {name: mask for name, mask in masks.items() if name not in formulas})
    if not formulas:
        return reader
    reader = _with_formulas(reader, formulas, spec)
    return _with_masks(reader, {name: mask for name, mask in masks.items() if name in formulas})


def _with_masks(reader: Reader, masks: Mapping[str, Mask]) -> Reader:
    """A variable that is not there has no mask; the catalogue says that it is not."""
    held = reader.info.variables
    masked, left_out = dict[str, Masked](), list[Finding]()
    for name, mask in masks.items():
        if name in held and mask.variable in held:
            try:
                masked[name] = masked_by(held[name], mask, held[mask.variable])
            except InvalidParameter as error:
                left_out.append(_left_out(name, error.message))
        elif name in held:
            left_out.append(_left_out(name, f"the source has no variable {mask.variable}, which masks it"))
    return MaskReader(reader, masked, tuple(left_out)) if masks else reader


def _with_formulas(reader: Reader, expressions: Mapping[str, Expression], spec: SourceSpec) -> Reader:
    """Each formula is made after those it takes."""
    known = dict(reader.info.variables)
    made, left_out, waiting = dict[str, Formula](), list[Finding](), dict(expressions)
    while ready := [name for name in waiting if known.keys() >= set(waiting[name].names)]:
        for name in ready:
            variable = spec.variables[name]
            try:
                formula = formula_of(name, waiting.pop(name), known, spec=variable)
            except (InvalidParameter, UnsupportedSource) as error:
                remedy = "" if spec.items is None else OF_ONE_GRID
                left_out.append(_left_out(name, error.message + remedy))
            else:
                made[name], known[name] = formula, formula.info
    left_out += [_left_out(name, _lacking(expression, known)) for name, expression in waiting.items()]
    return FormulaReader(reader, made, tuple(left_out))


def _lacking(expression: Expression, known: Mapping[str, VariableInfo]) -> str:
    return f"the source has no variable {next(name for name in expression.names if name not in known)}"


def _left_out(name: str, reason: str) -> Finding:
    return Finding("error", name, f"left out: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A variable with the quality variable that masks it."""

    info: VariableInfo
    positions: Positions
    quality: VariableInfo
    quality_positions: Positions
    keep: tuple[int, ...]
    across: int
    """Cells side by side in one cell of the quality variable."""

    def valid(self, pixels: Pixels) -> BoolArray:
        """Return where pixels of the quality variable leave values standing."""
        is_valid: BoolArray = np.isin(pixels.numbers, self.keep)
        if pixels.codes is not None:  # of a mask of its own, which takes away values alone
            return is_valid & (
                valid_pixels(pixels, self.quality.encoding) | ~self.quality.encoding.valid(pixels.numbers)
            )
        return is_valid if pixels.valid is None else is_valid & pixels.valid


def masked_by(variable: VariableInfo, mask: Mask, quality: VariableInfo) -> Masked:
    """Return a variable with its mask: on its own grid, at the times at which the quality variable is there too.

    Raises:
        InvalidParameter: The grids do not fit, or there is no such time.
    """
    across = cells_across(variable.grid, quality.grid)
    if across is None:
        raise InvalidParameter(
            f"its cells do not fill those of its mask {quality.name}: accepted is a mask on the same grid, or with "
            "cells a whole number of times as large that begin at the same corner",
            locator="mask",
        )
    times = shared_times((variable, quality))
    return Masked(
        info=replace(variable, times=times, is_derived=True),
        positions=positions_in(variable, times),
        quality=quality,
        quality_positions=positions_in(quality, times),
        keep=mask.keep,
        across=across,
    )


def masked_info(variable: VariableInfo, mask: Mask, quality: VariableInfo) -> VariableInfo:
    """Return a variable as it is masked; of a mosaic each item is.

    Raises:
        InvalidParameter: As `masked_by`.
    """
    if variable.is_mosaic:
        return replace(variable, times=shared_times((variable, quality)), is_derived=True)
    return masked_by(variable, mask, quality).info


MASK_S = 15e-9
"""Processor time of a mask for each number."""


class MaskReader(Deriving[Masked]):
    """Reads what another reader does, some of it masked; the quality variables themselves as they are stored.

    A mask takes values away and nothing else: a pixel that is a flag, such as a cloud, stays one.

    Args:
        reader: Of the same source.
        masked: By variable.
        left_out: Variables that are not to be read, since their masks cannot be, and why.
    """

    def __init__(self, reader: Reader, masked: Mapping[str, Masked], left_out: tuple[Finding, ...] = ()) -> None:
        variables = {**reader.info.variables, **{name: each.info for name, each in masked.items()}}
        for finding in left_out:
            del variables[finding.place]
        findings = (*reader.info.findings, *left_out)
        super().__init__(reader, masked, replace(reader.info, variables=variables, findings=findings))

    @for_derived
    def revision(self, masked: Masked, index: int) -> str:
        """Return the states of the variable and of its mask at that time, and where values are valid."""
        own = self._reader.revision(masked.info.name, masked.positions.at(index))
        quality = self._reader.revision(masked.quality.name, masked.quality_positions.at(index))
        return f"{own} {masked.quality.name} {masked.keep} {quality}"

    @for_derived
    def revision_key(self, masked: Masked, index: int) -> Hashable:
        """Return those of the variable and of its mask at that time."""
        return (
            self._reader.revision_key(masked.info.name, masked.positions.at(index)),
            self._reader.revision_key(masked.quality.name, masked.quality_positions.at(index)),
        )

    @for_derived
    def file_of(self, masked: Masked, index: int) -> str | None:
        """Return the file of the variable itself."""
        return self._reader.file_of(masked.info.name, masked.positions.at(index))

    @for_derived
    def read_window(self, masked: Masked, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        own = self._reader.read_window(
            masked.info.name, index=masked.positions.at(index), level=level, window=window, step=step
        )
        present = self._valid(masked, index, level=level, window=window, step=step)
        present |= ~masked.info.encoding.valid(own.numbers)
        return Pixels(own.numbers, present if own.valid is None else present & own.valid)

    @for_derived
    def fetch_ahead(self, masked: Masked, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the requests of a variable and of what masks it."""
        own, quality = masked.positions.at(index), masked.quality_positions.at(index)
        self._reader.fetch_ahead(masked.info.name, index=own, level=level, window=window, step=step)
        nearest, under = _under(masked, level, window, step)
        self._reader.fetch_ahead(
            masked.quality.name, index=quality, level=nearest, window=under.window, step=under.step
        )

    @for_derived
    def read_cell(self, masked: Masked, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        own = self._reader.read_cell(masked.info.name, indexes=masked.positions.at_all(indexes), row=row, column=column)
        quality = self._reader.read_cell(
            masked.quality.name,
            indexes=masked.quality_positions.at_all(indexes),
            row=row // masked.across,
            column=column // masked.across,
        )
        valid = masked.valid(quality)
        reasons = cell_reasons(own, masked.info.encoding)
        return Pixels(
            own.numbers,
            valid if own.valid is None else valid & own.valid,
            tuple(reason or (None if keep else REASON_MASKED) for reason, keep in zip(reasons, valid, strict=True)),
        )

    @for_derived
    def read_cost(self, masked: Masked, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of the variable and of its mask, whose cells may be larger."""
        own, of_quality = masked.positions.at_all(indexes), masked.quality_positions.at_all(indexes)
        under = overlay(window, 1, grid=masked.info.grid, other=masked.quality.grid).window
        name, quality = masked.info.name, masked.quality.name
        cost = self._reader.read_cost(quality, indexes=of_quality, window=under, along=along)
        fraction = 1 / masked.across**2
        cost = replace(cost, block_s=cost.block_s * max(fraction, 0.25), value_s=cost.value_s * fraction)
        if own and self._reader.file_of(name, own[0]) == self._reader.file_of(quality, of_quality[0]) is not None:
            cost = replace(cost, opening_s=0.0)
        cost_of_own = self._reader.read_cost(name, indexes=own, window=window, along=along)
        return sum_of_read_costs((cost_of_own, cost), value_s=MASK_S)

    @for_derived
    def read_block(self, masked: Masked, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid; what the mask takes away is masked."""
        own = self._reader.read_block(
            masked.info.name, indexes=masked.positions.at_all(indexes), window=window, along=along
        )
        under = overlay(window, 1, grid=masked.info.grid, other=masked.quality.grid)
        quality = self._reader.read_block(
            masked.quality.name,
            indexes=masked.quality_positions.at_all(indexes),
            window=under.window,
            along=along,
        )
        return _masked(own, masked, under.take(masked.valid(quality)))

    @for_derived
    def has_fast_cells(self, masked: Masked) -> bool:
        """Return whether the variable and its mask are read so."""
        return all(map(self._reader.has_fast_cells, (masked.info.name, masked.quality.name)))

    @for_derived
    def read_cells(self, masked: Masked, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of native cells; what the mask takes away is masked."""
        reader = self._reader
        own = reader.read_cells(masked.info.name, indexes=masked.positions.at_all(indexes), rows=rows, columns=columns)
        quality = reader.read_cells(
            masked.quality.name,
            indexes=masked.quality_positions.at_all(indexes),
            rows=rows // masked.across,
            columns=columns // masked.across,
        )
        return _masked(own, masked, masked.valid(quality))

    def _valid(self, masked: Masked, index: int, *, level: int, window: Window, step: int) -> BoolArray:
        """(y, x) of a window: where values stand, by the level of the quality variable that is nearest in size."""
        nearest, under = _under(masked, level, window, step)
        quality = self._reader.read_window(
            masked.quality.name,
            index=masked.quality_positions.at(index),
            level=nearest,
            window=under.window,
            step=under.step,
        )
        return under.take(masked.valid(quality))


def _under(masked: Masked, level: int, window: Window, step: int) -> tuple[int, Overlay]:
    """The level of the quality variable nearest in size to one of the variable, and what a window needs of it."""
    grid, levels = masked.info.levels[level], masked.quality.levels
    nearest = min(range(len(levels)), key=lambda each: abs(math.log(levels[each].resolution / grid.resolution)))
    return nearest, overlay(window, step, grid=grid, other=levels[nearest])


def _masked(own: Pixels, masked: Masked, valid: BoolArray) -> Pixels:
    """Pixels with the reason why each is no value; a mask takes away values alone."""
    codes = pixel_codes(own, masked.info.encoding)
    codes.numbers[(codes.numbers == 0) & ~valid] = MASKED_CODE
    return Pixels(own.numbers, codes=codes)
