"""The body of an execution turned into what processes understand (OGC 18-062r2 §7.11.2)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, cast, get_args

import orjson

from chronotile.errors import InvalidParameter
from chronotile.jobs.job import Execution, Json, ResponseType
from chronotile.jobs.process import Process
from chronotile.protocols.common.kvp import MAX_SHOWN, Kvp, choice
from chronotile.protocols.ogcapi.processes.media_types import BASE64, JSON, TEXT, is_base64, media_types

MEMBERS = ("inputs", "outputs", "response", "subscriber")
OF_QUALIFIED = frozenset({"value", "mediaType", "encoding", "schema", "format"})
"""Members of a value that says of which kind it is."""
OF_OUTPUTS = ("format", "transmissionMode")
TRANSMISSIONS = ("value", "reference")


def execution_of(process: Process, body: bytes) -> Execution:
    """Return what a body asks of a process; inputs are not checked against their schemas yet.

    Raises:
        InvalidParameter: It is none; the locator is the path in the JSON.
    """
    asked = _object(_parsed(body), "the body")
    Kvp((name, "") for name in asked).check_spelling(MEMBERS)
    if asked.get("subscriber") is not None:
        raise InvalidParameter(
            "this server tells no subscribers how jobs go on; leave subscriber out and ask for the job's status",
            locator="subscriber",
        )
    inputs, outputs = _object(asked.get("inputs", {}), "inputs"), asked.get("outputs")
    return Execution(
        process=process.id,
        inputs={name: _input(process, name, value) for name, value in inputs.items()},
        outputs=_outputs(process, outputs) if outputs else None,
        response=_response(asked.get("response", "raw")),
    )


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"the body is no JSON: {error}", locator="body") from error


def _object(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidParameter(f"{path} must be a JSON object", locator=path if path in MEMBERS else "body")
    return value


def _response(value: object) -> ResponseType:
    return cast("ResponseType", choice(str(value), get_args(ResponseType), locator="response"))


def _input(process: Process, name: str, value: object) -> object:
    schema = process.inputs[name].schema if name in process.inputs else {}
    path = f"inputs.{name[:MAX_SHOWN]}"
    if isinstance(value, list):
        given: object = [_value(each, schema, f"{path}[{index}]") for index, each in enumerate(value)]
    else:
        given = _value(value, schema, path)
    if is_base64(schema):
        _check_bytes(given, path)
    return given


def _value(value: object, schema: Json, path: str) -> object:
    """The value itself, without what says of which kind it is."""
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("href"), str):
        raise InvalidParameter(
            f"{path}: inputs by reference are not fetched by this server; give the value itself", locator=f"{path}.href"
        )
    if "value" not in value or not OF_QUALIFIED.issuperset(value):
        return value
    kind = _object(value.get("format", value), f"{path}.format")
    if "mediaType" in kind:
        _check_media_type(kind["mediaType"], (*media_types(schema), *_usual(value["value"], schema)), path)
    if kind.get("encoding", BASE64) != BASE64 or ("encoding" in kind and not is_base64(schema)):
        raise InvalidParameter(f"{path}.encoding: only what is bytes has one, {BASE64}", locator=f"{path}.encoding")
    return value["value"]


def _usual(value: object, schema: Json) -> tuple[str, ...]:
    """What a value without a media type of its own has."""
    if media_types(schema):
        return ()
    return (TEXT, JSON) if isinstance(value, str) else (JSON, "application/geo+json")


def _check_media_type(asked: object, accepted: tuple[str, ...], path: str) -> None:
    name = str(asked).partition(";")[0].strip().lower()
    if name not in {each.partition(";")[0].strip().lower() for each in accepted}:
        raise InvalidParameter(
            f"{path}: the media type {str(asked)[:MAX_SHOWN]!r} is not accepted; it is {', '.join(accepted)}",
            locator=f"{path}.mediaType",
        )


def _check_bytes(value: object, path: str) -> None:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, str):
            continue
        try:
            base64.b64decode(each, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidParameter(f"{path} must be bytes as base64", locator=path) from error


def _outputs(process: Process, value: object) -> dict[str, Json]:
    outputs = _object(value, "outputs")
    return {name: _output(process, name, told) for name, told in outputs.items()}


def _output(process: Process, name: str, value: object) -> Json:
    path = f"outputs.{name[:MAX_SHOWN]}"
    told = dict(_object(value if value is not None else {}, path))
    Kvp((member, "") for member in told).check_spelling(OF_OUTPUTS)
    if "transmissionMode" in told:
        choice(str(told["transmissionMode"]), TRANSMISSIONS, locator=f"{path}.transmissionMode")
    described = process.outputs.get(name)
    kind = _object(told.get("format", {}), f"{path}.format")
    if described is not None and "mediaType" in kind:
        accepted = media_types(described.schema) or (JSON, TEXT)
        _check_media_type(kind["mediaType"], accepted, f"{path}.format")
    return told
