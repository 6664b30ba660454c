"""Files of WCS 1.1: behind a document that names them (OGC 07-067r5 §9.3.2, RFC 2387)."""

from collections.abc import Mapping

from chronotile.core.model.coverage import Coverage
from chronotile.core.model.request import IsActive
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, CoverageFormat, coverage_file_name
from chronotile.pipeline.encoders.file_parts import Body, Joined, SizedBody, Whole
from chronotile.protocols.common.xml import render_xml

TEMPLATE = "wcs/v1/templates/coverages_1_1_1.xml"
BOUNDARY = "chronotile-2b9e41d7c05f4a6e93d8"
"""Between the parts of an answer: the same in all, so that equal answers are equal bytes."""
MEDIA_TYPE = f'multipart/related; type="text/xml"; start="<manifest>"; boundary="{BOUNDARY}"'
"""The boundary last: QGIS takes what follows it for a part of it."""


def formats_in_parts(name: str) -> Mapping[str, CoverageFormat]:
    """Return the format that has a document and a file of another format, under that format's name."""
    file = COVERAGE_FORMATS[name]

    def encode(coverage: Coverage, is_active: IsActive) -> Body:
        body = file.encode(coverage, is_active)
        assert isinstance(body, SizedBody)  # noqa: S101 -- none of `FORMATS` is streamed
        file_name = coverage_file_name(coverage, file.extension)
        manifest = render_xml(TEMPLATE, file_name=file_name, media_type=file.media_type)
        headers = (
            f"\r\n--{BOUNDARY}\r\nContent-Type: {file.media_type}\r\nContent-ID: <{file_name}>\r\n"
            f'Content-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename="{file_name}"\r\n\r\n'
        )
        before = f"--{BOUNDARY}\r\nContent-Type: text/xml\r\nContent-ID: <manifest>\r\n\r\n".encode()
        # Padding behind the end (RFC 2046 §5.1.1): without a byte there QGIS warns of a third part.
        behind = f"\r\n--{BOUNDARY}-- ".encode()
        return Joined([Whole(before + manifest + headers.encode()), body, Whole(behind)])

    return {f"manifest {name}": CoverageFormat(MEDIA_TYPE, "mime", encode, file.check)}
