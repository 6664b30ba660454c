"""The documents of WCS 1.x, from templates: what they say of coverages, and in 1.1 the one that names a file."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from chronotile.core.model.coverage import Coverage, CoverageField
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import BBox, Grid
from chronotile.core.model.request import IsActive
from chronotile.core.model.time.instants import format_instant
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, CoverageFormat, coverage_file_name
from chronotile.pipeline.coverage.extract import coverage_field
from chronotile.pipeline.encoders.file_parts import Body, Joined, SizedBody, Whole
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import geographic_box, urn
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.crs import accepted_crs
from chronotile.protocols.common.query.place import in_axis_order
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wcs.coverages import WcsCoverage


@dataclass(frozen=True)
class Entry:
    """A coverage as documents have it."""

    coverage: WcsCoverage
    services: Services
    box: BBox
    """In CRS84."""

    @property
    def crs(self) -> tuple[Crs, ...]:
        """Those that requests may name, each with a code; the native one first."""
        accepted = accepted_crs(self.coverage.layer, self.services.catalogue)
        return tuple(crs for crs in dict.fromkeys((self.coverage.crs, *accepted)) if crs.uri)

    @property
    def fields(self) -> Mapping[str, CoverageField]:
        """By their names."""
        return {name: coverage_field(layer) for name, layer in self.coverage.fields.items()}

    @cached_property
    def grid(self) -> Grid:
        """All cells, in the native CRS."""
        return self.coverage.grid(self.services)


def document(
    template: str, find: Callable[[], Iterable[WcsCoverage]], services: Services, language: str, **values: object
) -> bytes:
    """Return a document about the coverages that `find` gives, but those without longitudes and latitudes."""
    located = [(each, geographic_box(each.layer.main_variable.grid)) for each in find()]
    return render_xml(
        template,
        service=services.catalogue.service,
        entries=[Entry(each, services, box) for each, box in located if box is not None],
        text=partial(text_in, language=language),
        instant=format_instant,
        in_axis_order=in_axis_order,
        urn=urn,
        **values,
    )


# Files of WCS 1.1, behind a document that names them (OGC 07-067r5 §10.3.2, RFC 2387).

MANIFEST = "wcs/v1/templates/coverages_1_1_1.xml"
BOUNDARY = "chronotile-2b9e41d7c05f4a6e93d8"
"""Between the parts of an answer: the same in all, so that equal answers are equal bytes."""
MULTIPART = f'multipart/related; type="text/xml"; start="<manifest>"; boundary="{BOUNDARY}"'
"""The boundary last: QGIS takes what follows it for a part of it."""


def formats_in_parts(name: str) -> Mapping[str, CoverageFormat]:
    """Return the format that has a document and a file of another format, under that format's name."""
    file = COVERAGE_FORMATS[name]

    def encode(coverage: Coverage, is_active: IsActive) -> Body:
        body = file.encode(coverage, is_active)
        assert isinstance(body, SizedBody)  # noqa: S101 -- none of `FORMATS` is streamed
        file_name = coverage_file_name(coverage, file.extension)
        manifest = render_xml(MANIFEST, file_name=file_name, media_type=file.media_type)
        headers = (
            f"\r\n--{BOUNDARY}\r\nContent-Type: {file.media_type}\r\nContent-ID: <{file_name}>\r\n"
            f'Content-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename="{file_name}"\r\n\r\n'
        )
        before = f"--{BOUNDARY}\r\nContent-Type: text/xml\r\nContent-ID: <manifest>\r\n\r\n".encode()
        # Padding behind the end (RFC 2046 §5.1.1): without a byte there QGIS warns of a third part.
        behind = f"\r\n--{BOUNDARY}-- ".encode()
        return Joined([Whole(before + manifest + headers.encode()), body, Whole(behind)])

    return {f"manifest {name}": CoverageFormat(MULTIPART, "mime", encode, file.check)}
