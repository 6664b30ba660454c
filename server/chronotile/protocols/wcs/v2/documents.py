"""The documents of WCS 2.0.1: capabilities (OGC 09-110r4 §8.2) and descriptions of coverages (§8.3)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from lxml.builder import ElementMaker

from chronotile.core.errors import require_at_most
from chronotile.core.model.crs import CRS84
from chronotile.core.model.grid import BBox
from chronotile.pipeline.coverage.extract import coverage_field
from chronotile.pipeline.encoders.coverage import gml
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import DECIMALS, geographic_box, update_sequence
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.axes import INTERPOLATION_URI
from chronotile.protocols.common.query.place import in_axis_order
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wcs.coverages import WcsCoverage, offered_coverages
from chronotile.protocols.wcs.v2.params import ADVERTISED_INTERPOLATIONS, FORMATS, NATIVE

TEMPLATE = "wcs/v2/templates/capabilities.xml"
MEDIA_TYPE = "application/xml"
VERSION = "2.0.1"
SECTIONS = ("ServiceIdentification", "ServiceProvider", "OperationsMetadata", "ServiceMetadata", "Contents")
PROFILES = tuple(
    f"http://www.opengis.net/spec/{name}"
    for name in (
        "WCS/2.0/conf/core",
        "WCS_protocol-binding_get-kvp/1.0/conf/get-kvp",
        "WCS_protocol-binding_post-xml/1.0/conf/post-xml",
        "WCS_service-extension_crs/1.0/conf/crs",
        "WCS_service-extension_scaling/1.0/conf/scaling",
        "WCS_service-extension_interpolation/1.0/conf/interpolation",
        "WCS_service-extension_range-subsetting/1.0/conf/record-subsetting",
        "GMLCOV_geotiff-coverages/1.0/conf/geotiff-coverage",
    )
)
"""Without that of GML, which only small coverages are answered in."""
WCS = {"wcs": "http://www.opengis.net/wcs/2.0"}
SCHEMAS = {WCS["wcs"]: "http://schemas.opengis.net/wcs/2.0/wcsAll.xsd", **gml.SCHEMAS}
MAX_TIMES = 500_000
"""Instants of all coverages that one request describes: a document of 6 MB."""
wcs = ElementMaker(namespace=WCS["wcs"], nsmap=WCS | gml.NAMESPACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A coverage in the capabilities."""

    id: str
    title: str
    abstract: str
    keywords: tuple[str, ...]
    box: BBox | None
    """In CRS84; `None` for data whose grid has no longitudes and latitudes."""
    crs: str
    lower: Sequence[float]
    upper: Sequence[float]
    """Corners in the native CRS, in its axis order."""
    subtype: str


def capabilities(services: Services, base: str, language: str, sections: Collection[str], *, path: str) -> bytes:
    """Return the capabilities, for a base address and in a language; `path` is that of the service."""
    service = services.catalogue.service
    coverages = list(offered_coverages(services.catalogue))
    own = (coverage.crs for coverage in coverages)
    every = dict.fromkeys(crs.uri for crs in (CRS84, *services.catalogue.crs, *own) if crs.uri is not None)
    return render_xml(
        TEMPLATE,
        service=service,
        title=text_in(service.title, language),
        abstract=text_in(service.abstract, language),
        base=base,
        url=f"{base}{path}",
        version=VERSION,
        update_sequence=update_sequence(services),
        profiles=PROFILES,
        sections=sections,
        all_sections=SECTIONS,
        formats=tuple(FORMATS),
        interpolations=[INTERPOLATION_URI + name for name in ADVERTISED_INTERPOLATIONS],
        crs=tuple(every),
        coverages=_summaries(coverages, language) if "Contents" in sections else (),
    )


def _summaries(coverages: Sequence[WcsCoverage], language: str) -> Iterator[Summary]:
    for coverage in coverages:
        offered, native = coverage.offered, coverage.layer.main_variable.grid
        box = geographic_box(native)
        edges = box if native.crs.uri is None else native.bbox
        if edges is None:  # which no CRS with a name describes
            continue
        corners = in_axis_order([round(edge, DECIMALS) for edge in edges], coverage.crs)
        yield Summary(
            id=coverage.id,
            title=text_in(offered.title, language) or offered.id,
            abstract=text_in(offered.abstract, language),
            keywords=offered.keywords,
            box=box,
            crs=str(coverage.crs.uri),
            lower=corners[:2],
            upper=corners[2:],
            subtype="ReferenceableGridCoverage" if coverage.has_time else "RectifiedGridCoverage",
        )


def descriptions(coverages: Sequence[WcsCoverage], services: Services) -> bytes:
    """Return the descriptions of coverages.

    Raises:
        LimitExceeded: They have more than `MAX_TIMES` instants.
    """
    instants = [coverage.instants for coverage in coverages]
    count = sum(each.size for each in instants)
    require_at_most("described times", count, MAX_TIMES, alternative="describe fewer coverages", locator="coverageId")
    document = wcs.CoverageDescriptions()
    for coverage, own in zip(coverages, instants, strict=True):
        domain = gml.domain_of(coverage.grid(services), own)
        description = wcs.CoverageDescription(
            gml.bounded_by(domain),
            wcs.CoverageId(coverage.id),
            gml.coverage_function(domain),
            gml.domain_set(domain, coverage.id),
            gml.range_type(coverage_field(layer) for layer in coverage.fields.values()),
            wcs.ServiceParameters(wcs.CoverageSubtype(domain.subtype), wcs.nativeFormat(NATIVE)),
            gml.id_of(coverage.id),
        )
        document.append(description)
    return gml.serialised(document, SCHEMAS)
