"""The body of an execution, parsed and checked (OGC 18-062r2 §7.11.2)."""

import base64
import binascii
import math
from collections.abc import Collection, Mapping
from typing import Any, cast, get_args

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnknownParameter
from chronotile.core.model.job import Execution, ResponseType
from chronotile.core.model.types import Json
from chronotile.http.job_offers import JobOffer
from chronotile.http.request_bodies import UNSUPPORTED
from chronotile.jobs.processes.execute import require_known
from chronotile.jobs.processes.process import Process
from chronotile.pipeline.estimate import LIMIT
from chronotile.protocols.common.processes.json_text import parse_json
from chronotile.protocols.common.processes.media_types import (
    BASE64,
    GEOJSON,
    JSON,
    TEXT,
    is_base64,
    media_types,
    output_types,
)
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.values import choice

FORMAT = "format"
"""Input of some processes that selects the media type of a result."""
THE_BODY = "the body"
MEMBERS = ("inputs", "outputs", "response", "subscriber")
OF_QUALIFIED = frozenset({"value", "mediaType", "encoding", "schema", "format"})
"""Members of a qualified value: a value with its media type, encoding or schema."""
OF_OUTPUTS = ("format", "transmissionMode")
OF_FORMATS = ("mediaType", "encoding", "schema")
TRANSMISSIONS = ("value", "reference")


def members_of(process: Process, body: bytes, *, media_type: str = JSON) -> Json:
    """Return the members of the body of an execution, including `inputs`.

    Args:
        process: The process to execute.
        body: JSON. Its media type is not checked, as programs post JSON as forms.
        media_type: Content-Type of the request, for the error message.

    Raises:
        InvalidParameter: The body is not an execution; the locator is the path in the JSON.
    """
    members = _object(_parse_body(body or b"{}", media_type), THE_BODY)
    _check_members(members, MEMBERS)
    _check_any(members, process)
    inputs = _object(members.get("inputs", {}), "inputs")
    astray = next((name for name in members if name in process.inputs and name not in MEMBERS), None)
    if astray is not None and astray not in inputs:
        message = f'{astray} is an input and belongs in the member inputs: {{"inputs": {{"{astray}": …}}}}'
        raise UnknownParameter(message, locator=astray)
    return {**members, "inputs": inputs}


def execution_of(process: Process, members: Json) -> Execution:
    """Return the execution of a process; inputs are not checked against their schemas yet.

    Args:
        process: The process to execute.
        members: The result of `members_of`, after references were replaced by values.

    Raises:
        InvalidParameter: A member is not accepted; the locator is its path in the JSON.
    """
    outputs = None if members.get("outputs") is None else _object(members["outputs"], "outputs")
    require_known(process, members["inputs"], outputs or ())  # before millions of unknown members are parsed
    inputs = {name: _input(process, name, value) for name, value in members["inputs"].items()}
    selected = {name: _output(process, name, output) for name, output in (outputs or {}).items()} or None
    return Execution(
        process=process.id,
        inputs={**inputs, **_format_of(process, selected or {}, inputs)},
        outputs=selected,
        response=_response(members.get("response", "raw")),
    )


def execution_offer(process: Process) -> JobOffer:
    """Return the job for an execution that takes too long to wait for: the client posts the same body again."""
    return JobOffer(process=process.id, inputs={}, limits={LIMIT: math.inf}, notes=["post the same body"])


def _parse_body(body: bytes, media_type: str) -> object:
    try:
        return parse_json(body, what=THE_BODY, locator="body")
    except InvalidParameter as error:
        if _are_alike(media_type, JSON):
            raise
        message = f"{error.message}; its Content-Type is {media_type[:MAX_SHOWN]!r}, accepted is {JSON}"
        other = InvalidParameter(message, locator="body")
        other.status = UNSUPPORTED
        raise other from error


def _check_members(names: Collection[str], members: tuple[str, ...], path: str = "") -> None:
    """Refuse names that are nearly those of members; other unknown names are ignored."""
    Kvp((name, "") for name in names).check_spelling(members)
    spelled = {name.lower(): name for name in members}
    wrong = next((name for name in names if name not in members and name.lower() in spelled), None)
    if wrong is not None:
        place = f"{path}{wrong}"
        raise UnknownParameter(f"{place} is not a member here; use {spelled[wrong.lower()]}", locator=place)


def _check_any(names: Collection[str], process: Process) -> None:
    """Refuse a body whose members do not include any member of an execution."""
    if names and not any(name in MEMBERS or name in process.inputs for name in names):
        first = next(iter(names))[:MAX_SHOWN]
        raise UnknownParameter(f"the body has none of the members {', '.join(MEMBERS)}", locator=first)


def _object(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidParameter(f"{path} must be a JSON object", locator="body" if path == THE_BODY else path)
    return value


def _response(value: object) -> ResponseType:
    return cast("ResponseType", choice(_text(value, "response"), get_args(ResponseType), locator="response"))


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidParameter(f"{path} must be text", locator=path)
    return value


def _input(process: Process, name: str, value: object) -> object:
    schema, path = process.inputs[name].schema, f"inputs.{name}"
    input_value = value
    if isinstance(value, dict):
        input_value = _value(value, schema, path)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        input_value = [
            _value(item, schema, f"{path}[{index}]") if isinstance(item, dict) else item
            for index, item in enumerate(value)
        ]
    if is_base64(schema):
        _check_bytes(input_value, path)
    return input_value


def _value(value: Mapping[str, Any], schema: Json, path: str) -> object:
    """Return a qualified value without its qualifiers, after checking them."""
    if "value" not in value or not OF_QUALIFIED.issuperset(value):
        return value
    kind = _object(value.get("format", value), f"{path}.format")
    if "mediaType" in kind:
        _check_media_type(kind["mediaType"], (*media_types(schema), *_usual(value["value"], schema)), path)
    if kind.get("encoding", BASE64) != BASE64 or ("encoding" in kind and not is_base64(schema)):
        raise InvalidParameter(f"{path}.encoding: only bytes have one, {BASE64}", locator=f"{path}.encoding")
    return value["value"]


def _usual(value: object, schema: Json) -> tuple[str, ...]:
    """Return the accepted media types of a value whose schema does not name any."""
    if media_types(schema):
        return ()
    return (TEXT, JSON) if isinstance(value, str) else (JSON, GEOJSON)


def _check_media_type(value: object, accepted: tuple[str, ...], path: str) -> None:
    place = f"{path}.mediaType"
    text = _text(value, place)
    if not any(_are_alike(text, media_type) for media_type in accepted):
        message = f"{path}: the media type {text[:MAX_SHOWN]!r} is not accepted; it is {' or '.join(accepted)}"
        raise InvalidParameter(message, locator=place)


def _are_alike(one: str, other: str) -> bool:
    # Media types are compared without parameters.
    names = (text.partition(";")[0].strip().lower() for text in (one[:1000], other))
    return next(names) == next(names)


def _check_bytes(value: object, path: str) -> None:
    for text in value if isinstance(value, list) else [value]:
        if not isinstance(text, str):
            continue
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidParameter(f"{path} must be bytes as base64", locator=path) from error


def _output(process: Process, name: str, value: object) -> Json:
    path = f"outputs.{name}"
    output = dict(_object(value if value is not None else {}, path))
    _check_members(output, OF_OUTPUTS, f"{path}.")
    if "transmissionMode" in output:
        place = f"{path}.transmissionMode"
        choice(_text(output["transmissionMode"], place), TRANSMISSIONS, locator=place)
    kind = _object(output.get("format", {}), f"{path}.format")
    _check_members(kind, OF_FORMATS, f"{path}.format.")
    if "mediaType" in kind:
        _check_media_type(kind["mediaType"], output_types(process.outputs[name].schema), f"{path}.format")
    if "encoding" in kind:
        choice(_text(kind["encoding"], f"{path}.format.encoding"), (BASE64,), locator=f"{path}.format.encoding")
    return output


def _format_of(process: Process, selected: Mapping[str, Json], inputs: Mapping[str, object]) -> Json:
    """Return the input `format` for the requested media type of an output, empty if the process has no choice."""
    for name, output in selected.items():
        media_type = output.get("format", {}).get("mediaType")
        if media_type is None:
            continue
        fitting = [
            format_name
            for format_name, format_type in process.outputs[name].formats.items()
            if _are_alike(media_type, format_type)
        ]
        if fitting and inputs.get(FORMAT, fitting[0]) not in fitting:
            raise InvalidParameter(
                f"outputs.{name}.format.mediaType is {media_type[:MAX_SHOWN]!r}, but inputs.{FORMAT} differs; give "
                "one of them",
                locator=f"outputs.{name}.format.mediaType",
            )
        if fitting:
            return {FORMAT: inputs.get(FORMAT, fitting[0])}
    return {}
