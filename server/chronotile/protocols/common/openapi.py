"""The vocabulary of both OpenAPI documents: schemas, parameters and operations (OpenAPI 3.0.3 and 3.1.1 §4.8)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chronotile.archive.index.dates import date_id
from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection, offered_collections
from chronotile.core.model.collection import Layer
from chronotile.core.model.crs import CRS84, transformer
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import Json
from chronotile.pipeline.coverage.layer_store import has_store

TEXT: Json = {"type": "string"}
ADDRESS: Json = {"type": "string", "format": "uri"}
NUMBER: Json = {"type": "number"}
WHOLE: Json = {"type": "integer"}
COUNT: Json = {"type": "integer", "minimum": 1}
INDEX: Json = {"type": "integer", "minimum": 0}
TRUTH: Json = {"type": "boolean"}
OBJECT: Json = {"type": "object"}
BINARY: Json = {"type": "string", "format": "binary"}
"""A file in OpenAPI 3.0."""
FILE: Json = {}
"""A file in OpenAPI 3.1."""
PAIR: Json = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
BOX: Json = {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 6}
"""Lower and upper corner, with or without heights."""
MAX_ENUMERATED = 100
"""Names up to which all are listed as values of a parameter."""
STATUSES = {
    "BadRequest": "400",
    "Unauthorized": "401",
    "Forbidden": "403",
    "NotFound": "404",
    "NotAcceptable": "406",
    "Conflict": "409",
    "Gone": "410",
    "TooLarge": "413",
    "TooMany": "429",
    "Unavailable": "503",
}
"""Of the error responses of the components."""
REFUSALS = ("BadRequest", "NotFound", "Unavailable")
REFUSALS_OF_BODIES = ("BadRequest", "NotFound", "TooLarge", "Unavailable")
REFUSALS_OF_TREE = ("BadRequest", "NotFound", "NotAcceptable", "Unavailable")


def enum_of(words: Sequence[str]) -> Json:
    """Return the schema of a text that is one of some words."""
    return {"type": "string", "enum": list(words)}


def enum_of_few(names: Sequence[str]) -> Json:
    """Return the schema of a text that is one of some names, which it lists if they are few."""
    return enum_of(names) if 0 < len(names) <= MAX_ENUMERATED else TEXT


def or_null(schema: Json) -> Json:
    """Return the schema of what may be null (OpenAPI 3.1)."""
    return {"oneOf": [schema, {"type": "null"}]}


def without_empty(members: Mapping[str, Any]) -> Json:
    """Return those members of a document that are neither null nor empty."""
    return {name: member for name, member in members.items() if member}


def list_of(schema: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def object_of(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def security_schemes(catalogue: Catalogue) -> Json:
    """Return how clients show who they are (OpenAPI 3.0.3 §4.7.23, STAC authentication extension).

    Empty where there are no rules. All are optional: what is not granted to everyone is not there without a credential.
    """
    if catalogue.access is None:
        return {}
    issuer = catalogue.access.issuer
    schemes: Json = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key"},
        "password": {"type": "http", "scheme": "basic", "description": "Any name, and an API key as the password"},
    }
    if issuer is not None:
        url = f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        schemes["token"] = {"type": "openIdConnect", "openIdConnectUrl": url, "description": "An access token"}
    return schemes


def optional_security(schemes: Json) -> Json:
    """Return the member of an OpenAPI document that offers each scheme, and none."""
    return {"security": [{}, *({name: list[str]()} for name in schemes)]} if schemes else {}


def ref(name: str) -> Json:
    """Return a reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def in_path(name: str, description: str, schema: Json = TEXT, *, example: object = None) -> Json:
    """Return a segment of the path; without an example where nothing is known that would be answered."""
    given = {} if example is None else {"example": example}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema, **given}


def in_query(
    name: str, description: str, schema: Json = TEXT, *, example: object = None, required: bool = False
) -> Json:
    """Return a parameter of the query; lists have commas between their members.

    Suites of OGC look for the style of others, too, of which it is the default.
    """
    given = {} if example is None else {"example": example}
    needed = {"required": True} if required else {}
    style = {"style": "form", "explode": False}
    return {"name": name, "in": "query", **needed, "description": description, **style, "schema": schema, **given}


def body(schema: Json, example: object, *, required: bool = True) -> Json:
    """Return a JSON body."""
    return {"required": required, "content": {"application/json": {"schema": schema, "example": example}}}


def scene(stac_version: str, properties: Json) -> Json:
    """Return an item as an example of a body."""
    return {
        "type": "Feature",
        "stac_version": stac_version,
        "id": "S2A_31UFS_20200601",
        "geometry": {"type": "Polygon", "coordinates": [[[4, 50], [5, 50], [5, 51], [4, 51], [4, 50]]]},
        "bbox": [4, 50, 5, 51],
        "properties": properties,
        "links": [],
        "assets": {"red": {"href": "https://example.com/S2A_31UFS_20200601/red.tif"}},
    }


PROBLEM: Json = object_of(
    {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT},
    {
        "parameter": TEXT,
        "nearest": list_of(TEXT),
        "limit": TEXT,
        "allowed": WHOLE,
        "asked": WHOLE,
        "alternative": TEXT,
        "job": object_of({"href": TEXT, "inputs": OBJECT}, {"note": TEXT}),
    },
)
"""The document of an error (`http.endpoint`)."""


UNANSWERED: Json = list_of(object_of({"collection": TEXT, "reason": TEXT, "partial": TRUTH}))
"""The collections of which an answer lacks items."""


# Examples that work here: of the layers and places that are served.

MARGIN_CELLS = 2.2
"""From the middle of a layer to the sides of the area of the examples."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Values that replace parameters."""

    catalogue: Catalogue
    layer: str
    collection: str
    """Of the layer."""
    item: str | None
    """Of the collection: its last date; `None` of scenes, which the catalogue does not know."""
    store: str | None
    """The layer, if it has a Zarr store."""
    times: str | None
    """The year of the layer's last time; `None` for one without time."""
    reducers: str
    """Reducers that the values of the layer have; directions have no order."""
    longitude: float
    latitude: float
    ring: list[list[float]]
    """Around it, longitudes and latitudes."""
    tile_matrix_set: str
    tile: tuple[str, int, int]
    """Matrix, column and row of a tile of that set that shows the layer."""
    place_set: str
    place: str
    languages: tuple[str, ...]

    @cached_property
    def offered(self) -> Sequence[OfferedCollection]:
        """What OGC API serves."""
        return list(offered_collections(self.catalogue))

    @cached_property
    def with_values(self) -> Sequence[OfferedCollection]:
        """What of that has values, not colours alone."""
        return [each for each in self.offered if each.has_values]

    @property
    def box(self) -> str | None:
        """The box of the ring, as parameters have it; `None` without a ring."""
        longitudes, latitudes = ([position[axis] for position in self.ring] for axis in (0, 1))
        return f"{min(longitudes)},{min(latitudes)},{max(longitudes)},{max(latitudes)}" if self.ring else None

    @property
    def polygon(self) -> dict[str, Any]:
        """A GeoJSON geometry."""
        return {"type": "Polygon", "coordinates": [self.ring]}

    @property
    def feature(self) -> dict[str, Any]:
        """The same as a feature."""
        return {"type": "Feature", "id": "field 1", "properties": {"crop": "beet"}, "geometry": self.polygon}

    @property
    def features(self) -> dict[str, Any]:
        """The same in a collection."""
        return {"type": "FeatureCollection", "features": [self.feature]}


def extension_in_path(extensions: Iterable[str]) -> Json:
    """Return the segment `{extension}` of a path."""
    names = list(extensions)
    return in_path("extension", "Of the format", enum_of(names), example=names[0])


def examples_of(catalogue: Catalogue) -> Examples:
    """Return examples from the first layer that has values, and the first place."""
    layer = next((each for each in catalogue.layers if not each.is_composite), None)
    longitude, latitude, ring = (4.4, 51.0, []) if layer is None else _middle(layer)
    places = next(iter(catalogue.places.values()), None)
    return Examples(
        catalogue=catalogue,
        layer="NDVI" if layer is None else layer.id,
        collection="s2" if layer is None else layer.collection,
        item=None if layer is None else _last_item(layer),
        store=layer.id if layer is not None and has_store(layer) else None,
        times=None if layer is None or len(layer.times) == 0 else str(layer.times.instants[-1].astype("datetime64[Y]")),
        reducers="mean,p10,p90" if layer is None or not layer.main_variable.encoding.circle else "mean,std",
        longitude=longitude,
        latitude=latitude,
        ring=ring,
        tile_matrix_set=catalogue.tile_matrix_sets[0].id if catalogue.tile_matrix_sets else "WebMercatorQuad",
        tile=("0", 0, 0) if layer is None else _tile(layer, catalogue),
        place_set="" if places is None else places.id,
        place="" if places is None or not places.ids else places.ids[0],
        languages=catalogue.service.languages,
    )


def _last_item(layer: Layer) -> str | None:
    times = layer.times
    if len(times) == 0 or layer.main_variable.is_mosaic:
        return None
    return date_id(TimeSpan(times.starts[-1], times.ends[-1]))


def _tile(layer: Layer, catalogue: Catalogue) -> tuple[str, int, int]:
    """The smallest tile that holds a layer whole, or else the first that shares area with it."""
    for each in catalogue.tile_matrix_sets[:1]:
        box = layer.main_variable.grid.bbox_in(each.crs)
        found = [(matrix.id, tiles) for matrix in each.matrices if (tiles := each.tiles_over(matrix, box)) is not None]
        whole = [(name, one) for name, one in found if one.row_min == one.row_max and one.column_min == one.column_max]
        for name, one in whole[-1:] or found[:1]:
            return name, one.column_min, one.row_min
    return "0", 0, 0


def _middle(layer: Layer) -> tuple[float, float, list[list[float]]]:
    """Return longitude and latitude of a cell in the middle of a layer, and a square around it."""
    grid = layer.main_variable.grid
    row, column = grid.height // 2, grid.width // 2
    longitude, latitude = grid.middle()
    right, down = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]).T * MARGIN_CELLS
    x, y = transformer(grid.crs, CRS84).transform(*grid.points_at(column + 0.5 + right, row + 0.5 + down))
    turn = 360 * round((float(np.mean(x)) - longitude) / 360)
    ring = np.round(np.column_stack((x - turn, y)), 6).tolist()
    return round(longitude, 6), round(latitude, 6), ring
