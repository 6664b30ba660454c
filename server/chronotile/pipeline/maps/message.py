"""Show me what went wrong: an error in place of the picture that it prevents."""

from dataclasses import dataclass

from chronotile.encoders.picture.picture import encode_picture
from chronotile.errors import LimitExceeded
from chronotile.model.request import PictureFormat
from chronotile.pipeline.services import Services
from chronotile.styling.message import message_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRequest:
    """A picture of a text, or of nothing."""

    text: str
    """Empty for nothing."""
    width: int
    height: int
    format: PictureFormat
    background: tuple[int, int, int] | None
    """As of a map."""


def draw_message(request: MessageRequest, services: Services) -> bytes:
    """Return the picture.

    Raises:
        LimitExceeded: It has more pixels than a map may have.
        UnsupportedFormat: The format cannot hold a picture of that size.
    """
    allowed = services.catalogue.limits.max_pixels
    if request.width * request.height > allowed:
        raise LimitExceeded(
            "max_pixels",
            allowed=allowed,
            needed=request.width * request.height,
            alternative="request a smaller picture",
        )
    picture = message_picture(request.text, width=request.width, height=request.height)
    return encode_picture(picture, request.format, background=request.background)
