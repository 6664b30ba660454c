"""The body of an execution turned into what processes understand (OGC 18-062r2 §7.11.2)."""

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
"""The input that says in which media type a result comes, of processes that have a choice."""
THE_BODY = "the body"
MEMBERS = ("inputs", "outputs", "response", "subscriber")
OF_QUALIFIED = frozenset({"value", "mediaType", "encoding", "schema", "format"})
"""Members of a value that says of which kind it is."""
OF_OUTPUTS = ("format", "transmissionMode")
OF_FORMATS = ("mediaType", "encoding", "schema")
TRANSMISSIONS = ("value", "reference")


def members_of(process: Process, body: bytes, *, media_type: str = JSON) -> Json:
    """Return the members of the body of an execution, of which `inputs` is one.

    Args:
        process: What is to be done.
        body: JSON, whatever its media type says: programs post it as forms that are none.
        media_type: As the client gives it.

    Raises:
        InvalidParameter: It is none; the locator is the path in the JSON.
    """
    members = _object(_parsed(body or b"{}", media_type), THE_BODY)
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
        process: What is to be done.
        members: Of `members_of`, with no inputs by reference.

    Raises:
        InvalidParameter: A member is not accepted; the locator is its path in the JSON.
    """
    outputs = None if members.get("outputs") is None else _object(members["outputs"], "outputs")
    require_known(process, members["inputs"], outputs or ())  # before millions that are not are looked at
    inputs = {name: _input(process, name, value) for name, value in members["inputs"].items()}
    selected = {name: _output(process, name, output) for name, output in (outputs or {}).items()} or None
    return Execution(
        process=process.id,
        inputs={**inputs, **_format_of(process, selected or {}, inputs)},
        outputs=selected,
        response=_response(members.get("response", "raw")),
    )


def execution_offer(process: Process) -> JobOffer:
    """Return the job that does what takes too long to wait for: post the same body again."""
    return JobOffer(process=process.id, inputs={}, limits={LIMIT: math.inf}, notes=["post the same body"])


def _parsed(body: bytes, media_type: str) -> object:
    try:
        return parse_json(body, what=THE_BODY, locator="body")
    except InvalidParameter as error:
        if _are_alike(media_type, JSON):
            raise
        message = f"{error.message}; its Content-Type is {media_type[:MAX_SHOWN]!r}, accepted is {JSON}"
        other = InvalidParameter(message, locator="body")
        other.status = UNSUPPORTED
        raise other from error


def _check_members(given: Collection[str], known: tuple[str, ...], path: str = "") -> None:
    """Refuse names that are nearly those of members; others do no harm."""
    Kvp((name, "") for name in given).check_spelling(known)
    spelled = {name.lower(): name for name in known}
    wrong = next((name for name in given if name not in known and name.lower() in spelled), None)
    if wrong is not None:
        place = f"{path}{wrong}"
        raise UnknownParameter(f"{place} is not a member here; use {spelled[wrong.lower()]}", locator=place)


def _check_any(given: Collection[str], process: Process) -> None:
    """Refuse a body that has members, but none that an execution has."""
    if given and not any(name in MEMBERS or name in process.inputs for name in given):
        first = next(iter(given))[:MAX_SHOWN]
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
    given = value
    if isinstance(value, dict):
        given = _value(value, schema, path)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        given = [
            _value(each, schema, f"{path}[{index}]") if isinstance(each, dict) else each
            for index, each in enumerate(value)
        ]
    if is_base64(schema):
        _check_bytes(given, path)
    return given


def _value(value: Mapping[str, Any], schema: Json, path: str) -> object:
    """The value itself, without what says of which kind it is."""
    if "value" not in value or not OF_QUALIFIED.issuperset(value):
        return value
    kind = _object(value.get("format", value), f"{path}.format")
    if "mediaType" in kind:
        _check_media_type(kind["mediaType"], (*media_types(schema), *_usual(value["value"], schema)), path)
    if kind.get("encoding", BASE64) != BASE64 or ("encoding" in kind and not is_base64(schema)):
        raise InvalidParameter(f"{path}.encoding: only bytes have one, {BASE64}", locator=f"{path}.encoding")
    return value["value"]


def _usual(value: object, schema: Json) -> tuple[str, ...]:
    """What a value without a media type of its own has."""
    if media_types(schema):
        return ()
    return (TEXT, JSON) if isinstance(value, str) else (JSON, GEOJSON)


def _check_media_type(given: object, accepted: tuple[str, ...], path: str) -> None:
    place = f"{path}.mediaType"
    text = _text(given, place)
    if not any(_are_alike(text, each) for each in accepted):
        message = f"{path}: the media type {text[:MAX_SHOWN]!r} is not accepted; it is {' or '.join(accepted)}"
        raise InvalidParameter(message, locator=place)


def _are_alike(one: str, other: str) -> bool:
    # Whether two media types are the same but for their parameters.
    names = (text.partition(";")[0].strip().lower() for text in (one[:1000], other))
    return next(names) == next(names)


def _check_bytes(value: object, path: str) -> None:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, str):
            continue
        try:
            base64.b64decode(each, validate=True)
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
    """The input `format` that gives an output the requested media type, where the process has a choice."""
    for name, output in selected.items():
        media_type = output.get("format", {}).get("mediaType")
        if media_type is None:
            continue
        fitting = [each for each, known in process.outputs[name].formats.items() if _are_alike(media_type, known)]
        if fitting and inputs.get(FORMAT, fitting[0]) not in fitting:
            raise InvalidParameter(
                f"outputs.{name}.format.mediaType is {media_type[:MAX_SHOWN]!r}, but inputs.{FORMAT} differs; give "
                "one of them",
                locator=f"outputs.{name}.format.mediaType",
            )
        if fitting:
            return {FORMAT: inputs.get(FORMAT, fitting[0])}
    return {}
