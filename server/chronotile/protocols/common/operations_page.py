"""Page that lists the operations of an OpenAPI document, with forms or with examples."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import orjson
from starlette.responses import Response

from chronotile.core.model.types import Json
from chronotile.protocols.common.html_page import COMMON, content_security_policy, render_page

OPERATIONS = "operations"
"""Name of the template and the style sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A link to another page or document."""

    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsPage:
    """Content of the page; all URLs are relative to it, so that any prefix works."""

    title: str
    version: str
    """Version of OpenAPI."""
    description: str
    """URL of the OpenAPI document."""
    server: str
    """Base URL of the paths in the document."""
    viewer: str | None
    """URL of the viewer's files without trailing slash; `None` if the page has no forms."""
    related: Sequence[PageLink]


def operations_page(document: Json, page: OperationsPage) -> bytes:
    """Return the page as HTML; without scripts it lists operations and examples."""
    return render_page(
        COMMON, OPERATIONS, styled=OPERATIONS, page=page, sections=sections_of(document), accepted=_describe_values
    )


def set_operations_policy(response: Response, *, has_forms: bool) -> Response:
    """Set the content security policy of the page.

    Pictures in the style sheet are `data:` URLs; pictures from requests are displayed as `blob:` URLs.
    """
    images = "'self' data: blob:" if has_forms else "'none'"
    response.headers["Content-Security-Policy"] = content_security_policy(
        COMMON, styled=OPERATIONS, images=images, has_scripts=has_forms
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


MAX_LISTED = 12
"""Limit of listed values per parameter."""
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEntry:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    parameters: Sequence[Json]
    media_types: tuple[str, ...]
    address: str
    """URL of an example."""
    command: str | None
    """curl command that sends the example; `None` if the URL is enough."""

    @property
    def is_link(self) -> bool:
        """Whether the URL is a link: complete, and without side effects."""
        return self.method == "GET" and "{" not in self.address


def sections_of(document: Json) -> dict[str, list[OperationEntry]]:
    """Return the operations of an OpenAPI document by their first tag, in document order."""
    sections: dict[str, list[OperationEntry]] = {}
    base = document["servers"][0]["url"]
    for path, entry in document["paths"].items():
        for method in METHODS:
            if method in entry:
                operation = _resolve_operation(entry[method], entry, document)
                sections.setdefault(operation["tags"][0], []).append(_entry(base, path, method, operation))
    return sections


def example_address(path: str, operation: Json) -> str:
    """Return the path and query of an operation, filled with its examples."""
    parameters = [member for member in operation["parameters"] if "example" in member]
    for member in parameters:
        if member["in"] == "path":
            path = path.replace(f"{{{member['name']}}}", quote(str(member["example"]), safe=""))
    query = [(p["name"], _format_example(p["example"])) for p in parameters if p["in"] == "query"]
    return f"{path}?{urlencode(query, safe='/,:')}" if query else path


def _format_example(example: object) -> str:
    return ",".join(map(str, example)) if isinstance(example, list) else str(example)


def _resolve_operation(operation: Json, entry: Json, document: Json) -> Json:
    """Return the operation with the parameters of its path, and with references resolved."""
    parameters = [*entry.get("parameters", ()), *operation.get("parameters", ())]
    return {
        **operation,
        "parameters": [_resolve(p, document) for p in parameters],
        "responses": {status: _resolve(response, document) for status, response in operation["responses"].items()},
    }


def _resolve(member: Json, document: Json) -> Json:
    if "$ref" not in member:
        return member
    target = document
    for name in member["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    return target


def _entry(base: str, path: str, method: str, operation: Json) -> OperationEntry:
    address = base + example_address(path, operation)
    request_body = operation.get("requestBody")
    return OperationEntry(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        parameters=operation["parameters"],
        media_types=tuple(operation["responses"].get("200", {}).get("content", {})),
        address=address,
        command=None if request_body is None else _command(method, address, request_body["content"]),
    )


def _describe_values(schema: Json) -> str:
    if "enum" in schema:
        words = [str(word) for word in schema["enum"]]
        return ", ".join(words[:MAX_LISTED]) + (" …" if len(words) > MAX_LISTED else "")
    kind = schema.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _command(method: str, address: str, content: Json) -> str:
    """Return a curl command with the example of the first media type, or with a file."""
    method_option = "" if method == "post" else f"-X {method.upper()} "
    media_type, body = next(iter(content.items()))
    if "example" in body:
        data = f"-d {shlex.quote(orjson.dumps(body['example']).decode())}"
    else:
        data = f"--data-binary @FILE -H {shlex.quote(f'Content-Type: {media_type}')}"
    return f"curl {method_option}{data} {shlex.quote(address)}"
