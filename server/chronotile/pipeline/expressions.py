"""A layer that shows arithmetic over the variables of its collection."""

from dataclasses import replace

from chronotile.model.collection import Layer
from chronotile.model.expression import parse_expression
from chronotile.pipeline.services import Services
from chronotile.readers.formula import FormulaReader, formula_of

VARIABLE = "="
"""What the variable of a request's expression is called; no variable of a collection can be."""


def with_expression(layer: Layer, text: str | None, services: Services) -> tuple[Layer, Services]:
    """Return the layer with an expression for its content, and services that can read it; both as they are without.

    Raises:
        InvalidParameter: It is no expression over variables of the layer's collection, or they do not fit together.
        SourceUnavailable: The source is not open.
    """
    if text is None:
        return layer, services
    collection = services.catalogue.collection(layer.collection)
    variables = {variable.name: variable for each in collection.layers for variable in each.variables}
    formula = formula_of(VARIABLE, parse_expression(text, variables), variables)
    reader = FormulaReader(services.reader(layer), {VARIABLE: formula})
    return (
        replace(layer, content=formula.info, times=formula.info.times),
        replace(services, readers={**services.readers, layer.collection: reader}),
    )
