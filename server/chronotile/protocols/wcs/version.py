"""One version of WCS, as `routes` chooses among them and `answers` answers them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError
from chronotile.core.model.coverage import CoverageRequest
from chronotile.pipeline.coverage.deliver import CoverageFormat
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.kvp import Kvp, last_of_each
from chronotile.protocols.wcs.faults import refusal

Pairs = Sequence[tuple[str, str]]
"""Parameters of a request, in order; one may be there several times."""


class Wanted(NamedTuple):
    """What a GetCoverage means."""

    request: CoverageRequest
    format: str
    """Of the file, as the core names it."""
    formats: Mapping[str, CoverageFormat]
    """The one in which it is answered, under a name that is part of ETags."""


def refuse_xml(_root: etree._Element) -> Pairs:
    """Refuse a request in XML.

    Raises:
        InvalidParameter: As said.
    """
    raise refusal("InvalidParameterValue", "WCS 1.x takes key-value pairs here; WCS 2.0.1 takes XML", locator="request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a version answers, and how."""

    numbers: tuple[str, ...]
    """Under which clients request it; the first is its own, which the names of its templates end with."""
    namespace: str
    """Of requests in XML."""
    templates: str
    """The folder, below `protocols`."""
    ids: str
    """The parameter of DescribeCoverage."""
    without_ids: str | None = None
    """The code if it is missing; `None` where all coverages are described then."""
    sections: Callable[[Kvp, str | None], frozenset[str]]
    """Parts of the capabilities that a request wants, by the current `updateSequence`."""
    parse: Callable[[Kvp, Services], Wanted]
    fault: Callable[[ChronotileError, Request], Response]
    parameters: Sequence[str] = ()
    """Of GetCoverage: a header of the answer names others that are nearly one of these."""
    query_of: Callable[[Pairs], Kvp] = last_of_each
    pairs_of_xml: Callable[[etree._Element], Pairs] = refuse_xml
    """The root of a request in XML as the parameters of one in key-value pairs."""
    media_type: str = "text/xml"
    values: Mapping[str, object] = field(default_factory=dict)
    """What only the templates of this version take."""

    def template(self, name: str) -> str:
        """Return the path of a template."""
        return f"{self.templates}/{name}_{self.numbers[0].replace('.', '_')}.xml"
