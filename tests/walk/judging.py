"""Errors in an answer: its status, its media type, its syntax, and its schemas."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import orjson
from jsonschema import Draft202012Validator
from lxml import etree
from pystac.validation.local_validator import get_local_schema_cache

from tests.protocols.catalogue.stac.extension_schemas import extension_faults
from tests.protocols.ogcapi.schemas import faults
from tests.walk.address import Address

JSON = re.compile(r"application/(.+\+)?json\b")
XML = re.compile(r"(application|text)/(.+\+)?xml\b")
OF_ANY_KIND = ("application/octet-stream", "*/*")
"""Documented types that allow any type."""
NO_CONTENT = 204
STORE, OF_STORE = "application/vnd.zarr", "application/json"
"""Documented type of a whole Zarr store, whose address describes its group."""
NO_SCHEMA = ("application/atom+xml", "application/x-qgis-layer-definition", "image/svg+xml")
OF_OGC_API: tuple[tuple[str, str, str], ...] = (
    (r"/ogcapi/?", "common", "landingPage"),
    (r"/ogcapi/conformance", "common", "confClasses"),
    (r"/ogcapi/collections", "edr", "collections"),
    (r"/ogcapi/collections/[^_/][^/]*", "edr", "collection"),
    (r"/ogcapi/collections/[^_/][^/]*/(items|locations)", "edr", "edrFeatureCollectionGeoJSON"),
    (r"/ogcapi/processes", "processes", "processList"),
    (r"/ogcapi/processes/[^/]+", "processes", "process"),
    (r"/ogcapi/jobs", "processes", "jobList"),
    (r"/ogcapi/jobs/[^/]+", "processes", "statusInfo"),
    (r"/ogcapi/tileMatrixSets/[^/]+", "tms", "tileMatrixSet"),
    (r"/ogcapi.*/tiles/[^/]+", "tms", "tileSet"),
    (r"/stac", "common", "landingPage"),
    (r"/stac/conformance", "common", "confClasses"),
    (r"/stac/collections", "common", "collections"),
)
"""Paths, and the schema of the JSON there: see `tests.protocols.ogcapi.schemas`."""
STAC = {
    "Catalog": "v1.1.0/catalog-spec/json-schema/catalog.json",
    "Collection": "v1.1.0/collection-spec/json-schema/collection.json",
    "Feature": "v1.1.0/item-spec/json-schema/item.json",
}
PLAIN = ("application/json", "application/geo+json")
COVERAGE_JSON = "application/prs.coverage+json"


@dataclass(frozen=True)
class Answer:
    """An answer of the server."""

    status: int
    media_type: str
    content: bytes

    @property
    def is_json(self) -> bool:
        return JSON.match(self.media_type) is not None

    @property
    def is_xml(self) -> bool:
        return XML.match(self.media_type) is not None or self.media_type.startswith(NO_SCHEMA)

    @property
    def is_html(self) -> bool:
        return self.media_type.startswith("text/html")


@dataclass(frozen=True)
class Judge:
    """Finds errors in answers."""

    schemas: Path | None
    """The folder ../shared/ogc/schemas; without it documents are held against no schema of OGC."""
    validate_ogc: Callable[..., list[str]] | None

    def syntax(self, address: Address, answer: Answer) -> Iterator[str]:
        """Yield errors of the status, the media type and the syntax."""
        if not 200 <= answer.status < 300:
            yield f"{answer.status}: {answer.content[:300].decode(errors='replace')}"
            return
        if address.media_type and answer.status != NO_CONTENT and not is_told(address.media_type, answer.media_type):
            yield f"is {answer.media_type}"
        if answer.is_json and (error := _error_of(orjson.loads, answer.content)):
            yield f"is no strict JSON: {error}"
        if answer.is_xml and (error := _error_of(etree.fromstring, answer.content)):
            yield f"is no XML: {error}"

    def schema(self, address: Address, answer: Answer) -> Iterator[str]:
        """Yield schema errors of a document with valid syntax."""
        if answer.is_xml and self.validate_ogc is not None and not answer.media_type.startswith(NO_SCHEMA):
            found = self.validate_ogc(answer.content)
            yield from () if "no schema known" in "".join(found[:1]) else found[:3]
        if answer.is_json:
            yield from self._json(urlsplit(address.url).path, answer, orjson.loads(answer.content))

    def _json(self, path: str, answer: Answer, document: Any) -> Iterator[str]:
        if self.schemas is not None and answer.media_type.startswith(PLAIN):
            for pattern, standard, name in OF_OGC_API:
                if re.fullmatch(pattern, path) and not _is_of_places(path, document):
                    yield from faults(self.schemas, document, standard, name)[:3]
        if self.schemas is not None and answer.media_type.startswith(COVERAGE_JSON):
            yield from faults(self.schemas, document, "covjson", "coveragejson")[:3]
        if path.startswith("/stac") and isinstance(document, Mapping):
            yield from _stac(document)
        if answer.media_type.startswith("application/schema+json"):
            Draft202012Validator.check_schema(document)


def _is_of_places(path: str, document: Any) -> bool:
    """Whether it is a page of places: `/items` of other collections are features of EDR, which lead to queries."""
    features = document.get("features", ()) if path.endswith("/items") else ()
    return any("edrqueryendpoint" not in each["properties"] for each in features)


def is_told(told: str, found: str) -> bool:
    """Return whether a media type matches the documented one: the type, and each parameter that both name."""
    told_type, told_parameters = _parsed(told)
    found_type, found_parameters = _parsed(found)
    same = all(found_parameters.get(name, value) == value for name, value in told_parameters.items())
    if told_type in OF_ANY_KIND or (told_type, found_type) == (STORE, OF_STORE):
        return True
    return told_type == found_type and same


def _parsed(media_type: str) -> tuple[str, dict[str, str]]:
    message = Message()
    message["content-type"] = media_type
    (first, _nothing), *parameters = message.get_params()
    return first.lower(), {name: value.lower() for name, value in parameters if name != "charset"}


def _error_of(parse: Callable[[bytes], object], content: bytes) -> str | None:
    try:
        parse(content)
    except (orjson.JSONDecodeError, etree.XMLSyntaxError) as error:
        return str(error)[:300]
    return None


def _stac(document: Mapping[str, Any]) -> Iterator[str]:
    for each in (document, *document.get("collections", ()), *document.get("features", ())):
        kind = str(each.get("type"))
        if kind in STAC and "stac_version" in each:
            yield from (f"{each['id']}: {error}"[:400] for error in _validator(STAC[kind]).iter_errors(each))
            yield from (f"{each['id']}: {fault}" for fault in extension_faults(each))
            if kind == "Feature" and not each["assets"]:
                yield f"{each['id']}: has no assets"


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    """Return the validator of a schema that pystac includes."""
    schemas = get_local_schema_cache()
    return jsonschema_rs.validator_for(
        schemas[f"https://schemas.stacspec.org/{name}"], retriever=schemas.__getitem__, validate_formats=False
    )
