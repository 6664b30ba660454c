"""Areas of requests: rules for geometries in a body, weights of cells, reducers."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.geojson import GeometryRules
from chronotile.core.model.request import WEIGHTS as WORDS
from chronotile.core.model.series.reducers import MEAN, parse_reducer
from chronotile.protocols.common.query.crs import requested_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import choice, custom, number
from chronotile.protocols.common.query.points import CRS

WEIGHTS = choice(
    "weights",
    "Which cells belong to an area and their weights; `auto` is `area` for small areas; default: `pixel`",
    WORDS,
    default="pixel",
    any_case=False,
)
REDUCER = custom(
    "reducer", "A reducer of `/timeseries`, except histograms; default: `mean`", parse_reducer, default=MEAN
)
MIN_VALID = number(
    "min_valid", "Minimum fraction of cells with a value; with fewer the result is empty", least=0, most=1, default=0.0
)


def geometry_rules(layer: Layer, query: Kvp, catalogue: Catalogue, *, elsewhere: str) -> GeometryRules:
    """Return the rules for geometries in a body; `elsewhere` is the path that accepts geometries refused here."""
    return GeometryRules(
        max_vertices=catalogue.limits.max_vertices,
        max_features=catalogue.limits.max_features,
        crs_named=lambda name: requested_crs(name, layer, catalogue),
        crs=CRS.optional(query),
        elsewhere=elsewhere,
    )
