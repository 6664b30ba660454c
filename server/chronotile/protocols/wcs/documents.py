"""XML documents of all versions, and multipart answers: a document followed by the file that it names."""

from collections.abc import Callable, Iterable
from functools import partial

from chronotile.core.cancellation import IsActive
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.time.instants import format_instant
from chronotile.pipeline.coverage.deliver import CoverageFormat, coverage_file_name
from chronotile.pipeline.encoders.bodies import Body, BytesBody, JoinedBody, SizedBody
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.crs_names import urn
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.crs import in_axis_order
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wcs.coverages import WcsCoverage


def document(
    template: str, find: Callable[[], Iterable[WcsCoverage]], services: Services, language: str, **values: object
) -> bytes:
    """Return a document about the coverages from `find`; coverages without longitudes and latitudes are skipped."""
    return render_xml(
        template,
        service=services.catalogue.service,
        coverages=[coverage for coverage in find() if coverage.box is not None],
        text=partial(text_in, language=language),
        instant=format_instant,
        in_axis_order=in_axis_order,
        urn=urn,
        **values,
    )


BOUNDARY = "chronotile-2b9e41d7c05f4a6e93d8"
"""Separates the parts of an answer. A constant, so that equal answers have equal bytes."""


def multipart_format(
    file: CoverageFormat, media_type: str, manifest: Callable[[Coverage, str], bytes]
) -> CoverageFormat:
    """Return a format whose answer is a document followed by a file of another format (RFC 2387).

    OGC 07-067r5 §10.3.2 and GMLCOV 1.0 §8.3 define the order of the parts.

    Args:
        file: Format of the file, which is not streamed.
        media_type: Media type of the document.
        manifest: Makes the document from a coverage and the name of the file.
    """

    def encode(coverage: Coverage, is_active: IsActive) -> Body:
        body = file.encode(coverage, is_active)
        assert isinstance(body, SizedBody)  # noqa: S101 -- `file` is not streamed
        name = coverage_file_name(coverage, file.extension)
        before = f"--{BOUNDARY}\r\nContent-Type: {media_type}\r\nContent-ID: <manifest>\r\n\r\n"
        between = (
            f"\r\n--{BOUNDARY}\r\nContent-Type: {file.media_type}\r\nContent-ID: <{name}>\r\n"
            f'Content-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
        )
        # Padding after the end (RFC 2046 §5.1.1): without it QGIS warns of a third part.
        behind = f"\r\n--{BOUNDARY}-- "
        head = before.encode() + manifest(coverage, name) + between.encode()
        return JoinedBody([BytesBody(head), body, BytesBody(behind.encode())])

    # The boundary comes last: QGIS reads the rest of the line as part of it.
    whole = f'multipart/related; type="{media_type}"; start="<manifest>"; boundary="{BOUNDARY}"'
    return CoverageFormat(whole, "mime", encode, file.check)
