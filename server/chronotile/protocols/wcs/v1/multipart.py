"""An answer of WCS 1.1: a document that names the file, and the file (OGC 07-067r5 §9.3.2, RFC 2387)."""

from collections.abc import Iterator
from dataclasses import dataclass

from starlette.responses import Response

from chronotile.http.bodies import BodyResponse
from chronotile.pipeline.coverage.deliver import CoverageDelivery
from chronotile.pipeline.encoders.file_parts import Body
from chronotile.protocols.common.coverage_files import respond_with_file
from chronotile.protocols.common.xml import render_xml

TEMPLATE = "wcs/v1/templates/coverages_1_1_1.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class InParts:
    """A body with what stands before and behind it."""

    before: bytes
    body: Body
    behind: bytes

    @property
    def size(self) -> int | None:
        """In bytes; `None` if it is unknown before the end."""
        return None if self.body.size is None else len(self.before) + self.body.size + len(self.behind)

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""
        yield self.before
        yield from self.body.iter_bytes()
        yield self.behind

    def close(self) -> None:
        """Let the body go."""
        self.body.close()


def respond_with_manifest(delivery: CoverageDelivery) -> Response:
    """Return the answer that carries a file behind the document that names it."""
    plain = respond_with_file(delivery)
    if delivery.unchanged:
        return plain
    boundary = f"coverage-{delivery.etag}"
    manifest = render_xml(TEMPLATE, file_name=delivery.file_name, media_type=delivery.media_type)
    before = (
        f"--{boundary}\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <manifest>\r\n\r\n"
        f"{manifest.decode()}\r\n"
        f"--{boundary}\r\nContent-Type: {delivery.media_type}\r\nContent-ID: <{delivery.file_name}>\r\n"
        f'Content-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename="{delivery.file_name}"\r\n\r\n'
    )
    # Padding behind the end (RFC 2046 §5.1.1): without a byte there QGIS warns of a third part.
    body = InParts(before=before.encode(), body=delivery.body, behind=f"\r\n--{boundary}-- ".encode())
    left_out = {"content-type", "content-disposition", "content-length", "accept-ranges"}
    headers = {name: value for name, value in plain.headers.items() if name not in left_out}
    # The boundary last: QGIS takes all that follows it for a part of it.
    media_type = f'multipart/related; type="text/xml"; start="<manifest>"; boundary="{boundary}"'
    return BodyResponse(body, media_type=media_type, headers=headers)
