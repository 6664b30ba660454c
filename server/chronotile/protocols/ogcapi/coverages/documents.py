"""The documents of a coverage, as bytes."""

from urllib.parse import quote

import orjson

from chronotile.catalog.offered import Offered
from chronotile.model.collection import Layer
from chronotile.model.coverage import CoverageRequest
from chronotile.model.grid import Grid
from chronotile.pipeline.coverage.grid import place_of
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.coverages.domain_set import domain_set, instants_of_all
from chronotile.protocols.ogcapi.coverages.fields import layers_of
from chronotile.protocols.ogcapi.coverages.range_type import field_schema, range_type


def domain_set_document(offered: Offered, _base: str, _language: str) -> bytes:
    """Return the domain set of the whole coverage, which needs no words."""
    layers = layers_of(offered)
    return orjson.dumps(domain_set(_whole_grid(layers[0]), instants_of_all(layers)))


def range_type_document(offered: Offered, _base: str, language: str) -> bytes:
    """Return the range type of all fields."""
    return orjson.dumps(range_type(layers_of(offered), language))


def schema_document(offered: Offered, base: str, language: str) -> bytes:
    """Return the schema of all fields; `base` is the public address of the tree."""
    url = f"{base}/collections/{quote(offered.id)}/schema"
    title = text_in(offered.title, language) or offered.id
    return orjson.dumps(field_schema(layers_of(offered), url=url, title=title, language=language))


def _whole_grid(layer: Layer) -> Grid:
    return place_of(CoverageRequest(layers=(layer.id,)), layer.main_variable.grid).grid
