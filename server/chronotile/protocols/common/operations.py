"""The operations of an OpenAPI document for a page: parameters, and addresses that work here."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import orjson

from chronotile.protocols.common.openapi import Json

MAX_LISTED = 12
"""Accepted words of a parameter that are listed."""
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One line of the table of an operation."""

    name: str
    place: str
    is_required: bool
    accepted: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    media_types: tuple[str, ...]
    address: str
    """Of an example."""
    command: str | None
    """That sends the example; `None` of what an address alone asks."""

    @property
    def is_link(self) -> bool:
        """Whether the address can be followed: nothing in it is to be filled in, and it changes nothing."""
        return self.method == "GET" and "{" not in self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The operations of one tag."""

    title: str
    entries: tuple[Entry, ...]


def sections_of(document: Json) -> tuple[Section, ...]:
    """Return the operations of an OpenAPI document by their first tag, in its order."""
    named: dict[str, list[Entry]] = {}
    base = document["servers"][0]["url"]
    for path, entry in document["paths"].items():
        for method in METHODS:
            if method in entry:
                operation = _resolved(entry[method], entry, document)
                named.setdefault(operation["tags"][0], []).append(_entry(base, path, method, operation))
    return tuple(Section(title=title, entries=tuple(entries)) for title, entries in named.items())


def example_address(path: str, operation: Json) -> str:
    """Return the path and query of an operation with its examples in place."""
    parameters = [each for each in operation["parameters"] if "example" in each]
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", quote(str(each["example"]), safe=""))
    query = [(each["name"], _written(each["example"])) for each in parameters if each["in"] == "query"]
    return f"{path}?{urlencode(query, safe='/,:')}" if query else path


def _written(example: object) -> str:
    return ",".join(map(str, example)) if isinstance(example, list) else str(example)


def _resolved(operation: Json, entry: Json, document: Json) -> Json:
    """The operation with the parameters of its path, and what it refers to in place of references."""
    parameters = [*entry.get("parameters", ()), *operation.get("parameters", ())]
    return {
        **operation,
        "parameters": [_found(each, document) for each in parameters],
        "responses": {status: _found(each, document) for status, each in operation["responses"].items()},
    }


def _found(member: Json, document: Json) -> Json:
    if "$ref" not in member:
        return member
    found = document
    for name in member["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def _entry(base: str, path: str, method: str, operation: Json) -> Entry:
    address = base + example_address(path, operation)
    posted = operation.get("requestBody")
    return Entry(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        parameters=tuple(_parameters(operation)),
        media_types=tuple(operation["responses"].get("200", {}).get("content", {})),
        address=address,
        command=None if posted is None else _command(method, address, posted["content"]["application/json"]["example"]),
    )


def _parameters(operation: Json) -> Iterator[Parameter]:
    for each in operation["parameters"]:
        yield Parameter(
            name=each["name"],
            place=each["in"],
            is_required=each.get("required", False),
            accepted=_accepted(each["schema"]),
            description=each.get("description", "").replace("`", ""),
        )


def _accepted(schema: Json) -> str:
    if "enum" in schema:
        words = [str(each) for each in schema["enum"]]
        return ", ".join(words[:MAX_LISTED]) + (" …" if len(words) > MAX_LISTED else "")
    kind = schema.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _command(method: str, address: str, example: object) -> str:
    sent = "" if method == "post" else f"-X {method.upper()} "
    return f"curl {sent}-d {shlex.quote(orjson.dumps(example).decode())} {shlex.quote(address)}"
