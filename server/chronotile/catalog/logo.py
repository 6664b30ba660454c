"""Logo of the service: a small local picture, shown by the viewer in front of the title."""

import re
from dataclasses import dataclass
from pathlib import Path

from chronotile.core.errors import UnknownPath

MAX_LOGO_BYTES = 200_000
_FIRST_BYTES = re.compile(rb"(?P<png>\x89PNG\r\n\x1a\n)|(?P<jpeg>\xff\xd8\xff)|(?P<webp>RIFF....WEBP)", re.DOTALL)
"""One group for each accepted format."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture for the header of the viewer."""

    body: bytes
    format: str
    """`png`, `jpeg` or `webp`: end of its media type and suffix of its URL."""

    @property
    def media_type(self) -> str:
        """Media type for browsers."""
        return f"image/{self.format}"


def read_logo(path: Path) -> Logo:
    """Return the logo; its first bytes decide its format, not its name.

    SVG is refused: it can contain scripts, which run if a user opens the picture alone.

    Raises:
        UnknownPath: The file is missing, too large, or not a picture of an accepted format.
    """
    if not path.is_file():  # also refuses devices and pipes, which might never end
        raise UnknownPath("the file of the logo is missing")
    try:
        with path.open("rb") as file:
            body = file.read(MAX_LOGO_BYTES + 1)
    except OSError as error:
        raise UnknownPath("the file of the logo cannot be read") from error
    if len(body) > MAX_LOGO_BYTES:
        raise UnknownPath(f"the file of the logo is too large; at most {MAX_LOGO_BYTES} bytes are accepted")
    start = _FIRST_BYTES.match(body)
    if start is None or start.lastgroup is None:
        raise UnknownPath("the file of the logo is not a picture in PNG, JPEG or WebP; other formats are not accepted")
    return Logo(body, start.lastgroup)
