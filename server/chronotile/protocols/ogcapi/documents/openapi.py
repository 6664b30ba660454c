"""The OpenAPI 3.0 document of the whole tree, put together from all building blocks (OGC 19-072 §8.2)."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

import chronotile
from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import offered_collections
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import enum_of_few
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.documents.paths import own_paths
from chronotile.protocols.ogcapi.documents.schemas import SCHEMAS

VERSION = "3.0.3"
MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.0"
PROBLEM = "application/problem+json"
JSON = "application/json"
COLLECTION_ID = "collectionId"

REFUSALS = {
    "BadRequest": "A parameter is missing or not accepted, or the answer would be larger than a limit",
    "Forbidden": "Web pages of this origin, or under this host name, may not use jobs",
    "NotFound": "There is no such collection, or no such part of it, or nothing at that time",
    "NotAcceptable": "The client takes none of the media types in which this is given",
    "TooLarge": "The body is larger than `max_body_bytes`",
    "Unavailable": "A source cannot be read now, or too much waits already; try again after `Retry-After` seconds",
}


def openapi_document(context: DocumentContext) -> Json:
    """Return what the tree takes and gives; paths are below its own address."""
    catalogue = context.catalogue
    service = catalogue.service
    contact = {"name": service.contact.name, "email": service.contact.email}
    paths = _paths(catalogue)
    return {
        "openapi": VERSION,
        "info": {
            "title": text_in(service.title, context.language),
            "description": text_in(service.abstract, context.language),
            "version": chronotile.__version__,
            "contact": {name: said for name, said in contact.items() if said},
        },
        "servers": [{"url": context.base}],
        "tags": [{"name": name} for name in dict.fromkeys(_tags(paths))],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **{name: schema for block in BLOCKS for name, schema in block.schemas.items()}},
            "responses": {
                **{name: _refusal(description, PROBLEM) for name, description in REFUSALS.items()},
                **{f"Process{name}": _refusal(description, PROBLEM, JSON) for name, description in REFUSALS.items()},
            },
        },
    }


def _paths(catalogue: Catalogue) -> dict[str, Json]:
    paths = {path: entry for block in BLOCKS for path, entry in block.paths(catalogue).items()}
    names = [each.id for each in offered_collections(catalogue)]
    return {path: _named(entry, names) for path, entry in {**own_paths(catalogue), **paths}.items()}


def _named(entry: Json, names: Sequence[str]) -> Json:
    """The same with the ids of collections, where it does not say which it takes."""
    entry = deepcopy(entry)
    for parameter in _parameters(entry):
        schema = parameter.get("schema", {})
        if parameter.get("name") == COLLECTION_ID and "enum" not in schema and names:
            parameter.setdefault("example", names[0])
            parameter["schema"] = {**schema, **enum_of_few(names)}
    return entry


def _parameters(entry: Json) -> Iterator[Json]:
    yield from entry.get("parameters", ())
    for _method, operation in _operations(entry):
        yield from operation.get("parameters", ())


def _operations(entry: Json) -> Iterator[tuple[str, Json]]:
    for name, operation in entry.items():
        if name in {"get", "post", "delete"}:
            yield name, operation


def _tags(paths: Mapping[str, Json]) -> Iterator[str]:
    for entry in paths.values():
        for _method, operation in _operations(entry):
            yield from operation["tags"]


def _refusal(description: str, *media_types: str) -> Json:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": description, "content": dict.fromkeys(media_types, problem)}
