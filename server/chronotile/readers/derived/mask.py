"""Masks: variables whose values another variable of the same source removes."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import MASKED_CODE, REASON_MASKED
from chronotile.core.model.quality import AbsentFlags, NamedFlag, ValueBounds, have_flags
from chronotile.core.model.raster import Pixels, cell_reasons, pixel_codes, valid_pixels
from chronotile.core.model.source import Mask, VariableInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import BoolArray, Int64Array, NumberArray
from chronotile.core.read_cost import ReadCost, sum_of_read_costs
from chronotile.readers.cf.cell_areas import averaging_areas
from chronotile.readers.derived.alignment import (
    Overlay,
    TimePositions,
    cells_across,
    overlay,
    positions_in,
    shared_times,
)
from chronotile.readers.reader import Along, Reader
from chronotile.readers.wrapping_reader import DerivingReader, dispatch_derived


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedVariable:
    """A variable and the quality variable that masks it."""

    info: VariableInfo
    positions: TimePositions
    quality: VariableInfo
    quality_positions: TimePositions
    keep: tuple[int, ...] | ValueBounds | AbsentFlags
    hiding_flags: tuple[NamedFlag, ...]
    across: int
    """Number of cells of the variable along a side of a cell of the quality variable."""

    def valid(self, pixels: Pixels) -> BoolArray:
        """Return a boolean mask, true for pixels of the quality variable that keep values."""
        is_valid = self._keeps(pixels.numbers)
        if pixels.codes is not None:  # the quality variable is masked, too; its mask removes values only
            return is_valid & (
                valid_pixels(pixels, self.quality.encoding) | ~self.quality.encoding.valid(pixels.numbers)
            )
        return is_valid if pixels.valid is None else is_valid & pixels.valid

    def _keeps(self, numbers: NumberArray) -> BoolArray:
        match self.keep:
            case ValueBounds():
                return self.keep.contain(numbers, self.quality.encoding)
            case AbsentFlags():
                return ~have_flags(self.hiding_flags, numbers, self.quality.encoding)
            case accepted:
                return np.isin(numbers, accepted)


def mask_variable(variable: VariableInfo, mask: Mask, quality: VariableInfo) -> MaskedVariable:
    """Return a variable with its mask: on the grid of the variable, at the times that both have.

    Raises:
        InvalidParameter: The grids do not fit, there is no common time, or the quality variable lacks a flag.
    """
    across = cells_across(variable.grid, quality.grid)
    if across is None:
        raise InvalidParameter(
            f"its cells do not fill those of its mask {quality.name}: accepted is a mask on the same grid, or with "
            "cells a whole number of times as large that begin at the same corner",
            locator="mask",
        )
    times = shared_times((variable, quality))
    return MaskedVariable(
        info=replace(variable, times=times, is_derived=True),
        positions=positions_in(variable, times),
        quality=quality,
        quality_positions=positions_in(quality, times),
        keep=mask.keep,
        hiding_flags=mask.hiding_flags(quality),
        across=across,
    )


def masked_info(variable: VariableInfo, mask: Mask, quality: VariableInfo) -> VariableInfo:
    """Return a masked variable. If it is a mosaic, each item is masked, so that only the times matter.

    Raises:
        InvalidParameter: As in `mask_variable`.
    """
    mask.hiding_flags(quality)
    if variable.is_mosaic:
        return replace(variable, times=shared_times((variable, quality)), is_derived=True)
    return mask_variable(variable, mask, quality).info


MASK_S = 15e-9
"""Processor seconds of a mask per number."""


class MaskReader(DerivingReader[MaskedVariable]):
    """Reader of a source with masked variables; quality variables are read unchanged.

    A mask removes only values: a pixel with a flag, such as a cloud, keeps it.

    Args:
        reader: Reader of the source.
        masked: Masked variables by id.
        findings: Findings about masks; a variable with an error is not served.
    """

    def __init__(
        self, reader: Reader, masked: Mapping[str, MaskedVariable], findings: tuple[Finding, ...] = ()
    ) -> None:
        variables = {**reader.info.variables, **{name: variable.info for name, variable in masked.items()}}
        for finding in findings:
            if finding.severity == "error":
                del variables[finding.place]
        info = replace(reader.info, variables=variables, findings=(*reader.info.findings, *findings))
        super().__init__(reader, masked, info)

    @dispatch_derived
    def revision(self, masked: MaskedVariable, index: int) -> str:
        """Return the revisions of the variable and of its mask, and the condition of the mask."""
        variable = self._reader.revision(masked.info.name, masked.positions.at(index))
        quality = self._reader.revision(masked.quality.name, masked.quality_positions.at(index))
        return f"{variable} {masked.quality.name} {masked.keep} {quality}"

    @dispatch_derived
    def revision_key(self, masked: MaskedVariable, index: int) -> Hashable:
        """Return the keys of the variable and of its mask."""
        return (
            self._reader.revision_key(masked.info.name, masked.positions.at(index)),
            self._reader.revision_key(masked.quality.name, masked.quality_positions.at(index)),
        )

    @dispatch_derived
    def file_of(self, masked: MaskedVariable, index: int) -> str | None:
        """Return the file of the variable, not of its mask."""
        return self._reader.file_of(masked.info.name, masked.positions.at(index))

    @dispatch_derived
    @averaging_areas(averages=False)
    def read_window(self, masked: MaskedVariable, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of every `step`-th row and column of a window of a level."""
        pixels = self._reader.read_window(
            masked.info.name, index=masked.positions.at(index), level=level, window=window, step=step
        )
        present = self._valid(masked, index, level=level, window=window, step=step)
        present |= ~masked.info.encoding.valid(pixels.numbers)
        return Pixels(pixels.numbers, present if pixels.valid is None else present & pixels.valid)

    @dispatch_derived
    def fetch_ahead(self, masked: MaskedVariable, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the requests of a variable and of its mask."""
        index_in_variable, quality = masked.positions.at(index), masked.quality_positions.at(index)
        self._reader.fetch_ahead(masked.info.name, index=index_in_variable, level=level, window=window, step=step)
        nearest, under = _quality_overlay(masked, level, window, step)
        self._reader.fetch_ahead(
            masked.quality.name, index=quality, level=nearest, window=under.window, step=under.step
        )

    @dispatch_derived
    def read_cell(self, masked: MaskedVariable, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        pixels = self._reader.read_cell(
            masked.info.name, indexes=masked.positions.at_all(indexes), row=row, column=column
        )
        quality = self._reader.read_cell(
            masked.quality.name,
            indexes=masked.quality_positions.at_all(indexes),
            row=row // masked.across,
            column=column // masked.across,
        )
        valid = masked.valid(quality)
        reasons = cell_reasons(pixels, masked.info.encoding)
        return Pixels(
            pixels.numbers,
            valid if pixels.valid is None else valid & pixels.valid,
            tuple(reason or (None if keep else REASON_MASKED) for reason, keep in zip(reasons, valid, strict=True)),
        )

    @dispatch_derived
    def read_cost(self, masked: MaskedVariable, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of the variable and of its mask, whose cells may be larger."""
        own_indexes, quality_indexes = masked.positions.at_all(indexes), masked.quality_positions.at_all(indexes)
        under = overlay(window, 1, grid=masked.info.grid, other=masked.quality.grid).window
        name, quality = masked.info.name, masked.quality.name
        mask_cost = self._reader.read_cost(quality, indexes=quality_indexes, window=under, along=along)
        fraction = 1 / masked.across**2
        mask_cost = replace(
            mask_cost, block_s=mask_cost.block_s * max(fraction, 0.25), value_s=mask_cost.value_s * fraction
        )
        if (
            own_indexes
            and self._reader.file_of(name, own_indexes[0])
            == self._reader.file_of(quality, quality_indexes[0])
            is not None
        ):
            mask_cost = replace(mask_cost, opening_s=0.0)
        variable_cost = self._reader.read_cost(name, indexes=own_indexes, window=window, along=along)
        return sum_of_read_costs((variable_cost, mask_cost), value_s=MASK_S)

    @dispatch_derived
    @averaging_areas(averages=False)
    def read_block(self, masked: MaskedVariable, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid, with the reason of masked pixels."""
        pixels = self._reader.read_block(
            masked.info.name, indexes=masked.positions.at_all(indexes), window=window, along=along
        )
        under = overlay(window, 1, grid=masked.info.grid, other=masked.quality.grid)
        quality = self._reader.read_block(
            masked.quality.name,
            indexes=masked.quality_positions.at_all(indexes),
            window=under.window,
            along=along,
        )
        return _mask_pixels(pixels, masked, under.take(masked.valid(quality)))

    @dispatch_derived
    def has_fast_cells(self, masked: MaskedVariable) -> bool:
        """Return whether the variable and its mask have fast cells."""
        return all(map(self._reader.has_fast_cells, (masked.info.name, masked.quality.name)))

    @dispatch_derived
    def read_cells(
        self, masked: MaskedVariable, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array
    ) -> Pixels:
        """Return (time, cell) pixels of native cells, with the reason of masked pixels."""
        reader = self._reader
        pixels = reader.read_cells(
            masked.info.name, indexes=masked.positions.at_all(indexes), rows=rows, columns=columns
        )
        quality = reader.read_cells(
            masked.quality.name,
            indexes=masked.quality_positions.at_all(indexes),
            rows=rows // masked.across,
            columns=columns // masked.across,
        )
        return _mask_pixels(pixels, masked, masked.valid(quality))

    def _valid(self, masked: MaskedVariable, index: int, *, level: int, window: Window, step: int) -> BoolArray:
        """Return a (y, x) mask, true for kept values; read from the quality level of the nearest cell size."""
        nearest, under = _quality_overlay(masked, level, window, step)
        quality = self._reader.read_window(
            masked.quality.name,
            index=masked.quality_positions.at(index),
            level=nearest,
            window=under.window,
            step=under.step,
        )
        return under.take(masked.valid(quality))


def _quality_overlay(masked: MaskedVariable, level: int, window: Window, step: int) -> tuple[int, Overlay]:
    """The quality level nearest in cell size to a level of the variable, and its cells below a window."""
    grid, levels = masked.info.levels[level], masked.quality.levels
    nearest = min(range(len(levels)), key=lambda n: abs(math.log(levels[n].resolution / grid.resolution)))
    return nearest, overlay(window, step, grid=grid, other=levels[nearest])


def _mask_pixels(pixels: Pixels, masked: MaskedVariable, valid: BoolArray) -> Pixels:
    """Pixels with the reason why each is no value; only values become masked."""
    codes = pixel_codes(pixels, masked.info.encoding)
    codes.numbers[(codes.numbers == 0) & ~valid] = MASKED_CODE
    return Pixels(pixels.numbers, codes=codes)
