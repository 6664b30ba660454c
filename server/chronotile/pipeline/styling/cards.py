"""Cards on the frames of a time-lapse: date, legend and attribution, each on white with a border.

They are laid out as far apart as possible. A card without enough space is omitted, as half a word is useless.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from chronotile.core.model.animation import FrameCard
from chronotile.core.model.style import TRANSPARENT, Style
from chronotile.core.model.types import ColourArray
from chronotile.pipeline.styling.glyphs import drawable, font_of, text_width, wrap_text
from chronotile.pipeline.styling.legend_picture import NO_UNITS, LegendShape, legend_picture

MARGIN_PX = 8
PADDING_PX = 6
WHITE, INK, FRAME = 255, 32, 176
SHADES = 8
"""Number of greys of letters; each needs a colour of a GIF."""
LEGEND_PART = 2 / 5
"""Width of a legend as a fraction of the frame, and its maximum height as a fraction of the frame."""
NARROWEST_LEGEND_PX, WIDEST_LEGEND_PX = 150, 320


@dataclass(frozen=True, slots=True)
class TextSizes:
    """Sizes of letters in pixels."""

    date: int
    attribution: int


def text_sizes(width: int) -> TextSizes:
    """Return sizes of letters that are legible and do not cover much of a frame of this width in pixels."""
    if width < 480:
        return TextSizes(date=14, attribution=10)
    return TextSizes(date=18, attribution=11) if width < 800 else TextSizes(date=24, attribution=13)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettering:
    """Texts on frames of one size; `None` and empty texts are omitted."""

    width: int
    """Width of frames in pixels."""
    height: int
    dates: tuple[str, ...] = ()
    """Date of each frame."""
    attribution: str | None = None
    legend: Style | None = None
    title: str = ""
    """Title of the legend."""
    units: str = ""


def lay_cards(lettering: Lettering) -> tuple[tuple[FrameCard, ...], tuple[FrameCard, ...]]:
    """Return the cards of all frames, and one more card per frame with its date, if there is space.

    The date is in the north-west, the attribution in the south-east, the legend in the south-west. If it does not fit
    next to the attribution, the legend is above it.
    """
    width, height = lettering.width, lettering.height
    sizes = text_sizes(width)
    dates = _dates(lettering, sizes.date)
    credit = _credit(lettering, sizes.attribution)
    lowest = dates[0].pixels.shape[0] + MARGIN_PX if dates else 0
    fixed = list[FrameCard]()
    if credit is not None and _fits(credit, width, height - lowest):
        fixed.append(_foot_card(credit, lettering, x=width - MARGIN_PX - credit.shape[1]))
    legends = (_legend_card(legend, lettering, lowest, fixed) for legend in _legends(lettering))
    legend = next((card for card in legends if card is not None), None)
    return (*fixed, *([] if legend is None else [legend])), dates


def _legend_card(
    legend: ColourArray, lettering: Lettering, lowest: int, cards: Sequence[FrameCard]
) -> FrameCard | None:
    """Return the legend in the south-west, if there is space between existing cards."""
    space, foot = lettering.width, 0
    for card in cards:
        if legend.shape[1] + card.pixels.shape[1] + 3 * MARGIN_PX <= space:
            space -= card.pixels.shape[1] + MARGIN_PX
        else:
            foot = card.pixels.shape[0] + MARGIN_PX
    height = min(lettering.height - lowest - foot, int(lettering.height * LEGEND_PART) + 2 * MARGIN_PX)
    return _foot_card(legend, lettering, x=MARGIN_PX, above=foot) if _fits(legend, space, height) else None


def _foot_card(pixels: ColourArray, lettering: Lettering, *, x: int, above: int = 0) -> FrameCard:
    return FrameCard(x, lettering.height - MARGIN_PX - above - pixels.shape[0], pixels)


def _fits(pixels: ColourArray, width: int, height: int) -> bool:
    rows, columns = len(pixels), len(pixels[0])
    return columns + 2 * MARGIN_PX <= width and rows + 2 * MARGIN_PX <= height


def _dates(lettering: Lettering, size: int) -> tuple[FrameCard, ...]:
    """Return cards that are all as wide as the widest date, so that they do not move."""
    widest = max((text_width(date, size) for date in lettering.dates), default=0)
    cards = [_draw_lines([date], size, width=widest) for date in lettering.dates]
    if not cards or not _fits(cards[0], lettering.width, lettering.height):
        return ()
    return tuple(FrameCard(MARGIN_PX, MARGIN_PX, card) for card in cards)


def _credit(lettering: Lettering, size: int) -> ColourArray | None:
    if not lettering.attribution:
        return None
    available = lettering.width - 2 * (MARGIN_PX + PADDING_PX)
    return _draw_lines(wrap_text(lettering.attribution, size, available), size)


def _draw_lines(lines: Sequence[str], size: int, *, width: int = 0) -> ColourArray:
    """Draw lines of text on white, in a few shades, with a border."""
    line_px = size + size // 4
    inner = max(width, *(text_width(line, size) for line in lines))
    page = Image.new("L", (inner + 2 * PADDING_PX, line_px * len(lines) + 2 * PADDING_PX - size // 4), WHITE)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        middle = PADDING_PX + size // 2 + number * line_px
        draw.text((PADDING_PX, middle), drawable(line), font=font_of(size), fill=INK, anchor="lm")
    return _draw_frame(np.asarray(_reduce_shades(np.asarray(page)))[..., np.newaxis].repeat(3, axis=2))


def _reduce_shades(grey: ColourArray) -> ColourArray:
    step = 256 // SHADES
    return np.minimum(np.round(grey.astype(np.float64) / step) * step, WHITE).astype(np.uint8)


def _legends(lettering: Lettering) -> Iterator[ColourArray]:
    """Yield the whole legend, then a smaller one without flags and nodata."""
    style = lettering.legend
    if style is None:
        return
    width = int(np.clip(lettering.width * LEGEND_PART, NARROWEST_LEGEND_PX, WIDEST_LEGEND_PX))
    title = f"{lettering.title} ({lettering.units})" if lettering.units not in NO_UNITS else lettering.title
    shape = LegendShape(is_horizontal=True, width=None if style.is_categorical else width)
    for variant in (style, replace(style, flags=(), nodata=TRANSPARENT)):
        yield _draw_frame(legend_picture(variant, title=title, units="", shape=shape).pixels[..., :3].copy())


def _draw_frame(pixels: ColourArray) -> ColourArray:
    for edge in (pixels[:1], pixels[-1:], pixels[:, :1], pixels[:, -1:]):
        edge[...] = FRAME
    return pixels
