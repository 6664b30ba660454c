"""Inputs by reference: documents that the server fetches from allowed URLs."""

import base64
import time
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.geometry.json_estimates import containers_in
from chronotile.core.model.types import Json
from chronotile.core.web.fetch import Fetched, fetch
from chronotile.core.web.places import AllowedPlaces
from chronotile.jobs.processes.inputs import MAX_CONTAINERS
from chronotile.jobs.processes.process import Process
from chronotile.protocols.common.processes.json_text import parse_json
from chronotile.protocols.common.processes.media_types import BASE64, OCTETS, is_base64, media_types

MAX_REFERENCES = 16
"""Maximum number of references in an execution."""
MAX_FETCH_S = 30.0
"""Maximum seconds for fetching all references of an execution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An input given as a URL."""

    name: str
    """Name of the input."""
    index: int | None
    """Position in the list of values; `None` if the input is not a list."""
    url: str
    """An allowed URL."""
    media_type: str | None
    """Media type from the client."""

    @property
    def path(self) -> str:
        """Path of `href` in the JSON of the execution."""
        return _path(self.name, self.index)


def references_of(process: Process, inputs: Mapping[str, Any], places: AllowedPlaces) -> tuple[Reference, ...]:
    """Return the inputs of an execution that are references.

    Raises:
        InvalidParameter: A URL is not allowed, or the references are too many.
    """
    references = []
    for name, index, value in _input_values(process, inputs):
        if isinstance(value, dict) and isinstance(value.get("href"), str):
            references.append(_reference(name, index, value, places))
            if len(references) > MAX_REFERENCES:
                message = f"an execution has at most {MAX_REFERENCES} inputs by reference; give the other values inline"
                raise InvalidParameter(message, locator=references[-1].path)
    return tuple(references)


def hosts_of(references: Sequence[Reference]) -> set[str]:
    """Return the hosts of the URLs."""
    return {urlsplit(reference.url).netloc for reference in references}


def fetch_all(references: Sequence[Reference], *, max_bytes: int) -> list[Fetched]:
    """Return the documents at the URLs, in the order of the references.

    Args:
        references: The result of `references_of`.
        max_bytes: Maximum size of all documents together.

    Raises:
        InvalidParameter: A URL does not return a document.
        LimitExceeded: The documents have more than `max_bytes` bytes.
        SourceUnavailable: A host does not answer in time.
    """
    until, remaining, documents = time.monotonic() + MAX_FETCH_S, max_bytes, []
    for reference in references:
        seconds = max(until - time.monotonic(), 0.001)
        documents.append(fetch(reference.url, max_bytes=remaining, locator=reference.path, max_s=seconds))
        remaining -= len(documents[-1].body)
        needed, smaller = max_bytes - remaining, "give addresses of smaller documents"
        require_at_most("max_body_bytes", needed, max_bytes, alternative=smaller, locator=reference.path)
    return documents


def replace_references(
    process: Process, inputs: Mapping[str, Any], references: Sequence[Reference], documents: Sequence[Fetched]
) -> dict[str, Any]:
    """Return the inputs, with references replaced by qualified values.

    Args:
        process: The process of the inputs.
        inputs: Inputs of the request.
        references: The result of `references_of`.
        documents: The document of each reference.

    Raises:
        InvalidParameter: A document does not have the kind of its input.
        LimitExceeded: The documents together have too many lists and objects.
    """
    remaining, values = MAX_CONTAINERS, dict(inputs)
    for reference, document in zip(references, documents, strict=True):
        value = _qualify(document, reference, process.inputs[reference.name].schema, most=remaining)
        remaining -= containers_in(document.body)
        if reference.index is None:
            values[reference.name] = value
        else:
            several = values[reference.name]
            values[reference.name] = [*several[: reference.index], value, *several[reference.index + 1 :]]
    return values


def _input_values(process: Process, inputs: Mapping[str, Any]) -> Iterator[tuple[str, int | None, Any]]:
    """Yield input name, list index and value; inputs that the process does not have are skipped."""
    for name, input_value in inputs.items():
        if name in process.inputs:
            several = input_value if isinstance(input_value, list) else [input_value]
            for index, value in enumerate(several):
                yield name, index if several is input_value else None, value


def _reference(name: str, index: int | None, value: Mapping[str, Any], places: AllowedPlaces) -> Reference:
    path, media_type = _path(name, index), value.get("type")
    if not places:
        raise InvalidParameter(f"{path}: this server does not fetch inputs; give the value itself", locator=path)
    url = places.require_allowed(value["href"], locator=path)
    return Reference(
        name=name, index=index, url=url, media_type=media_type.lower() if isinstance(media_type, str) else None
    )


def _path(name: str, index: int | None) -> str:
    return f"inputs.{name}{'' if index is None else f'[{index}]'}.href"


def _qualify(document: Fetched, reference: Reference, schema: Json, *, most: int) -> Json:
    """Return the value with its qualifiers, as a client may send it; `most` limits its lists and objects."""
    qualifier = {} if reference.media_type is None else {"mediaType": reference.media_type}
    if is_base64(schema):
        value = base64.b64encode(document.body).decode()
        is_any = OCTETS in media_types(schema)
        return {"value": value, "encoding": BASE64, **({} if is_any else qualifier)}
    if not (reference.media_type or document.media_type).startswith("text/"):
        body, what = document.body.removeprefix(BOM_UTF8), f"what {reference.path} gives"
        return {"value": parse_json(body, what=what, locator=reference.path, most=most), **qualifier}
    try:
        return {"value": document.body.decode("utf-8-sig"), **qualifier}
    except UnicodeDecodeError as error:
        raise InvalidParameter(f"what {reference.path} returned is not UTF-8 text", locator=reference.path) from error
