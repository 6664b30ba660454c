"""What WCS 1.x answers: documents, and files with the time that they have."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import require_at_most
from chronotile.core.model.coverage import CoverageRequest, Trim
from chronotile.core.model.crs import are_alike
from chronotile.core.model.request import IsActive
from chronotile.core.model.time.instants import DEFAULT
from chronotile.http.endpoint import JobOffer, offer_job
from chronotile.http.respond import respond_with_document
from chronotile.http.run import COVERAGES, base_url, run, services_of
from chronotile.pipeline.coverage.deliver import CoverageDelivery, CoverageFormat, deliver_coverage
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import requested_language, update_sequence
from chronotile.protocols.common.capabilities.time_extent import value_warning
from chronotile.protocols.common.coverage_files import export_offer, file_conditions, respond_with_file
from chronotile.protocols.common.query.kvp import Kvp, last_of_each
from chronotile.protocols.common.query.parameter import keyword
from chronotile.protocols.wcs.coverages import WcsCoverage, coverage_of, offered_coverages
from chronotile.protocols.wcs.faults import refusal
from chronotile.protocols.wcs.v1.documents import document
from chronotile.protocols.wcs.v1.requests import ALMOST, FORMAT
from chronotile.protocols.wcs.version import Pairs

OPERATIONS = ("GetCapabilities", "DescribeCoverage", "GetCoverage")
OPERATION = keyword("REQUEST", "The operation", {name: name for name in OPERATIONS})
MOST_TIMES = 100_000
"""Of all coverages that one request describes: a document of 6 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What differs between the versions."""

    name: str
    """As templates end: `1_0_0`."""
    ids: str
    """The parameter of DescribeCoverage."""
    sections: Callable[[Kvp, str | None], frozenset[str]]
    """Parts of the capabilities that a request wants, by the current `updateSequence`."""
    parse: Callable[[Kvp, Services], CoverageRequest]
    formats: Callable[[str], Mapping[str, CoverageFormat]]
    """The one format that stands for one of the pipeline, by its name."""


def refuse_xml(_root: etree._Element) -> Pairs:
    """Refuse a request in XML.

    Raises:
        InvalidParameter: As said.
    """
    raise refusal("InvalidParameterValue", "WCS 1.x takes key-value pairs here; WCS 2.0.1 takes XML", locator="request")


async def answer(dialect: Dialect, request: Request, pairs: Pairs) -> Response:
    """Return what REQUEST requests."""
    query, services = last_of_each(pairs), services_of(request)
    catalogue, operation = services.catalogue, OPERATION.of(query)
    if operation == "GetCoverage":
        return await _get_coverage(dialect, request, query)
    name, given, told = "descriptions", query.optional(dialect.ids), dict[str, object]()
    find: Callable[[], Iterable[WcsCoverage]] = partial(_described, given, dialect.ids, catalogue)
    if operation == "GetCapabilities":
        name, given, find = "capabilities", None, partial(offered_coverages, catalogue)
        sequence = update_sequence(services)
        told = {"base": base_url(request), "sequence": sequence, "sections": dialect.sections(query, sequence)}
    language = requested_language(query, catalogue.service.languages)
    template = f"wcs/v1/templates/{name}_{dialect.name}.xml"
    make = partial(document, template, find, services, language, **told)
    key = (template, language, given, *told.values())
    return await respond_with_document(request, services, make, key=key, media_type="text/xml")


def _described(given: str | None, parameter: str, catalogue: Catalogue) -> Iterable[WcsCoverage]:
    """The coverages of a list of ids, else all."""
    names = dict.fromkeys(name.strip() for name in (given or "").split(","))
    found = [coverage_of(catalogue, name) for name in names] if given else list(offered_coverages(catalogue))
    count, alternative = sum(each.instants.size for each in found), f"name fewer coverages in {parameter}"
    require_at_most("described times", count, MOST_TIMES, alternative=alternative, locator=parameter)
    return found


async def _get_coverage(dialect: Dialect, request: Request, query: Kvp) -> Response:
    """The file, with a header that names the time where the request did not."""
    services = services_of(request)
    wanted, name = dialect.parse(query, services), FORMAT.of(query)
    formats = dialect.formats(name)
    offer_job(request, partial(_job, wanted, name, services.catalogue))
    conditions = file_conditions(request)

    def work(is_active: IsActive) -> CoverageDelivery:
        (own,) = formats
        return deliver_coverage(wanted, own, services, formats=formats, conditions=conditions, is_active=is_active)

    delivery = await run(request, COVERAGES, work, layers=[wanted.layers[0]])
    response = respond_with_file(delivery)
    if wanted.time == DEFAULT and len(delivery.times):
        instants = tuple(reversed(delivery.times.instants))
        response.headers.append("Warning", value_warning("default", instants, delivery.times))
    return response


def _job(wanted: CoverageRequest, name: str, catalogue: Catalogue) -> JobOffer | None:
    """The job for native cells; `None` for others, which no job makes."""
    cells, native = wanted.cells, catalogue.layer(wanted.layers[0]).main_variable.grid
    if cells is None or not are_alike(cells.crs, native.crs):
        return None
    if not np.allclose(cells.resolution, native.steps, rtol=ALMOST, atol=0):
        return None
    trim = Trim(box=cells.bbox, crs=cells.crs)
    return export_offer(replace(wanted, trims=(trim,), cells=None), name, catalogue)
