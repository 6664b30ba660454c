"""Operations: a method of a path, its endpoint, and its OpenAPI description in one value."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from starlette.routing import BaseRoute, Route

import chronotile
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.types import Json
from chronotile.http.endpoint import Endpoint, Faults, endpoint
from chronotile.http.problems import PROBLEM_TYPE
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import (
    INDEX,
    REFUSALS,
    STATUSES,
    TEXT,
    enum_of,
    in_path,
    in_query,
    omit_empty,
    ref,
)
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.query.parameter import LANG, Parameter, documents

OfExamples = Callable[[Examples], Any]
"""Part of a document that depends on the served data."""
Described = Parameter[Any] | Json | OfExamples
"""A query parameter, or an OpenAPI parameter object; a function may return several."""


WITH_TOKEN: Mapping[str, Any] = {"security": [{"writeToken": list[str]()}]}
"""Members of an operation that requires a token."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

    path: str
    """Path for Starlette, relative to the OpenAPI document."""
    handler: Endpoint
    name: str
    """Operation id, unique in the document."""
    summary: str
    _: KW_ONLY
    tag: str
    faults: Faults | None = None
    """Writes errors; `None` if the handler does."""
    method: str = "GET"
    parameters: Sequence[Described] = ()
    examples: Mapping[str, object] = field(default_factory=dict)
    """Examples of query parameters by name: values, or functions of `Examples`."""
    required: Collection[str] = ()
    """Names of required query parameters."""
    body: Json | OfExamples | None = None
    answers: Mapping[str, Json] = field(default_factory=dict)
    """Schemas of the response with status 200, by media type; empty if the operation has other statuses."""
    refusals: Sequence[str] = REFUSALS
    """Error responses, keys of `STATUSES`."""
    responses: Mapping[str, Json] = field(default_factory=dict)
    """Responses with other statuses."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """Further OpenAPI members, such as `security`."""
    is_offered: Callable[[Examples], bool] = lambda _examples: True
    """Whether documents list the operation; it is omitted if the catalogue has no data for it."""

    def route(self, root: str = "") -> BaseRoute:
        """Return the route below `root`."""
        answer = self.handler if self.faults is None else endpoint(self.handler, self.faults)
        return Route(root + self.path, answer, methods=[self.method])

    def document(self, examples: Examples) -> Json:
        """Return the OpenAPI operation object."""
        members: Json = {"operationId": self.name, "summary": self.summary, "tags": [self.tag]}
        members["parameters"] = list(self._parameters(examples))
        if self.body is not None:
            members["requestBody"] = _evaluate(self.body, examples)
        content = {media_type: {"schema": schema} if schema else {} for media_type, schema in self.answers.items()}
        success = {"200": {"description": self.summary, "content": content}} if content else {}
        errors = {STATUSES[name]: {"$ref": f"#/components/responses/{name}"} for name in self.refusals}
        return {**members, "responses": {**success, **errors, **self.responses}, **self.members}

    def _parameters(self, examples: Examples) -> Iterator[Json]:
        example_values = {name: _evaluate(value, examples) for name, value in self.examples.items()}
        for parameter in self.parameters:
            if isinstance(parameter, Parameter):
                yield from documents([parameter], example_values, required=self.required)
            else:
                described = _evaluate(parameter, examples)
                yield from described if isinstance(described, list) else [described]


def _evaluate(value: Any, examples: Examples) -> Any:  # noqa: ANN401 -- any member of a document
    return value(examples) if callable(value) else value


def segment(name: str, description: str, *, example: OfExamples, schema: Json = TEXT) -> OfExamples:
    """Return a segment of a path; its example depends on the served data."""
    return lambda examples: in_path(name, description, schema, example=example(examples))


def language(examples: Examples) -> Json:
    """Return the parameter `lang`, with the languages of the service."""
    return in_query(LANG.name, LANG.description, enum_of(examples.languages))


TILE: Sequence[OfExamples] = (
    segment("tms", "Tile matrix set", example=lambda examples: examples.tile_matrix_set),
    segment("z", "Tile matrix", example=lambda examples: examples.tile[0]),
    segment("x", "Column", schema=INDEX, example=lambda examples: examples.tile[1]),
    segment("y", "Row, from the top", schema=INDEX, example=lambda examples: examples.tile[2]),
)
"""The segments `{tms}/{z}/{x}/{y}` of a path."""


def routes_of(operations: Iterable[Operation], root: str = "") -> list[BaseRoute]:
    """Return the routes; of two that match the same path, the one with more literal text is first."""
    ranked = sorted(operations, key=lambda operation: -len(re.sub(r"\{[^}]*\}", "", operation.path)))
    return [operation.route(root) for operation in ranked]


def paths_of(operations: Iterable[Operation], examples: Examples) -> dict[str, Json]:
    """Return the OpenAPI path items of operations."""
    paths: dict[str, Json] = {}
    for operation in operations:
        if operation.is_offered(examples):
            item = paths.setdefault(re.sub(r":\w+\}", "}", operation.path), {})
            item[operation.method.lower()] = operation.document(examples)
    return paths


def info_of(service: ServiceInfo, language: str) -> Json:
    """Return the `info` member of a document."""
    return {
        "title": text_in(service.title, language),
        "description": text_in(service.abstract, language),
        "version": chronotile.__version__,
        "contact": omit_empty({"name": service.contact.name, "email": service.contact.email}),
    }


def refusal(description: str, media_types: Sequence[str] = (PROBLEM_TYPE,)) -> Json:
    """Return an error response for the components, with a problem document."""
    return {"description": description, "content": {name: {"schema": ref("Problem")} for name in media_types}}
