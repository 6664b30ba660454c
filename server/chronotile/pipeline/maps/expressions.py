"""A layer that shows arithmetic over the variables of its collection."""

from dataclasses import replace

from chronotile.model.collection import Layer
from chronotile.model.expression import parse_expression
from chronotile.model.source import VariableInfo
from chronotile.pipeline.services import Services
from chronotile.readers.derived.formula import FormulaReader, formula_of
from chronotile.readers.reader import Reader

VARIABLE = "="
"""What the variable of a request's expression is called; no variable of a collection can be."""


def with_expression(layer: Layer, text: str | None, services: Services) -> tuple[Layer, Services]:
    """Return the layer with an expression for its content, and services that can read it; both as they are without.

    Raises:
        InvalidParameter: It is not an expression over variables of the layer's collection, or they do not fit together.
        SourceUnavailable: The source is not open.
    """
    if text is None:
        return layer, services
    variables = {name: variable for name, (variable, _layer) in _variables(layer, services).items()}
    if layer.main_variable.is_mosaic:
        expression = parse_expression(text, variables)
        mosaic = services.reader(layer).with_formula(VARIABLE, expression, expression.names)
        return _shown_by(layer, mosaic, mosaic.info.variables[VARIABLE], services)
    formula = formula_of(VARIABLE, parse_expression(text, variables), variables)
    reader = FormulaReader(services.reader(layer), {VARIABLE: formula})
    return _shown_by(layer, reader, formula.info, services)


def _shown_by(layer: Layer, reader: Reader, content: VariableInfo, services: Services) -> tuple[Layer, Services]:
    return (
        replace(layer, content=content, times=content.times),
        replace(services, readers={**services.readers, layer.collection: reader}),
    )


def _variables(layer: Layer, services: Services) -> dict[str, tuple[VariableInfo, Layer]]:
    """The variables of a layer's collection, each with a layer that shows it."""
    collection = services.catalogue.collection(layer.collection)
    return {variable.name: (variable, each) for each in collection.layers for variable in each.variables}
