"""Documents of both versions of WPS: capabilities, descriptions, job status and results."""

from collections.abc import Iterable
from dataclasses import dataclass

from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.job import Execution, Job
from chronotile.core.model.space.crs import CRS84_URI
from chronotile.jobs.processes.registry import output_schema, process_of, processes
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.processes.media_types import BASE64
from chronotile.protocols.common.processes.results import Results, inline_bytes, is_referenced, part_of
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wps.data import Data, data_of, kind_of, occurrences
from chronotile.protocols.wps.params import OPERATIONS, VERSIONS

ALL = "all"
"""Identifier that stands for every process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WpsContext:
    """Values that all documents share."""

    version: str
    base: str
    """Public URL of the server, without a slash at the end."""
    takes_jobs: bool

    def render(self, name: str, **values: object) -> bytes:
        """Return the document of a template in the version."""
        template = f"wps/templates/{self.version.replace('.', '_')}/{name}.xml"
        return render_xml(template, url=f"{self.base}/wps", takes_jobs=self.takes_jobs, **values)


def capabilities(context: WpsContext, service: ServiceInfo) -> bytes:
    """Return the capabilities (OGC 14-065 §9.2, OGC 05-007r7 §8.3)."""
    texts = {name: text_in(getattr(service, name), service.languages[0]) for name in ("title", "abstract")}
    offered = {"versions": VERSIONS, "operations": OPERATIONS, "processes": processes().values()}
    return context.render("capabilities", service=service, base=context.base, **texts, **offered)


def descriptions(context: WpsContext, names: Iterable[str]) -> bytes:
    """Return the descriptions of processes (OGC 14-065 §9.3, OGC 05-007r7 §9.3).

    Raises:
        UnknownPath: No process has one of the names.
    """
    described = processes().values() if any(name.lower() == ALL for name in names) else map(process_of, names)
    return context.render("descriptions", processes=described, occurrences=occurrences, kind_of=kind_of, crs=CRS84_URI)


def status(context: WpsContext, job: Job, *, is_gone: bool = False) -> bytes:
    """Return the status of a job (OGC 14-065 §9.5), or that it was dismissed."""
    name = "dismissed" if is_gone else "succeeded" if job.status == "successful" else job.status
    return context.render("status", job=job, status=name.capitalize())


def result(context: WpsContext, results: Results) -> bytes:
    """Return results as a document (OGC 14-065 §9.6).

    Raises:
        LimitExceeded: A file inside the document is too large.
        SourceUnavailable: A file is missing.
    """
    outputs = [(name, data_in(results, name)) for name in results.values]
    return context.render("result", job=results.job, outputs=outputs)


def literal(context: WpsContext, results: Results) -> bytes | None:
    """Return the single result as an XML element, `None` unless it is a literal.

    OGC's test suite for WPS 2.0 reads this element even if it requested raw data.
    """
    (name,) = results.values
    is_literal = kind_of(output_schema(results.execution.process, name), is_output=True).form == "literal"
    return context.render("literal", literal=data_in(results, name)) if is_literal else None


def response(
    context: WpsContext,
    execution: Execution,
    created: str,
    *,
    job: Job | None = None,
    results: Results | None = None,
    has_lineage: bool = False,
) -> bytes:
    """Return the response to an Execute of WPS 1.0.0 (OGC 05-007r7 §10.3): results, or the status of a job.

    Args:
        context: Context whose version is 1.0.0.
        execution: The request.
        created: Time of the status, as RFC 3339.
        job: The job, whose status document is this response; `None` if a synchronous request has no job.
        results: Its results, `None` while it has none.
        has_lineage: Whether the response repeats the inputs and the requested outputs.
    """
    outputs = None if results is None else [(name, data_in(results, name)) for name in results.values]
    lineage = execution if has_lineage else None
    process = process_of(execution.process)
    return context.render("response", process=process, created=created, job=job, outputs=outputs, lineage=lineage)


def data_in(results: Results, name: str) -> Data:
    """Return one result as templates write it.

    Raises:
        LimitExceeded: A file inside the document is too large.
        SourceUnavailable: A file is missing.
    """
    result_value, part, execution = results.values[name], part_of(results, name), results.execution
    if is_referenced(execution, name, result_value) and results.address_of is not None:
        return Data(form="reference", text=results.address_of(name), media_type=part.media_type)
    kind = kind_of(output_schema(execution.process, name), is_output=True)
    encoding = BASE64 if (execution.outputs or {}).get(name, {}).get("format", {}).get("encoding") else None
    return data_of(kind, result_value.value, inline_bytes(part, name), part.media_type, encoding=encoding)
