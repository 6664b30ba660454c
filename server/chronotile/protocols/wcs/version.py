"""Interface of a version of WCS: `routes` selects one, `answers` calls it."""

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
"""Parameters of a request, in order; a name may occur several times."""


class GetCoverage(NamedTuple):
    """A parsed GetCoverage."""

    request: CoverageRequest
    format: str
    """Core name of the file format."""
    formats: Mapping[str, CoverageFormat]
    """The format of the answer, under a name that becomes part of ETags."""


def refuse_xml(_root: etree._Element) -> Pairs:
    """Refuse a request in XML.

    Raises:
        InvalidParameter: Always.
    """
    raise refusal("InvalidParameterValue", "WCS 1.x takes key-value pairs here; WCS 2.0.1 takes XML", locator="request")


@dataclass(frozen=True, slots=True, kw_only=True)
class WcsVersion:
    """Names, parsers and templates of one version."""

    numbers: tuple[str, ...]
    """Numbers that clients may request; the first is the official one and part of template names."""
    namespace: str
    """Namespace of requests in XML."""
    templates: str
    """Folder of templates below `protocols`."""
    ids: str
    """Parameter of DescribeCoverage that lists coverages."""
    without_ids: str | None = None
    """Error code if that parameter is missing; `None` if all coverages are described then."""
    sections: Callable[[Kvp, str | None], frozenset[str]]
    """Returns the requested sections of the capabilities, from the query and the current `updateSequence`."""
    parse: Callable[[Kvp, Services], GetCoverage]
    fault: Callable[[ChronotileError, Request], Response]
    parameters: Sequence[str] = ()
    """Parameters of GetCoverage; a `Warning` header reports parameters that look like misspelt ones."""
    query_of: Callable[[Pairs], Kvp] = last_of_each
    pairs_of_xml: Callable[[etree._Element], Pairs] = refuse_xml
    """Converts the root of an XML request into parameters of a key-value request."""
    media_type: str = "text/xml"
    values: Mapping[str, object] = field(default_factory=dict)
    """Additional values for the templates of this version."""

    def template(self, name: str) -> str:
        """Return the path of a template."""
        return f"{self.templates}/{name}_{self.numbers[0].replace('.', '_')}.xml"
