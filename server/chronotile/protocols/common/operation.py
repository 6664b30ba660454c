"""An operation as one value: a method of a path, what answers it, and all that the OpenAPI documents say of it."""

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
    Examples,
    enum_of,
    in_path,
    in_query,
    ref,
    without_empty,
)
from chronotile.protocols.common.query.parameter import LANG, Parameter, documents

OfExamples = Callable[[Examples], Any]
"""What depends on what is served."""
Described = Parameter[Any] | Json | OfExamples
"""A parameter: of the query, or as OpenAPI has it, of path, query or header; a function may return several."""


WITH_TOKEN: Mapping[str, Any] = {"security": [{"writeToken": list[str]()}]}
"""Members of an operation for which a client needs a token."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

    path: str
    """As Starlette has it, below the address of the document."""
    handler: Endpoint
    name: str
    """Its id, unique in the document."""
    summary: str
    _: KW_ONLY
    tag: str
    faults: Faults | None = None
    """Words its errors; `None` of a handler that does so itself."""
    method: str = "GET"
    parameters: Sequence[Described] = ()
    examples: Mapping[str, object] = field(default_factory=dict)
    """Of parameters of the query, by name; values, or functions of the examples of the document."""
    required: Collection[str] = ()
    """Names of those parameters of the query that must be there."""
    body: Json | OfExamples | None = None
    answers: Mapping[str, Json] = field(default_factory=dict)
    """Schemas of the response with status 200 by media type; none if it has other statuses."""
    refusals: Sequence[str] = REFUSALS
    """Names of its error responses, keys of `STATUSES`."""
    responses: Mapping[str, Json] = field(default_factory=dict)
    """Those with further statuses."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """What else OpenAPI has of it, such as `security`."""
    is_offered: Callable[[Examples], bool] = lambda _examples: True
    """Whether documents list it: one that finds nothing in this catalogue is left out."""

    def route(self, root: str = "") -> BaseRoute:
        """Return the route of it below a path."""
        answer = self.handler if self.faults is None else endpoint(self.handler, self.faults)
        return Route(root + self.path, answer, methods=[self.method])

    def document(self, examples: Examples) -> Json:
        """Return it as OpenAPI has it."""
        members: Json = {"operationId": self.name, "summary": self.summary, "tags": [self.tag]}
        members["parameters"] = list(self._parameters(examples))
        if self.body is not None:
            members["requestBody"] = _of(self.body, examples)
        content = {media_type: {"schema": schema} if schema else {} for media_type, schema in self.answers.items()}
        answered = {"200": {"description": self.summary, "content": content}} if content else {}
        refused = {STATUSES[each]: {"$ref": f"#/components/responses/{each}"} for each in self.refusals}
        return {**members, "responses": {**answered, **refused, **self.responses}, **self.members}

    def _parameters(self, examples: Examples) -> Iterator[Json]:
        given = {name: _of(value, examples) for name, value in self.examples.items()}
        for each in self.parameters:
            if isinstance(each, Parameter):
                yield from documents([each], given, required=self.required)
            else:
                described = _of(each, examples)
                yield from described if isinstance(described, list) else [described]


def _of(value: Any, examples: Examples) -> Any:  # noqa: ANN401 -- any member of a document
    return value(examples) if callable(value) else value


def segment(name: str, description: str, *, example: OfExamples, schema: Json = TEXT) -> OfExamples:
    """Return a segment of a path whose example depends on what is served."""
    return lambda examples: in_path(name, description, schema, example=example(examples))


def language(examples: Examples) -> Json:
    """Return the parameter `lang`, with the languages of the service."""
    return in_query(LANG.name, LANG.description, enum_of(examples.languages))


TILE: Sequence[OfExamples] = (
    segment("tms", "Tile matrix set", example=lambda of: of.tile_matrix_set),
    segment("z", "Tile matrix", example=lambda of: of.tile[0]),
    segment("x", "Column", schema=INDEX, example=lambda of: of.tile[1]),
    segment("y", "Row, from the top", schema=INDEX, example=lambda of: of.tile[2]),
)
"""The segments `{tms}/{z}/{x}/{y}` of a path."""


def routes_of(operations: Iterable[Operation], root: str = "") -> list[BaseRoute]:
    """Return the routes of operations; of two that match the same path, the one with more literal text comes first."""
    ranked = sorted(operations, key=lambda each: -len(re.sub(r"\{[^}]*\}", "", each.path)))
    return [each.route(root) for each in ranked]


def paths_of(operations: Iterable[Operation], examples: Examples) -> dict[str, Json]:
    """Return the path items of operations, in their order."""
    paths: dict[str, Json] = {}
    for each in operations:
        if each.is_offered(examples):
            item = paths.setdefault(re.sub(r":\w+\}", "}", each.path), {})
            item[each.method.lower()] = each.document(examples)
    return paths


def info_of(service: ServiceInfo, language: str) -> Json:
    """Return the service as a document introduces it."""
    return {
        "title": text_in(service.title, language),
        "description": text_in(service.abstract, language),
        "version": chronotile.__version__,
        "contact": without_empty({"name": service.contact.name, "email": service.contact.email}),
    }


def refusal(description: str, media_types: Sequence[str] = (PROBLEM_TYPE,)) -> Json:
    """Return an error response of the components: a problem document."""
    return {"description": description, "content": {each: {"schema": ref("Problem")} for each in media_types}}
