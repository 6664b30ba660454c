"""Documents of all versions, from templates, and files behind one that names them."""

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
    """Return a document about the coverages that `find` gives, but those without longitudes and latitudes."""
    return render_xml(
        template,
        service=services.catalogue.service,
        coverages=[each for each in find() if each.box is not None],
        text=partial(text_in, language=language),
        instant=format_instant,
        in_axis_order=in_axis_order,
        urn=urn,
        **values,
    )


BOUNDARY = "chronotile-2b9e41d7c05f4a6e93d8"
"""Between the parts of an answer: the same in all, so that equal answers are equal bytes."""


def in_parts(file: CoverageFormat, media_type: str, manifest: Callable[[Coverage, str], bytes]) -> CoverageFormat:
    """Return the format that has a document and a file of another format (RFC 2387).

    As OGC 07-067r5 §10.3.2 and GMLCOV 1.0 §8.3 have it.

    Args:
        file: The other format, which is not streamed.
        media_type: Of the document.
        manifest: Makes it, for a coverage and the name of the file.
    """

    def encode(coverage: Coverage, is_active: IsActive) -> Body:
        body = file.encode(coverage, is_active)
        assert isinstance(body, SizedBody)  # noqa: S101 -- as said
        name = coverage_file_name(coverage, file.extension)
        before = f"--{BOUNDARY}\r\nContent-Type: {media_type}\r\nContent-ID: <manifest>\r\n\r\n"
        between = (
            f"\r\n--{BOUNDARY}\r\nContent-Type: {file.media_type}\r\nContent-ID: <{name}>\r\n"
            f'Content-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
        )
        # Padding behind the end (RFC 2046 §5.1.1): without a byte there QGIS warns of a third part.
        behind = f"\r\n--{BOUNDARY}-- "
        head = before.encode() + manifest(coverage, name) + between.encode()
        return JoinedBody([BytesBody(head), body, BytesBody(behind.encode())])

    # The boundary last: QGIS takes what follows it for a part of it.
    whole = f'multipart/related; type="{media_type}"; start="<manifest>"; boundary="{BOUNDARY}"'
    return CoverageFormat(whole, "mime", encode, file.check)
