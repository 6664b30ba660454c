"""Comparison of JSON answers with the schemas of the OpenAPI document."""

from jsonschema import Draft202012Validator
from starlette.testclient import TestClient


def schema_faults(client: TestClient, name: str, answer: object, *, parts: tuple[str, ...] = ()) -> list[str]:
    """Return how an answer differs from the schema `name`; empty if it does not.

    Members that the schema does not list are faults too, also in the schemas `parts` that it refers to.
    """
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    closed = {part: {**schemas[part], "additionalProperties": False} for part in (name, *parts)}
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": {**schemas, **closed}}}
    return [error.message for error in Draft202012Validator(schema).iter_errors(answer)]
