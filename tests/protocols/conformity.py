"""Check with schemathesis that a server answers according to its own OpenAPI document.

python -m tests.protocols.conformity /openapi.json 100 [TEXT]       100 requests of each kind; paths that contain TEXT
"""

import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp

from chronotile.app.application import ServerOptions, application
from chronotile.archive.index.dates import dated_collection, list_dates
from chronotile.archive.index.fill import IndexStore
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.model.source import SourceSpec
from chronotile.jobs.queue.service import JobService
from chronotile.readers.reader_caches import ReaderCaches
from tests.places import make_places
from tests.protocols import served

CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance),
    response_schema_conformance,
]
# Bodies of these types are sent as bytes, like bodies of unknown types.
schemathesis.serializer.alias(["application/geopackage+sqlite3", "application/zip"], "application/octet-stream")
SHOWN = 600
"""Maximum number of characters in a finding."""


@dataclass
class Findings:
    """Statuses and faults of the requests to one operation."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    """A request for each fault."""


def tree_application(jobs: Path) -> ASGIApp:
    """Return the application over `served.tree_collections`, their dates and three places, with a folder of jobs."""
    services = served.make_services(*served.tree_collections(), places=[make_places()])
    with closing(IndexStore(items=open_items(None, jobs), passes=open_passes(None, jobs))) as store:
        for collection in services.catalogue.collections:
            spec = SourceSpec(collection=collection.id, kind="cog", href="")
            list_dates(dated_collection(collection, services.readers[collection.id], spec, state=""), store)
    hrefs = {collection.id: str(jobs / "data") for collection in services.catalogue.collections}
    items = ReaderCaches(items=partial(open_items, None, jobs))
    return application(
        replace(services, reader_caches=items, source_hrefs=hrefs), ServerOptions(jobs=JobService(jobs, archive="a"))
    )


def document_of(app: ASGIApp, path: str) -> BaseSchema:
    """Return an OpenAPI document of the application, whose requests go to it directly."""
    return schemathesis.openapi.from_asgi(path, app)


def operations_of(schema: BaseSchema, holding: str = "") -> list[APIOperation]:
    """Return all operations, or those whose path holds a text."""
    return [each.ok() for each in schema.get_all_operations() if holding in each.ok().path]


def findings_of(operation: APIOperation, examples: int) -> Findings:
    """Return the findings of requests that the document allows and of requests that it forbids.

    All parameters, all except one, or none have the document's examples, and the rest is generated. Alternatively the
    path and the required parameters are examples, and up to two others are generated. Requests without examples would
    always end at an unknown collection.

    Args:
        operation: An operation of `operations_of`.
        examples: Number of requests of each kind.
    """
    findings = Findings()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        _ask(operation, mode, examples, findings)
    return findings


def refused_examples(operation: APIOperation) -> list[str]:
    """Return failed requests: they have the examples of the required parameters and at most one optional parameter."""
    needed = {each.name for each in operation.query if each.is_required}
    paths, queries = _examples(operation.path_parameters), _examples(operation.query)
    least = {name: value for name, value in queries.items() if name in needed}
    more = [least, *({**least, name: value} for name, value in queries.items() if name not in needed)]
    answers = [operation.Case(path_parameters=paths, query=query).call() for query in more]
    return [f"{each.status_code} {each.request.url}" for each in answers if each.status_code != 200]


def _ask(operation: APIOperation, mode: GenerationMode, examples: int, findings: Findings) -> None:
    cases = st.one_of(
        *(operation.as_strategy(generation_mode=mode, **kept) for kept in _kept(operation)), _few(operation, mode)
    )

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: Case) -> None:
        answer = case.call()
        findings.statuses[answer.status_code] += 1
        for fault in _faults(case, answer):
            findings.faults.setdefault(fault, answer.request.url)

    try:
        ask()
    except Unsatisfiable:  # nothing can be wrong with a request that has no parameters
        return


def _faults(case: Case, answer: Any) -> Iterator[str]:
    try:
        case.validate_response(answer, checks=CHECKS)
    except Failure as failure:
        yield _told(failure)
    except BaseExceptionGroup as group:
        yield from map(_told, group.exceptions)


def _told(failure: Failure) -> str:
    return " ".join(f"{failure.title}: {failure.message}".split())[:SHOWN]


def _kept(operation: APIOperation) -> list[dict[str, dict[str, Any]]]:
    """Return subsets of the examples: all, all except one, none."""
    paths, queries = _examples(operation.path_parameters), _examples(operation.query)
    without = [{name: value for name, value in queries.items() if name != left} for left in queries]
    elsewhere = [{name: value for name, value in paths.items() if name != left} for left in paths]
    return [
        {"path_parameters": paths, "query": queries},
        *({"path_parameters": paths, "query": kept} for kept in without),
        *({"path_parameters": kept, "query": queries} for kept in elsewhere),
        {},
    ]


def _few(operation: APIOperation, mode: GenerationMode) -> st.SearchStrategy[Case]:
    """Return cases with at most two optional parameters."""
    needed = {each.name for each in operation.query if each.is_required}
    query = {name: value for name, value in _examples(operation.query).items() if name in needed}
    cases = operation.as_strategy(
        generation_mode=mode, path_parameters=_examples(operation.path_parameters), query=query
    )
    others = sorted({each.name for each in operation.query} - needed)
    chosen = st.sets(st.sampled_from(others), max_size=2) if others else st.just(set[str]())

    def cut(drawn: tuple[Case, set[str]]) -> Case:
        case, names = drawn
        case.query = {name: value for name, value in (case.query or {}).items() if name in names | needed}
        return case

    return st.tuples(cases, chosen).map(cut)


def _examples(parameters: Iterable[Any]) -> dict[str, Any]:
    """Return examples by name; lists are joined with commas, because schemathesis sends values unchanged."""
    given = {each.name: each.definition["example"] for each in parameters if "example" in each.definition}
    return {name: ",".join(map(str, each)) if isinstance(each, list) else each for name, each in given.items()}


def main(arguments: Sequence[str]) -> int:
    """Print the findings; return the exit status."""
    logging.disable()
    with tempfile.TemporaryDirectory() as jobs:
        return _tell(tree_application(Path(jobs)), *arguments)


def _tell(app: ASGIApp, path: str, examples: str, *holding: str) -> int:
    operations = operations_of(document_of(app, path), *holding)
    found = 0
    for operation in operations:
        start = time.perf_counter()
        findings = findings_of(operation, int(examples))
        found += len(findings.faults)
        seconds = time.perf_counter() - start
        sys.stdout.write(f"{seconds:6.2f} s {operation.method.upper()} {operation.path} {dict(findings.statuses)}\n")
        for fault, url in findings.faults.items():
            sys.stdout.write(f"    {fault}\n        {url[:400]}\n")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
