"""Styles, which map values to colours: ramps and classes."""

from dataclasses import dataclass
from typing import NamedTuple


class Colour(NamedTuple):
    """Red, green, blue and alpha, 0 to 255."""

    red: int
    green: int
    blue: int
    alpha: int = 255

    @property
    def hex(self) -> str:
        """`#rrggbb`, with alpha unless it is opaque."""
        text = f"#{self.red:02x}{self.green:02x}{self.blue:02x}"
        return text if self.alpha == 255 else f"{text}{self.alpha:02x}"


TRANSPARENT = Colour(0, 0, 0, 0)


class Stop(NamedTuple):
    """A colour at a physical value; between two stops colours are interpolated linearly in sRGB."""

    value: float
    colour: Colour


class StyleClass(NamedTuple):
    """A colour and a label for one physical value."""

    value: float
    colour: Colour
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A ramp over a range of physical values, or classes; never both."""

    id: str
    title: str
    range: tuple[float, float]
    """Physical values at the ends of the ramp; with classes, the smallest and largest value."""
    ramp: tuple[Stop, ...] = ()
    classes: tuple[StyleClass, ...] = ()
    below: Colour = TRANSPARENT
    above: Colour = TRANSPARENT
    nodata: Colour = TRANSPARENT
    flags: tuple[tuple[str, Colour], ...] = ()
    """Colours of flags by name; other flags are painted like nodata."""
    labels: tuple[float, ...] = ()

    @property
    def is_categorical(self) -> bool:
        """Whether the style has classes."""
        return bool(self.classes)

    def stops_over(self, low: float, high: float) -> tuple[Stop, ...]:
        """Return the ramp's stops, stretched so that the style's range becomes `low` to `high`."""
        first, last = self.range
        shares = [(stop.value - first) / ((last - first) or 1.0) for stop in self.ramp]
        return tuple(
            Stop(low * (1 - share) + high * share, stop.colour) for share, stop in zip(shares, self.ramp, strict=True)
        )
