"""Which fields of a collection a request names."""

from itertools import islice

from chronotile.catalog.catalogue import MAX_LISTED
from chronotile.catalog.offered import Offered
from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.collection import Layer
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter


def named_fields(query: Kvp, parameter: Parameter[str], offered: Offered) -> tuple[Layer, ...]:
    """Return the layers that a list names, each once, by the names of fields or the ids of layers; none without a list.

    Args:
        query: Of the request.
        parameter: That has the list.
        offered: The collection.

    Raises:
        InvalidParameter: One is not a field; the message names those that are.
    """
    name, given = parameter.name, parameter.given(query)
    if given is None:
        return ()
    known = {layer.id: layer for layer in offered.fields.values()} | offered.fields
    elsewhere = {layer.main_variable.name: layer for layer in offered.layers if not layer.is_composite}
    layers: dict[str, Layer] = {}
    for field in (part.strip() for part in given.split(",")):
        if field not in known:
            hint = f"; its grid is different: use collection {elsewhere[field].id}" if field in elsewhere else ""
            others = " and others" if len(offered.fields) > MAX_LISTED else ""
            listed = ", ".join(islice(offered.fields, MAX_LISTED)) + others
            raise InvalidParameter(
                f"{name} names a field {field[:MAX_SHOWN]!r}; accepted are {listed}{hint}", locator=name
            )
        layers[known[field].id] = known[field]
    return tuple(layers.values())
