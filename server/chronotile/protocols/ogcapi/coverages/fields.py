"""The fields of a coverage: layers with values, by the names of their variables."""

from chronotile.catalog.offered import Offered
from chronotile.errors import InvalidParameter, UnknownPath
from chronotile.model.collection import Layer
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import text
from chronotile.protocols.ogcapi.requested_fields import named_fields

PROPERTIES = text("properties", "Fields, separated by commas, in order; default: all")
EXCLUDE_PROPERTIES = text("exclude-properties", "Fields that are left out")


def layers_of(offered: Offered) -> tuple[Layer, ...]:
    """Return the layers of all fields.

    Raises:
        UnknownPath: The collection has no values.
    """
    if not offered.has_values:
        raise UnknownPath(
            f"collection {offered.id} is not a coverage: it has colours, not values", locator="collectionId"
        )
    return tuple(offered.fields.values())


def requested_layers(query: Kvp, offered: Offered) -> tuple[Layer, ...]:
    """Return the layers of the fields that `properties` and `exclude-properties` leave, in the requested order.

    Raises:
        InvalidParameter: One is not known, or none is left.
        UnknownPath: The collection has no values.
    """
    everything = layers_of(offered)
    chosen = named_fields(query, PROPERTIES, offered) or everything
    excluded = named_fields(query, EXCLUDE_PROPERTIES, offered)
    left = tuple(layer for layer in chosen if layer not in excluded)
    if not left:
        raise InvalidParameter("exclude-properties leaves no field", locator="exclude-properties")
    return left
