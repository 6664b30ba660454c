"""Expressions in requests: a layer whose content is computed from variables, and services that read it."""

from dataclasses import replace

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.source import VariableInfo
from chronotile.pipeline.services import Services
from chronotile.readers.derived.formula import FormulaReader, formula_of
from chronotile.readers.reader import Reader

VARIABLE = "="
"""Name of the computed variable; variables of collections cannot have it."""


def apply_expression(layer: Layer, text: str | None, services: Services) -> tuple[Layer, Services]:
    """Return the layer with the expression as its content, and services that read it; both unchanged without a text.

    Raises:
        InvalidParameter: The text is not a valid expression over variables of the collection, or their grids or times
            differ.
        SourceUnavailable: The source is not open.
    """
    if text is None:
        return layer, services
    if layer.mask is not None:
        raise InvalidParameter(f"layer {layer.id} is masked, over which there is no expression", locator="expression")
    collection, whole = (of.catalogue.collection(layer.collection) for of in (services, services.origin))
    hidden = whole.variables.keys() - collection.variables.keys()  # a visible composite may contain hidden variables
    variables = {of.name: of for part in collection.layers for of in part.variables if of.name not in hidden}
    if layer.main_variable.is_mosaic:
        expression = parse_expression(text, variables)
        mosaic = services.mosaic_reader(layer).add_formula(VARIABLE, expression, expression.names)
        return _replace_content(layer, mosaic, mosaic.info.variables[VARIABLE], services)
    formula = formula_of(VARIABLE, parse_expression(text, variables), variables)
    reader = FormulaReader(services.reader(layer), {VARIABLE: formula})
    return _replace_content(layer, reader, formula.info, services)


def _replace_content(layer: Layer, reader: Reader, content: VariableInfo, services: Services) -> tuple[Layer, Services]:
    return (
        replace(layer, content=content, times=content.times),
        replace(services, readers={**services.readers, layer.collection: reader}),
    )
