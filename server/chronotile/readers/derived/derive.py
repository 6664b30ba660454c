"""The configured masks and formulas of a source."""

from collections.abc import Iterable, Mapping

import numpy as np

from chronotile.core.errors import InvalidParameter, UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.core.model.expression import Expression
from chronotile.core.model.source import Mask, SourceSpec, VariableInfo
from chronotile.core.model.types import InstantArray
from chronotile.readers.derived.alignment import describe_missing_dates
from chronotile.readers.derived.formula import Formula, FormulaReader, formula_of
from chronotile.readers.derived.mask import MaskedVariable, MaskReader, mask_variable
from chronotile.readers.reader import Reader

ONE_GRID_REMEDY = (
    ": take bands of one resolution, or write the collection onto one grid (chronotile optimise new --collection)"
)


def derive_variables(reader: Reader, spec: SourceSpec) -> Reader:
    """Return a reader with the masks and formulas of `spec`; impossible ones become findings.

    Formulas use masked variables; a mask of a formula is applied to its result.
    """
    formulas = {name: variable.formula for name, variable in spec.variables.items() if variable.formula is not None}
    masks = {name: variable.mask for name, variable in spec.variables.items() if variable.mask is not None}
    reader = _add_masks(reader, {name: mask for name, mask in masks.items() if name not in formulas})
    if not formulas:
        return reader
    reader = _add_formulas(reader, formulas, spec)
    return _add_masks(reader, {name: mask for name, mask in masks.items() if name in formulas})


def _add_masks(reader: Reader, masks: Mapping[str, Mask]) -> Reader:
    """The reader with masks; a mask of a missing variable is ignored, because the catalogue reports the variable."""
    variables = reader.info.variables
    masked, findings = dict[str, MaskedVariable](), list[Finding]()
    for name, mask in masks.items():
        if name in variables and mask.variable in variables:
            try:
                masked[name] = mask_variable(variables[name], mask, variables[mask.variable])
            except InvalidParameter as error:
                findings.append(_skipped_finding(name, error.message))
            else:
                dates = variables[name].times.starts
                findings += _date_findings(masked[name].info, dates, [mask.variable])
        elif name in variables:
            findings.append(_skipped_finding(name, f"the source has no variable {mask.variable}, which masks it"))
    return MaskReader(reader, masked, tuple(findings)) if masks else reader


def _add_formulas(reader: Reader, expressions: Mapping[str, Expression], spec: SourceSpec) -> Reader:
    """The reader with formulas; each is added after the formulas that it uses."""
    variables = dict(reader.info.variables)
    formulas, findings, waiting = dict[str, Formula](), list[Finding](), dict(expressions)
    while ready := [name for name in waiting if variables.keys() >= set(waiting[name].names)]:
        for name in ready:
            variable = spec.variables[name]
            try:
                formula = formula_of(name, waiting.pop(name), variables, spec=variable)
            except (InvalidParameter, UnsupportedSource) as error:
                remedy = "" if spec.items is None else ONE_GRID_REMEDY
                findings.append(_skipped_finding(name, error.message + remedy))
            else:
                formulas[name], variables[name] = formula, formula.info
                dates = np.unique(np.concatenate([operand.info.times.starts for operand in formula.operands]))
                findings += _date_findings(formula.info, dates, formula.expression.names)
    findings += [_skipped_finding(name, _missing_text(expression, variables)) for name, expression in waiting.items()]
    return FormulaReader(reader, formulas, tuple(findings))


def _date_findings(info: VariableInfo, dates: InstantArray, names: Iterable[str]) -> list[Finding]:
    text = describe_missing_dates(dates, info.times, names)
    return [Finding("warning", info.name, f"{LEFT_OUT}{text}")] if text else []


def _missing_text(expression: Expression, variables: Mapping[str, VariableInfo]) -> str:
    return f"the source has no variable {next(name for name in expression.names if name not in variables)}"


def _skipped_finding(name: str, reason: str) -> Finding:
    return Finding("error", name, f"{LEFT_OUT}{reason}")
