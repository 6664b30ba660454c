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
from chronotile.protocols.common.processes.media_types import (
    BASE64,
    OCTETS,
    is_base64,
    media_types,
)

MOST = 16
"""Of one execution."""
MOST_S = 30.0
"""For all of them together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An input that lies elsewhere."""

    name: str
    """Of the input."""
    index: int | None
    """Among several."""
    url: str
    """Below a place that is allowed."""
    media_type: str | None
    """As the client gives it."""

    @property
    def path(self) -> str:
        """Of its address, in the JSON."""
        return _path(self.name, self.index)


def references_of(process: Process, inputs: Mapping[str, Any], places: AllowedPlaces) -> tuple[Reference, ...]:
    """Return those among the inputs of an execution that are references.

    Raises:
        InvalidParameter: One has an address that is not allowed, or there are too many.
    """
    found = []
    for name, index, given in _given(process, inputs):
        if isinstance(given, dict) and isinstance(given.get("href"), str):
            found.append(_reference(name, index, given, places))
            if len(found) > MOST:
                message = f"an execution has at most {MOST} inputs by reference; give the other values inline"
                raise InvalidParameter(message, locator=found[-1].path)
    return tuple(found)


def hosts_of(references: Sequence[Reference]) -> set[str]:
    """Return the hosts of the URLs."""
    return {urlsplit(each.url).netloc for each in references}


def fetch_all(references: Sequence[Reference], *, max_bytes: int) -> list[Fetched]:
    """Return what the addresses give, in their order.

    Args:
        references: Of `references_of`.
        max_bytes: What all of them together may have.

    Raises:
        InvalidParameter: An address gives no document.
        LimitExceeded: They have more bytes.
        SourceUnavailable: A host does not answer in time.
    """
    until, left, found = time.monotonic() + MOST_S, max_bytes, []
    for reference in references:
        seconds = max(until - time.monotonic(), 0.001)
        found.append(fetch(reference.url, max_bytes=left, locator=reference.path, most_s=seconds))
        left -= len(found[-1].body)
        needed, smaller = max_bytes - left, "give addresses of smaller documents"
        require_at_most("max_body_bytes", needed, max_bytes, alternative=smaller, locator=reference.path)
    return found


def replace_references(
    process: Process, inputs: Mapping[str, Any], references: Sequence[Reference], found: Sequence[Fetched]
) -> dict[str, Any]:
    """Return the inputs with values that tell their kind in the place of references.

    Args:
        process: Whose inputs they are.
        inputs: As the client has them.
        references: Of `references_of`.
        found: What each of them gives.

    Raises:
        InvalidParameter: It is not of its kind.
        LimitExceeded: All together have too many lists and objects.
    """
    left, values = MAX_CONTAINERS, dict(inputs)
    for reference, each in zip(references, found, strict=True):
        value = _qualified(each, reference, process.inputs[reference.name].schema, most=left)
        left -= containers_in(each.body)
        if reference.index is None:
            values[reference.name] = value
        else:
            several = values[reference.name]
            values[reference.name] = [*several[: reference.index], value, *several[reference.index + 1 :]]
    return values


def _given(process: Process, inputs: Mapping[str, Any]) -> Iterator[tuple[str, int | None, Any]]:
    """Each value by the name of its input and its place; what the process does not take is not looked at."""
    for name, given in inputs.items():
        if name in process.inputs:
            several = given if isinstance(given, list) else [given]
            for index, each in enumerate(several):
                yield name, index if several is given else None, each


def _reference(name: str, index: int | None, given: Mapping[str, Any], places: AllowedPlaces) -> Reference:
    path, media_type = _path(name, index), given.get("type")
    if not places:
        raise InvalidParameter(f"{path}: this server does not fetch inputs; give the value itself", locator=path)
    url = places.require_allowed(given["href"], locator=path)
    return Reference(
        name=name, index=index, url=url, media_type=media_type.lower() if isinstance(media_type, str) else None
    )


def _path(name: str, index: int | None) -> str:
    return f"inputs.{name}{'' if index is None else f'[{index}]'}.href"


def _qualified(found: Fetched, reference: Reference, schema: Json, *, most: int) -> Json:
    """The value with its kind, as a client may give it too; `most` is of lists and objects."""
    qualifier = {} if reference.media_type is None else {"mediaType": reference.media_type}
    if is_base64(schema):
        value = base64.b64encode(found.body).decode()
        is_any = OCTETS in media_types(schema)
        return {"value": value, "encoding": BASE64, **({} if is_any else qualifier)}
    if not (reference.media_type or found.media_type).startswith("text/"):
        body, what = found.body.removeprefix(BOM_UTF8), f"what {reference.path} gives"
        return {"value": parse_json(body, what=what, locator=reference.path, most=most), **qualifier}
    try:
        return {"value": found.body.decode("utf-8-sig"), **qualifier}
    except UnicodeDecodeError as error:
        raise InvalidParameter(f"what {reference.path} returned is not UTF-8 text", locator=reference.path) from error
