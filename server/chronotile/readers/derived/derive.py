"""Masks and formulas put round a reader, as its configuration has them."""

from collections.abc import Mapping

from chronotile.errors import InvalidParameter
from chronotile.model.expression import Expression
from chronotile.model.source import Finding, Mask, SourceSpec, VariableInfo
from chronotile.readers.derived.formula import Formula, FormulaReader, formula_of
from chronotile.readers.derived.mask import Masked, MaskReader, masked_by
from chronotile.readers.reader import Reader

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
                formula = formula_of(name, waiting.pop(name), known, title=variable.title, units=variable.units)
            except InvalidParameter as error:
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
