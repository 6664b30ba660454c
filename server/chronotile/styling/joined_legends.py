"""Legends of several layers as one, below one another."""

import io
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image

from chronotile.model.raster import RgbaPicture
from chronotile.styling.legend_picture import SVG, WHITE, LegendShape, fit_picture

_ID, _FILL = "id", "fill"


def join_pictures(legends: Sequence[bytes], shape: LegendShape) -> RgbaPicture:
    """Return PNG pictures on white, the first above; what is too large for the shape's size is made smaller."""
    images = [Image.open(io.BytesIO(legend)) for legend in legends]  # decoded one by one below
    size = (max(image.width for image in images), sum(image.height for image in images))
    canvas = Image.new("RGB", size, WHITE[:3])
    top = 0
    for image in images:
        canvas.paste(image.convert("RGB"), (0, top))
        top += image.height
        image.close()
    canvas = fit_picture(canvas, shape)
    pixels = np.full((canvas.height, canvas.width, 4), 255, dtype=np.uint8)
    pixels[..., :3] = np.asarray(canvas)
    return RgbaPicture(pixels)


def join_svg(legends: Sequence[bytes], shape: LegendShape) -> bytes:
    """Return SVG documents as one of the same size as the picture, the first above."""
    roots = [ET.fromstring(legend) for legend in legends]  # noqa: S314 -- `legend_svg` wrote them
    heights = [int(root.attrib["height"]) for root in roots]
    width, height = max(int(root.attrib["width"]) for root in roots), sum(heights)
    size = {"width": str(shape.width or width), "height": str(shape.height or height)}
    seen = (max(shape.width or 0, width), max(shape.height or 0, height))
    view = {"viewBox": f"0 0 {seen[0]} {seen[1]}", "preserveAspectRatio": "xMinYMin"}
    joined = ET.Element("svg", {"xmlns": SVG, **size, **view})
    ET.SubElement(joined, "rect", {"width": "100%", "height": "100%", _FILL: WHITE.hex})
    for number, root in enumerate(roots):
        _make_part(root, f"legend{number}-")
        root.set("y", str(sum(heights[:number])))
        joined.append(root)
    document: bytes = ET.tostring(joined, encoding="utf-8", xml_declaration=True)
    return document


def _make_part(root: ET.Element, prefix: str) -> None:
    """Ids and the namespace are those of the whole document."""
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        if _ID in element.attrib:
            element.set(_ID, prefix + element.attrib[_ID])
        if element.attrib.get(_FILL, "").startswith("url(#"):
            element.set(_FILL, element.attrib[_FILL].replace("url(#", f"url(#{prefix}"))
