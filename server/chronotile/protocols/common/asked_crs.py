"""The CRS in which a request gives coordinates."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import UnsupportedCrs
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, Crs
from chronotile.protocols.common.kvp import MAX_SHOWN


def asked_crs(text: str | None, layer: Layer, catalogue: Catalogue) -> Crs:
    """Return one of those offered, or the layer's own; CRS84 where none is named.

    Raises:
        UnsupportedCrs: It is neither.
    """
    if text is None:
        return CRS84
    own = layer.main_variable.grid.crs
    if text.upper() == own.name.upper():
        return own
    try:
        return catalogue.offered_crs(text)
    except UnsupportedCrs as error:
        raise UnsupportedCrs(f"{error.message}, and {own.name[:MAX_SHOWN]} of this layer", locator="crs") from error
