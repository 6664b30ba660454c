"""The classes of standards that hold here."""

from collections.abc import Sequence

STAC = "https://api.stacspec.org/v1.0.0"
FEATURES_1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf"
FEATURES_3 = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf"
CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
OPERATORS = (
    *("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison"),
    *("basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions", "temporal-functions"),
    "property-property",
)
CONFORMANCE = (
    *(f"{STAC}/{name}" for name in ("core", "collections", "ogcapi-features", "item-search")),
    *(
        f"{STAC}/{scope}#{name}"
        for scope in ("item-search", "ogcapi-features")
        for name in ("fields", "filter", "sort")
    ),
    *(f"https://api.stacspec.org/v1.0.0-rc.1/collection-search{name}" for name in ("", "#free-text")),
    *(f"https://api.stacspec.org/v0.3.0/aggregation{name}" for name in ("", "#filter")),
    *(f"{FEATURES_1}/{name}" for name in ("core", "geojson")),
    *(f"{FEATURES_3}/{name}" for name in ("filter", "features-filter", "queryables")),
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/simple-query",
    *(f"{CQL2}/{name}" for name in OPERATORS),
)
OF_WRITING = (
    f"{STAC}/ogcapi-features/extensions/transaction",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/simpletx",
)
"""Where items may be written."""


def conformance(*, may_write: bool) -> Sequence[str]:
    """Return the classes; `may_write`: whether any request may write items."""
    return (*CONFORMANCE, *OF_WRITING) if may_write else CONFORMANCE
