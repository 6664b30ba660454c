"""Error pictures: a message instead of the picture that an error prevents."""

from dataclasses import dataclass

from chronotile.core.errors import require_at_most
from chronotile.core.model.formats import PictureFormat
from chronotile.pipeline.encoders.picture.picture import encode_picture
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.message_picture import message_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRequest:
    """A picture with a text."""

    text: str
    """Empty for a blank picture."""
    width: int
    height: int
    format: PictureFormat
    background: tuple[int, int, int] | None
    """As in `MapRequest`."""


def draw_message(request: MessageRequest, services: Services) -> bytes:
    """Return an encoded picture of a text.

    Raises:
        LimitExceeded: The picture has more pixels than a map may have.
        UnsupportedFormat: The format does not support pictures of this size.
    """
    allowed = services.catalogue.limits.max_pixels
    require_at_most("max_pixels", request.width * request.height, allowed, alternative="request a smaller picture")
    picture = message_picture(request.text, width=request.width, height=request.height)
    return encode_picture(picture, request.format, background=request.background)
