"""Legends as pictures: title, units, a bar with ticks or one swatch per class, then flags and nodata.

One layout gives the size, the pixels and the SVG, so that an advertised size is the real one.
"""

import io
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image, ImageDraw

from chronotile.core.errors import require_at_most
from chronotile.core.model.picture import RgbaPicture
from chronotile.core.model.style import Colour, Style
from chronotile.pipeline.styling.colours import colours_of_values
from chronotile.pipeline.styling.glyphs import drawable, font_of, printable, text_width, wrap_text
from chronotile.pipeline.styling.legend import number_text, tick_values

MARGIN_PX = 8
TEXT_PX = 12
BETWEEN_LINES_PX = 4
BAR_WIDTH_PX = 18
BAR_HEIGHT_PX = 160
TICK_PX = 4
SWATCH_PX = 12
ACROSS_PX = 480
"""Width of lines of swatches in a horizontal legend."""
SHORTEST_BAR_PX = 40
TITLE_LETTERS = 32
"""Maximum number of letters per line of the title."""
MAX_PIXELS = 4_194_304
"""Maximum size of a legend, however large the requested letters, swatches and scale are."""
NO_UNITS = ("", "1")
WHITE = Colour(255, 255, 255)
INK = Colour(32, 32, 32)
FONT_FAMILY = "Helvetica, Arial, sans-serif"
SVG = "http://www.w3.org/2000/svg"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendShape:
    """Direction and sizes of a legend."""

    is_horizontal: bool = False
    width: int | None = None
    """Pixels; `None` for the natural width."""
    height: int | None = None
    swatch: tuple[int, int] = (SWATCH_PX, SWATCH_PX)
    """Width and height of the colour of a class, in pixels."""
    bar_px: int = BAR_WIDTH_PX
    """Thickness of the bar of a ramp."""
    text_px: int = TEXT_PX
    """Size of the letters; those of the title are one pixel larger."""
    scale: float = 1.0
    """Magnification, for screens and printers with more pixels per inch."""

    @property
    def line_px(self) -> int:
        """Distance of lines of text."""
        return self.text_px + BETWEEN_LINES_PX


UPRIGHT = LegendShape()


def legend_size(style: Style, *, title: str, units: str, shape: LegendShape = UPRIGHT) -> tuple[int, int]:
    """Return width and height of a legend in pixels, before it is reduced to the maximum size of its shape."""
    layout = _lay_out(style, title, units, shape)
    return layout.width, layout.height


def check_pixels(width: int, height: int) -> None:
    """Check the size of a picture of legends.

    Raises:
        LimitExceeded: It has more than `MAX_PIXELS`.
    """
    alternative = "use smaller letters or swatches, fewer dots per inch, or image/svg+xml"
    limit, locator = "pixels of a legend", "legend_options"
    require_at_most(limit, width * height, MAX_PIXELS, alternative=alternative, locator=locator)


def legend_picture(style: Style, *, title: str, units: str, shape: LegendShape = UPRIGHT) -> RgbaPicture:
    """Return the legend on white; if it is too large for the size of its shape, it is reduced.

    Raises:
        LimitExceeded: It has more than `MAX_PIXELS` because of its classes, letters or swatches.
    """
    layout = _lay_out(style, title, units, shape)
    check_pixels(layout.width, layout.height)
    image = Image.new("RGB", (layout.width, layout.height), WHITE[:3])
    draw = ImageDraw.Draw(image)
    for box in layout.boxes:
        _draw_box(draw, box)
    for text in layout.texts:
        draw.text((text.x, text.y), drawable(text.text), font=font_of(text.size), fill=INK[:3], anchor="lm")
    return _fit(image, shape)


def _fit(image: Image.Image, shape: LegendShape) -> RgbaPicture:
    """Return the picture in the size of a shape, in the north-west of white, reduced if it does not fit."""
    width, height = shape.width or image.width, shape.height or image.height
    if (width, height) != image.size:
        fraction = min(1.0, width / image.width, height / image.height)
        if fraction < 1:
            image = image.resize((max(1, int(image.width * fraction)), max(1, int(image.height * fraction))))
        canvas = Image.new("RGB", (width, height), WHITE[:3])
        canvas.paste(image, (0, 0))
        image = canvas
    pixels = np.full((height, width, 4), 255, dtype=np.uint8)
    pixels[..., :3] = np.asarray(image)
    return RgbaPicture(pixels)


def legend_svg(style: Style, *, title: str, units: str, shape: LegendShape = UPRIGHT) -> bytes:
    """Return the legend on white as an SVG document of the same size."""
    layout = _lay_out(style, title, units, shape)
    width, height = shape.width or layout.width, shape.height or layout.height
    view = (max(width, layout.width), max(height, layout.height))
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {view[0]} {view[1]}"}
    size["preserveAspectRatio"] = "xMinYMin"
    root = ET.Element("svg", {"xmlns": SVG, **size, "font-family": FONT_FAMILY})
    ET.SubElement(root, "title").text = printable(title)
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": WHITE.hex})
    for number, box in enumerate(layout.boxes):
        _write_box(root, box, f"ramp{number}")
    for text in layout.texts:
        place = {"x": str(text.x), "y": str(text.y), "font-size": str(text.size), "dominant-baseline": "central"}
        fitted = {"textLength": str(text.width), "lengthAdjust": "spacingAndGlyphs", "fill": INK.hex}
        ET.SubElement(root, "text", place | fitted).text = printable(text.text)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


@dataclass(frozen=True, slots=True)
class _TextLine:
    """A line of text; `y` is its vertical middle."""

    x: int
    y: int
    text: str
    size: int

    @property
    def width(self) -> int:
        return text_width(self.text, self.size)


@dataclass(frozen=True, slots=True)
class _Box:
    """A rectangle with a border and a colour, or with a ramp from bottom to top."""

    x: int
    y: int
    width: int
    height: int
    colour: Colour = INK
    ramp: Style | None = None
    is_across: bool = False
    """Whether the ramp is drawn from left to right."""

    def scale_by(self, scale: float) -> "_Box":
        """Return the box scaled, with at least one pixel."""
        x, y = round(self.x * scale), round(self.y * scale)
        right, foot = round((self.x + self.width) * scale), round((self.y + self.height) * scale)
        return replace(self, x=x, y=y, width=max(1, right - x), height=max(1, foot - y))


@dataclass(slots=True)
class _LegendLayout:
    """Texts and boxes, added from top to bottom; `y` is the top of the next line."""

    shape: LegendShape
    texts: list[_TextLine] = field(default_factory=list)
    boxes: list[_Box] = field(default_factory=list)
    y: int = MARGIN_PX
    margin: int = MARGIN_PX

    @property
    def width(self) -> int:
        rights = [text.x + text.width for text in self.texts] + [box.x + box.width for box in self.boxes]
        return max(rights, default=0) + self.margin

    @property
    def height(self) -> int:
        return self.y + self.margin

    @property
    def swatch_line(self) -> int:
        """Distance of swatches below each other."""
        return max(self.shape.line_px, self.shape.swatch[1] + BETWEEN_LINES_PX)

    def scale_by(self, scale: float) -> "_LegendLayout":
        """Return the layout scaled; sizes of letters are rounded to pixels."""
        return _LegendLayout(
            shape=self.shape,
            texts=[
                replace(text, x=round(text.x * scale), y=round(text.y * scale), size=max(1, round(text.size * scale)))
                for text in self.texts
            ],
            boxes=[box.scale_by(scale) for box in self.boxes],
            y=round(self.y * scale),
            margin=round(self.margin * scale),
        )

    def add_line(self, text: str, size: int) -> None:
        self.texts.append(_TextLine(MARGIN_PX, self.y + self.shape.line_px // 2, text, size))
        self.y += self.shape.line_px

    def add_swatch(self, colour: Colour, label: str) -> None:
        self._add_swatch_at(MARGIN_PX, colour, label)
        self.y += self.swatch_line

    def _add_swatch_at(self, x: int, colour: Colour, label: str) -> None:
        middle, (width, height) = self.y + self.swatch_line // 2, self.shape.swatch
        self.boxes.append(_Box(x, middle - height // 2, width, height, colour))
        self.texts.append(_TextLine(x + width + 6, middle, label, self.shape.text_px))

    def add_bar(self, style: Style, length: int) -> None:
        """Add a vertical bar with labels; a label that would touch the previous one is omitted."""
        top, right = self.y + self.shape.line_px // 2, MARGIN_PX + self.shape.bar_px
        self.boxes.append(_Box(MARGIN_PX, top, self.shape.bar_px, length, ramp=style))
        for position, value in _ticks(style, [self.shape.text_px / length] * len(tick_values(style))):
            offset = round((1 - position) * (length - 1))
            self.boxes.append(_Box(right, top + offset, TICK_PX, 1))
            self.texts.append(_TextLine(right + TICK_PX + 4, top + offset, number_text(value), self.shape.text_px))
        self.y = top + length + self.shape.line_px // 2

    def add_bar_across(self, style: Style, length: int) -> None:
        """Add a horizontal bar with labels below it."""
        foot, size, line = self.y + self.shape.bar_px, self.shape.text_px, self.shape.line_px
        self.boxes.append(_Box(MARGIN_PX, self.y, length, self.shape.bar_px, ramp=style, is_across=True))
        widths = [text_width(number_text(value), size) for value in sorted(tick_values(style))]
        for position, value in _ticks(style, [(width + TICK_PX) / length for width in widths]):
            x, label = MARGIN_PX + round(position * (length - 1)), number_text(value)
            self.boxes.append(_Box(x, foot, 1, TICK_PX))
            width = text_width(label, size)
            label_x = min(max(MARGIN_PX, x - width // 2), max(MARGIN_PX, MARGIN_PX + length - width))
            self.texts.append(_TextLine(label_x, foot + TICK_PX + line // 2, label, size))
        self.y = foot + TICK_PX + line

    def add_swatches_across(self, swatches: Iterable[tuple[Colour, str]], max_px: int) -> None:
        """Add swatches next to each other, in lines of at most `max_px` pixels."""
        x = MARGIN_PX
        for colour, label in swatches:
            width = self.shape.swatch[0] + 6 + text_width(drawable(label), self.shape.text_px)
            if x > MARGIN_PX and x + width > max_px:
                x, self.y = MARGIN_PX, self.y + self.swatch_line
            self._add_swatch_at(x, colour, label)
            x += width + MARGIN_PX
        self.y += self.swatch_line if x > MARGIN_PX else 0


def _lay_out(style: Style, title: str, units: str, shape: LegendShape) -> _LegendLayout:
    """Lay out a legend; if a size is requested, the bar is as long as the rest allows."""
    length = BAR_HEIGHT_PX
    requested = shape.width if shape.is_horizontal else shape.height
    if requested is not None and not style.is_categorical:
        natural = _lay_out_lines(style, title, units, shape)
        other_px = 2 * MARGIN_PX if shape.is_horizontal else natural.height - length
        length = max(SHORTEST_BAR_PX, round(requested / shape.scale) - other_px)
    layout = _lay_out_lines(style, title, units, shape, length=length)
    return layout if shape.scale == 1 else layout.scale_by(shape.scale)


def _lay_out_lines(
    style: Style, title: str, units: str, shape: LegendShape, *, length: int = BAR_HEIGHT_PX
) -> _LegendLayout:
    layout = _LegendLayout(shape)
    across = min(ACROSS_PX, ACROSS_PX if shape.width is None else round(shape.width / shape.scale)) - MARGIN_PX
    title_px = shape.text_px + 1
    for line in _title_lines(title, across if shape.is_horizontal else ACROSS_PX, title_px):
        layout.add_line(line, title_px)
    if units not in NO_UNITS:
        layout.add_line(units, shape.text_px)
    if not style.is_categorical:
        (layout.add_bar_across if shape.is_horizontal else layout.add_bar)(style, length)
    if shape.is_horizontal:
        layout.add_swatches_across(_swatches(style), across)
        return layout
    for colour, label in _swatches(style):
        layout.add_swatch(colour, label)
    return layout


def _title_lines(title: str, max_px: int, size: int) -> list[str]:
    lines = textwrap.wrap(title, TITLE_LETTERS)
    return [line for long_line in lines for line in wrap_text(long_line, size, max_px - MARGIN_PX)]


def _swatches(style: Style) -> Iterator[tuple[Colour, str]]:
    """Yield the distinct classes, then the visible colours of values outside the range, of flags and of nodata."""
    yield from dict.fromkeys((entry.colour, entry.label or number_text(entry.value)) for entry in style.classes)
    if style.ramp:
        low, high = style.range
        if style.above.alpha and style.above != style.ramp[-1].colour:
            yield style.above, f"> {number_text(high)}"
        if style.below.alpha and style.below != style.ramp[0].colour:
            yield style.below, f"< {number_text(low)}"
    yield from ((colour, name) for name, colour in style.flags if colour.alpha)
    if style.nodata.alpha:
        yield style.nodata, "no data"


def _ticks(style: Style, distances: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Yield position and value of the ticks inside the range that do not touch; positions are fractions of the bar.

    Args:
        style: The style.
        distances: Minimum distance of each tick from the previous one, as a fraction of the bar, by ascending value.
    """
    low, high = style.range
    previous = -math.inf
    for value, distance in zip(sorted(tick_values(style)), distances, strict=True):
        position = (value - low) / ((high - low) or 1.0)
        if low <= value <= high and position - previous >= distance:
            previous = position
            yield position, value


def _draw_box(draw: ImageDraw.ImageDraw, box: _Box) -> None:
    right, foot = box.x + box.width - 1, box.y + box.height - 1
    if box.ramp is None:
        draw.rectangle((box.x, box.y, right, foot), fill=_blend_with_white(box.colour), outline=INK[:3])
        return
    low, high = box.ramp.range
    if box.is_across:
        colours = colours_of_values(box.ramp, np.linspace(low, high, box.width)).tolist()
        for x, colour in enumerate(colours, start=box.x):
            draw.line((x, box.y, x, foot), fill=_blend_with_white(Colour(*colour)))
    else:
        colours = colours_of_values(box.ramp, np.linspace(high, low, box.height)).tolist()
        for y, colour in enumerate(colours, start=box.y):
            draw.line((box.x, y, right, y), fill=_blend_with_white(Colour(*colour)))
    draw.rectangle((box.x, box.y, right, foot), outline=INK[:3])


def _blend_with_white(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 + (band - 255) * colour.alpha / 255) for band in colour[:3])
    return red, green, blue


def _write_box(root: ET.Element, box: _Box, ramp_id: str) -> None:
    place = {"x": str(box.x), "y": str(box.y), "width": str(box.width), "height": str(box.height)}
    frame = {"stroke": INK.hex} if min(box.width, box.height) > 1 else {}
    if box.ramp is not None:
        _write_ramp(root, box, box.ramp, ramp_id)
        ET.SubElement(root, "rect", place | frame | {"fill": f"url(#{ramp_id})"})
    else:
        ET.SubElement(root, "rect", place | frame | _paint("fill", box.colour))


def _write_ramp(root: ET.Element, box: _Box, style: Style, ramp_id: str) -> None:
    low, high = style.range
    end = (
        {"x1": "0", "x2": "1", "y1": "0", "y2": "0"} if box.is_across else {"x1": "0", "x2": "0", "y1": "1", "y2": "0"}
    )
    gradient = ET.SubElement(root, "linearGradient", {"id": ramp_id} | end)
    for stop in style.ramp:
        offset = (stop.value - low) / ((high - low) or 1.0)
        ET.SubElement(gradient, "stop", {"offset": number_text(offset)} | _paint("stop", stop.colour))


def _paint(kind: str, colour: Colour) -> dict[str, str]:
    name = "stop-color" if kind == "stop" else kind
    return {name: Colour(*colour[:3]).hex, f"{kind}-opacity": number_text(round(colour.alpha / 255, 4))}


# Legends of several layers below each other.

_ID, _FILL = "id", "fill"


def join_pictures(legends: Sequence[bytes], shape: LegendShape) -> RgbaPicture:
    """Join PNG pictures on white, the first at the top; reduced if they are too large for the size of the shape."""
    images = [Image.open(io.BytesIO(legend)) for legend in legends]  # decoded one by one below
    size = (max(image.width for image in images), sum(image.height for image in images))
    canvas = Image.new("RGB", size, WHITE[:3])
    top = 0
    for image in images:
        canvas.paste(image.convert("RGB"), (0, top))
        top += image.height
        image.close()
    return _fit(canvas, shape)


def join_svg(legends: Sequence[bytes], shape: LegendShape) -> bytes:
    """Join SVG documents like `join_pictures`, in the same size."""
    roots = [ET.fromstring(legend) for legend in legends]  # noqa: S314 -- `legend_svg` wrote them
    heights = [int(root.attrib["height"]) for root in roots]
    width, height = max(int(root.attrib["width"]) for root in roots), sum(heights)
    size = {"width": str(shape.width or width), "height": str(shape.height or height)}
    view_size = (max(shape.width or 0, width), max(shape.height or 0, height))
    view = {"viewBox": f"0 0 {view_size[0]} {view_size[1]}", "preserveAspectRatio": "xMinYMin"}
    joined = ET.Element("svg", {"xmlns": SVG, **size, **view})
    ET.SubElement(joined, "rect", {"width": "100%", "height": "100%", _FILL: WHITE.hex})
    for number, root in enumerate(roots):
        _make_part(root, f"legend{number}-")
        root.set("y", str(sum(heights[:number])))
        joined.append(root)
    return bytes(ET.tostring(joined, encoding="utf-8", xml_declaration=True))


def _make_part(root: ET.Element, prefix: str) -> None:
    """Make a document a part of another: without a namespace, and with distinct ids."""
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        if _ID in element.attrib:
            element.set(_ID, prefix + element.attrib[_ID])
        if element.attrib.get(_FILL, "").startswith("url(#"):
            element.set(_FILL, element.attrib[_FILL].replace("url(#", f"url(#{prefix}"))
