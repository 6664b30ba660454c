"""Pictures for `service.logo`."""

import io

from PIL import Image


def logo_bytes(kind: str = "PNG", size: tuple[int, int] = (120, 40)) -> bytes:
    """Return a green picture in a format of PIL."""
    file = io.BytesIO()
    Image.new("RGB", size, "#0a6b3b").save(file, kind)
    return file.getvalue()
