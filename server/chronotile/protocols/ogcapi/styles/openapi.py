"""Paths of styles in OpenAPI 3.0."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.pipeline.maps.legend import LEGEND_TYPES
from chronotile.protocols.common.openapi import (
    BINARY,
    NUMBER,
    PAIR,
    TEXT,
    TRUTH,
    Json,
    enum_of,
    get,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.common.query.parameter import documents, format_of
from chronotile.protocols.ogcapi.maps.openapi import first_offered, languages_of, origin_parameters
from chronotile.protocols.ogcapi.styles.documents import JSON, SHEETS
from chronotile.protocols.ogcapi.styles.params import OF_LEGEND

TAG = "Styles"
ORIGINS: Mapping[str, str] = {"": "dataset", "/collections/{collectionId}": "collection"}
OWN = (SHEETS["json"], SHEETS["yaml"])
"""Media types of the server's own encodings, which have the same members."""
_CLASS = object_of({"value": NUMBER}, {"colour": TEXT, "color": TEXT, "label": TEXT})
SCHEMAS: Mapping[str, Json] = {
    "StyleList": object_of(
        {
            "styles": list_of(object_of({"id": TEXT, "title": TEXT, "links": list_of(ref("Link"))})),
            "links": list_of(ref("Link")),
        },
        {"default": TEXT},
    ),
    "StyleMetadata": object_of(
        {
            "id": TEXT,
            "title": TEXT,
            "stylesheets": list_of(
                object_of({"title": TEXT, "version": TEXT, "native": TRUTH, "link": ref("Link")}),
            ),
            "links": list_of(ref("Link")),
        },
        {"scope": enum_of(["style"]), "layers": list_of(object_of({"id": TEXT, "type": TEXT}))},
    ),
    "StyleSheet": object_of(
        {"title": TEXT, "nodata": TEXT},
        {
            "range": PAIR,
            "ramp": {"type": "object", "additionalProperties": TEXT},
            "classes": list_of(_CLASS),
            "below": TEXT,
            "above": TEXT,
            "flags": {"type": "object", "additionalProperties": TEXT},
            "labels": list_of(NUMBER),
        },
    ),
    "StyleLegend": object_of(
        {
            "layer": TEXT,
            "style": TEXT,
            "title": TEXT,
            "units": TEXT,
            "type": enum_of(["ramp", "classes"]),
            "range": PAIR,
        },
        {
            "stops": list_of(object_of({"value": NUMBER, "color": TEXT})),
            "below": TEXT,
            "above": TEXT,
            "labels": list_of(object_of({"value": NUMBER, "text": TEXT})),
            "classes": list_of(_CLASS),
            "nodata": TEXT,
            "flags": list_of(object_of({"name": TEXT, "color": TEXT})),
        },
    ),
}


def style_paths(catalogue: Catalogue) -> Mapping[str, Json]:
    """Return the path items, below the tree's own address; none where there is nothing to style."""
    shown = first_offered(catalogue)
    if shown is None:
        return {}
    paths = {path: item for origin in ORIGINS for path, item in _of_origin(origin, catalogue, shown).items()}
    collection = "/collections/{collectionId}"
    return {**paths, f"{collection}/legend": _legend("styles.collection.getLegend", collection, shown)}


def _of_origin(origin: str, catalogue: Catalogue, shown: Offered) -> Mapping[str, Json]:
    name, path = ORIGINS[origin], f"{origin}/styles/{{styleId}}"
    both = [format_of(["json"]), languages_of(catalogue)]
    return {
        f"{origin}/styles": get(
            f"styles.{name}.getStyles",
            "Styles, the default of a collection first",
            tag=TAG,
            parameters=[*origin_parameters(origin, shown), *both],
            answers={JSON: ref("StyleList")},
        ),
        path: get(
            f"styles.{name}.getStyle",
            "A style as SLD, or as the server's own JSON or YAML",
            tag=TAG,
            parameters=[*origin_parameters(path, shown), format_of(list(SHEETS))],
            answers={**dict.fromkeys(SHEETS.values(), TEXT), **dict.fromkeys(OWN, ref("StyleSheet"))},
        ),
        f"{path}/metadata": get(
            f"styles.{name}.getStyleMetadata",
            "Description of a style",
            tag=TAG,
            parameters=[*origin_parameters(path, shown), *both],
            answers={JSON: ref("StyleMetadata")},
        ),
        f"{path}/legend": _legend(f"styles.{name}.getStyleLegend", path, shown),
    }


def _legend(operation: str, path: str, shown: Offered) -> Json:
    return get(
        operation,
        "The legend of a style",
        tag=TAG,
        parameters=[
            *origin_parameters(path, shown),
            *documents(OF_LEGEND),
            format_of(list(LEGEND_TYPES)),
        ],
        answers={**dict.fromkeys(LEGEND_TYPES.values(), BINARY), JSON: ref("StyleLegend")},
    )
