"""Validate documents with OGC's JSON schemas."""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft4Validator, Draft7Validator, Draft201909Validator
from jsonschema.protocols import Validator
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4, DRAFT201909

BUNDLES = {
    "common": "common/ogcapi-common-2.bundled.json",
    "coverages": "coverages/ogcapi-coverages-1.bundled.json",
    "edr": "edr/ogcapi-environmental-data-retrieval-1-oas30.bundled.json",
    "maps": "maps/ogcapi-maps-1.bundled.json",
    "processes": "processes-1.0-as-used-by-ets/api-processes10.yaml",
    "tiles": "tiles/ogcapi-tiles-1.bundled.json",
}
"""OpenAPI 3.0 documents, by standard."""
EDR_31 = "edr/ogcapi-environmental-data-retrieval-1-oas31.bundled.json"
"""Bundle with the schema of CoverageJSON 1.0; the schema in the 3.0 bundle has a `oneOf` that no array meets."""
ROOT = "urn:bundle"
TMS = "http://schemas.opengis.net/tms/2.0/json"


def faults(schemas: Path, document: Any, standard: str, name: str) -> list[str]:
    """Return the faults of a document with their JSON paths; empty for a valid document.

    Args:
        schemas: The folder ../shared/ogc/schemas.
        document: Parsed JSON.
        standard: A key of `BUNDLES`, or `covjson`, `cis` or `tms`.
        name: Name of the schema: `components/schemas/NAME` of a bundle, `definitions/NAME` of CIS, `NAME.json` of TMS,
            or `coverage`, `coverageCollection`, `domain` or `coveragejson` (all types) of CoverageJSON.
    """
    found = sorted(_validator(schemas, standard, name).iter_errors(document), key=lambda each: each.json_path)
    return [f"{each.json_path}: {each.message[:500]}" for each in found]


@lru_cache
def _validator(schemas: Path, standard: str, name: str) -> Validator:
    makers: dict[str, Callable[[Path, str], Validator]] = {"covjson": _covjson, "cis": _cis, "tms": _tms}
    make = makers.get(standard)
    return _bundled(schemas / "ogcapi" / BUNDLES[standard], name) if make is None else make(schemas, name)


def _bundled(path: Path, name: str) -> Validator:
    bundle = _repaired(_read(path))
    if name not in bundle["components"]["schemas"]:
        raise KeyError(name)
    registry = Registry().with_resource(ROOT, Resource.from_contents(bundle, default_specification=DRAFT4))
    return OAS30Validator(
        {"$ref": f"{ROOT}#/components/schemas/{name}"}, registry=registry, format_checker=OAS30Validator.FORMAT_CHECKER
    )


def _repaired(bundle: dict[str, Any]) -> dict[str, Any]:
    """Correct schemas that no document meets: older bundles require members of other dimensions in `spatial`, too."""
    schemas = bundle["components"]["schemas"]
    if "inputValueNoObject" in schemas:
        return _with_any_of(bundle)
    if "edrFeatureCollectionGeoJSON" in schemas:
        bundle = _with_plain_parameters(bundle)
        schemas = bundle["components"]["schemas"]
    if "extent-uad" not in schemas:
        return bundle
    plain, further = schemas["extent-uad"]["allOf"]
    further = {**further, "properties": {"spatial": {}, "temporal": {}}}
    return {**bundle, "components": {"schemas": {**schemas, "extent-uad": {"allOf": [plain, further]}}}}


def _with_plain_parameters(bundle: dict[str, Any]) -> dict[str, Any]:
    """Give EDR features the parameters of collections, like OGC's suite; the bundle has parameters of CoverageJSON."""
    schemas = bundle["components"]["schemas"]
    features = schemas["edrFeatureCollectionGeoJSON"]
    listed = {"type": "array", "items": {"$ref": "#/components/schemas/parameterNames"}}
    plain = {**features, "properties": {**features["properties"], "parameters": listed}}
    return {**bundle, "components": {"schemas": {**schemas, "edrFeatureCollectionGeoJSON": plain}}}


def _with_any_of(bundle: dict[str, Any]) -> dict[str, Any]:
    """Accept values of several kinds: Processes 1.0 requires exactly one, but an integer is also a number."""
    schemas = bundle["components"]["schemas"]
    loose = {name: {"anyOf": schemas[name]["oneOf"]} for name in ("inputValueNoObject", "inlineOrRefData")}
    return {**bundle, "components": {"schemas": {**schemas, **loose}}}


def _covjson(schemas: Path, name: str) -> Validator:
    """Return a schema of CoverageJSON: the bundle split it into two parts with mutual references, which are joined."""
    components = _read(schemas / "ogcapi" / EDR_31)["components"]["schemas"]
    whole = components["coveragejson"]
    schema = whole if name == "coveragejson" else components[name]
    kept = {key: value for key, value in schema.items() if key not in {"$id", "$schema", "definitions"}}
    others = {key: value for key, value in components.items() if key != "coveragejson"}
    return Draft7Validator({**kept, "definitions": whole["definitions"], "components": {"schemas": others}})


def _cis(schemas: Path, name: str) -> Validator:
    coverage = _read(schemas / "schemas.opengis.net" / "cis" / "1.1" / "json" / "coverage-schema.json")
    return Draft4Validator({**coverage["definitions"][name], "definitions": coverage["definitions"]})


def _tms(schemas: Path, name: str) -> Validator:
    folder = schemas / "schemas.opengis.net" / "tms" / "2.0" / "json"
    parts = [
        (f"{TMS}/{path.name}", Resource.from_contents(_read(path), default_specification=DRAFT201909))
        for path in folder.glob("*.json")
    ]
    return Draft201909Validator({"$ref": f"{TMS}/{name}.json"}, registry=Registry().with_resources(parts))


@lru_cache
def _read(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    return yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
