"""Pages for people: templates and style sheets, and the policy they work under."""

import base64
import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlencode

import orjson
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from chronotile.core.model.types import Json

COMMON = "protocols/common/templates"
"""What all pages share."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page's style sheet, which is part of it."""

    text: Markup
    source: str
    """How the content security policy names it (CSP 3 §2.3.1)."""


def render_page(folder: str, template: str = "page", *, styled: str = "page", **members: object) -> bytes:
    """Return a page as HTML, with its style sheet.

    Args:
        folder: Of templates; those of `protocols/common/templates` can be included too.
        template: The page's, without `.html`.
        styled: The style sheet's, without `.css`.
        members: What the page is made of.
    """
    sheet = style_sheet(folder, styled).text
    return _environment(folder).get_template(f"{template}.html").render(sheet=sheet, **members).encode()


def content_security_policy(
    folder: str, *, styled: str = "page", images: str = "'none'", has_scripts: bool = False, has_forms: bool = False
) -> str:
    """Return the policy under which the page, and nothing else, works.

    Args:
        folder: Of its templates.
        styled: Its style sheet, without `.css`.
        images: Where it may load pictures from.
        has_scripts: Whether scripts and style sheets of the viewer's folder are loaded, which send requests here.
        has_forms: Whether forms are sent to this server.
    """
    own = "'self'"
    directives = {
        "default-src": "'none'",
        "img-src": images,
        "style-src": style_sheet(folder, styled).source + (f" {own}" if has_scripts else ""),
        **({"script-src": own, "connect-src": own} if has_scripts else {}),
        "base-uri": "'none'",
        "form-action": own if has_forms else "'none'",
        "frame-ancestors": own,
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


@lru_cache(maxsize=8)
def style_sheet(folder: str, styled: str) -> Sheet:
    """Return a style sheet of a folder and its digest."""
    text = _environment(folder).get_template(f"{styled}.css").render()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Sheet(text=Markup(text), source=f"'sha256-{digest}'")  # noqa: S704 -- our own file


@lru_cache(maxsize=8)
def _environment(folder: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader("chronotile", each) for each in (folder, COMMON)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


OPERATIONS = "operations"
"""Template and style sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A link to another page or document."""

    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsPage:
    """Where the page is, and what it refers to; all addresses are relative to it, so that any prefix holds."""

    title: str
    version: str
    """Of OpenAPI."""
    description: str
    """Address of the OpenAPI document."""
    server: str
    """Address below which the paths of the document are."""
    viewer: str | None
    """Address of the viewer's files without a slash at the end; `None`: the page has no forms."""
    related: Sequence[PageLink]


def operations_page(document: Json, page: OperationsPage) -> bytes:
    """Return the page as HTML; without scripts it lists the operations with examples."""
    return render_page(
        COMMON, OPERATIONS, styled=OPERATIONS, page=page, sections=sections_of(document), accepted=_accepted
    )


def with_operations_policy(response: Response, *, has_forms: bool) -> Response:
    """Return the answer that is such a page with the policy under which it works.

    Pictures in the style sheet are `data:` addresses; those that a request returned are shown as `blob:`.
    """
    images = "'self' data: blob:" if has_forms else "'none'"
    response.headers["Content-Security-Policy"] = content_security_policy(
        COMMON, styled=OPERATIONS, images=images, has_scripts=has_forms
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


# The operations of an OpenAPI document for a page: parameters, and addresses that work here.

MAX_LISTED = 12
"""Accepted words of a parameter that are listed."""
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    parameters: Sequence[Json]
    media_types: tuple[str, ...]
    address: str
    """Of an example."""
    command: str | None
    """That sends the example; `None` of what an address alone asks."""

    @property
    def is_link(self) -> bool:
        """Whether the address can be followed: nothing in it is to be filled in, and it changes nothing."""
        return self.method == "GET" and "{" not in self.address


def sections_of(document: Json) -> dict[str, list[Entry]]:
    """Return the operations of an OpenAPI document by their first tag, in its order."""
    named: dict[str, list[Entry]] = {}
    base = document["servers"][0]["url"]
    for path, entry in document["paths"].items():
        for method in METHODS:
            if method in entry:
                operation = _resolved(entry[method], entry, document)
                named.setdefault(operation["tags"][0], []).append(_entry(base, path, method, operation))
    return named


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
        "parameters": [_resolve(each, document) for each in parameters],
        "responses": {status: _resolve(each, document) for status, each in operation["responses"].items()},
    }


def _resolve(member: Json, document: Json) -> Json:
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
        parameters=operation["parameters"],
        media_types=tuple(operation["responses"].get("200", {}).get("content", {})),
        address=address,
        command=None if posted is None else _command(method, address, posted["content"]),
    )


def _accepted(schema: Json) -> str:
    if "enum" in schema:
        words = [str(each) for each in schema["enum"]]
        return ", ".join(words[:MAX_LISTED]) + (" …" if len(words) > MAX_LISTED else "")
    kind = schema.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _command(method: str, address: str, content: Json) -> str:
    """A request with the example of its first media type, or with a file of it."""
    sent = "" if method == "post" else f"-X {method.upper()} "
    media_type, body = next(iter(content.items()))
    if "example" in body:
        data = f"-d {shlex.quote(orjson.dumps(body['example']).decode())}"
    else:
        data = f"--data-binary @FILE -H {shlex.quote(f'Content-Type: {media_type}')}"
    return f"curl {sent}{data} {shlex.quote(address)}"
