"""Query parameters, and the values that more than one protocol reads from text."""

import difflib
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NoReturn

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, MissingParameter, UnknownParameter
from chronotile.core.model.grid import BBox

MAX_COMPARED = 16
NEARNESS = 0.8
"""Share of letters that two names have in common, in order, for one to be taken for a slip of the other."""
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Kvp:
    """The parameters of one request, looked up without regard to the case of their names.

    Raises:
        InvalidParameter: A name appears twice with different values.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        self._spelled: dict[str, str] = {}
        self._repeated: set[str] = set()
        for name, value in pairs:
            if name.lower() in self._values:
                self._repeated.add(name.lower())
            self._spelled.setdefault(name.lower(), name)
            if self._values.setdefault(name.lower(), value) != value:
                message = f"{name[:MAX_SHOWN]} is repeated with different values"
                raise InvalidParameter(message, locator=name[:MAX_SHOWN])

    @property
    def is_empty(self) -> bool:
        """Whether nothing is requested at all."""
        return not self._values

    def __contains__(self, name: str) -> bool:
        """Whether the parameter is there, empty or not."""
        return name.lower() in self._values

    def replacing(self, name: str, value: str) -> "Kvp":
        """Return the same parameters with another value of one of them."""
        return Kvp({**self._values, name.lower(): value}.items())

    def optional(self, name: str) -> str | None:
        """Return a parameter, or `None` where it is absent or empty."""
        return self._values.get(name.lower(), "").strip() or None

    def written(self, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return those of some parameters that are there and not empty, for an address."""
        return tuple((name, text) for name in names if (text := self.optional(name)) is not None)

    def check_not_repeated(self, names: Iterable[str]) -> None:
        """Refuse a parameter that appears twice, even with the same value.

        Raises:
            InvalidParameter: One of `names` is repeated.
        """
        for name in names:
            if name.lower() in self._repeated:
                raise InvalidParameter(f"{name} is repeated; it is accepted once", locator=name)

    def refuse(self, names: Iterable[str], *, instead: str) -> None:
        """Refuse what other services call a parameter, rather than answer as if it were not there.

        Raises:
            UnknownParameter: One of `names` is there.
        """
        for name in names:
            if name in self:
                self._refuse(name, instead)

    def check_names(self, known: Collection[str]) -> None:
        """Refuse a name that is not one of `known`, except what clients add to any address (`ADDED`).

        Raises:
            UnknownParameter: There is such a name; the message has ours, if one is meant.
        """
        self.check_spelling(known)
        for name in self._unknown(known):
            if ADDED.fullmatch(name) is None:
                accepted = f"accepted are {', '.join(known)}" if known else "there are none"
                written = self._spelled[name][:MAX_SHOWN]
                answer = ANSWERS.get(letters(written), accepted)
                raise UnknownParameter(f"{written} is not a parameter here; {answer}", locator=written)

    def check_spelling(self, known: Collection[str]) -> None:
        """Refuse a name that is nearly one of `known`, or another service's for it; others are ignored.

        Raises:
            UnknownParameter: There is such a name, among the first `MAX_COMPARED` that are not known.
        """
        for name, meant in self._slips(known):
            self._refuse(name, meant)

    def slip_warnings(self, known: Collection[str]) -> list[str]:
        """Return the headers (RFC 7234 §5.5) that name ignored parameters which are nearly those of the operation."""
        slips = ((re.sub(r"[^\w-]", "", name[:MAX_SHOWN], flags=re.ASCII), meant) for name, meant in self._slips(known))
        return [f'199 - "{name} is not a parameter here and is ignored; {meant} is one"' for name, meant in slips]

    def _slips(self, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """Names that are nearly one of `known`, or another service's for it, each with the one that is meant."""
        unknown = self._unknown(known)
        if not unknown:
            return
        spelled = {name.lower(): name for name in known}
        foreign = {other: name for name, others in OTHER_NAMES.items() if name in spelled for other in others}
        plain = {letters(name): name for name in spelled}
        for name in unknown[:MAX_COMPARED]:
            short = letters(name[:MAX_SHOWN])
            meant = foreign.get(short) or plain.get(short)
            near = [meant] if meant else difflib.get_close_matches(name[:MAX_SHOWN], spelled, n=1, cutoff=NEARNESS)
            if near:
                yield self._spelled[name], spelled[near[0]]

    def _unknown(self, known: Collection[str]) -> list[str]:
        spelled = {name.lower() for name in known}
        return [name for name in self._values if name not in spelled]

    def _refuse(self, name: str, instead: str) -> NoReturn:
        written = self._spelled[name.lower()][:MAX_SHOWN]
        raise UnknownParameter(f"{written} is not a parameter here; use {instead}", locator=written)

    def required(self, name: str, *, accepted: str = "") -> str:
        """Return a parameter that must be there and must not be empty.

        Args:
            name: Of the parameter.
            accepted: What it takes, in words, for the error if it is missing.

        Raises:
            MissingParameter: It is not, or is.
        """
        value = self.optional(name)
        if value is None:
            raise MissingParameter(f"{name} is missing{accepted and f'; it is {accepted}'}", locator=name)
        return value


def last_of_each(pairs: Iterable[tuple[str, str]]) -> Kvp:
    """Return parameters of which the last counts where one is repeated, as clients add theirs to an address."""
    return Kvp({name.lower(): (name, value) for name, value in pairs}.values())


def integer(text: str, *, locator: str, least: int | None = None) -> int:
    """Return a whole number.

    Raises:
        InvalidParameter: The text is none, or one below `least`.
    """
    if not _INTEGER.fullmatch(text):
        raise InvalidParameter(f"{locator} must be a whole number, got {text[:MAX_SHOWN]!r}", locator=locator)
    value = int(text)
    if least is not None and value < least:
        raise InvalidParameter(f"{locator} must be at least {least}, got {text[:MAX_SHOWN]}", locator=locator)
    return value


def number(text: str, *, locator: str) -> float:
    """Return a finite number in decimal or exponential notation.

    Raises:
        InvalidParameter: The text is none.
    """
    value = float(text) if len(text) <= 64 and _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise InvalidParameter(f"{locator} must be a finite number, got {text[:MAX_SHOWN]!r}", locator=locator)
    return value


def numbers(text: str, count: int, *, locator: str) -> tuple[float, ...]:
    """Return `count` numbers separated by commas.

    Raises:
        InvalidParameter: There are more or fewer, or one is not finite.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != count:
        message = f"{locator} takes {count} numbers separated by commas, got {text[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator=locator)
    return tuple(number(part, locator=locator) for part in parts)


def bbox(text: str, *, locator: str, may_cross: bool = False) -> BBox:
    """Return four numbers as a box with something inside.

    Args:
        text: The value of the parameter.
        locator: The parameter.
        may_cross: Whether west may be greater than east, as of a box across the antimeridian.

    Raises:
        InvalidParameter: They are not numbers, or a minimum is not less than its maximum.
    """
    box = BBox(*numbers(text, 4, locator=locator))
    if box.xmin == box.xmax or (box.xmin > box.xmax and not may_cross) or box.ymin >= box.ymax:
        message = f"{locator} {text[:MAX_SHOWN]} is empty: each minimum must be less than its maximum"
        raise InvalidParameter(message, locator=locator)
    return box


def value_range(text: str, *, locator: str) -> tuple[float, float]:
    """Return `a,b` as the ends of a range.

    Raises:
        InvalidParameter: They are not two numbers, not in order, or farther apart than a number can say.
    """
    low, high = numbers(text, 2, locator=locator)
    if low >= high or not math.isfinite(high - low):
        raise InvalidParameter(f"{locator} must be in ascending order, got {text[:MAX_SHOWN]!r}", locator=locator)
    return low, high


def choice(text: str, accepted: Iterable[str], *, locator: str) -> str:
    """Return `text` if it is one of `accepted`.

    Raises:
        InvalidParameter: It is not.
    """
    options = list(accepted)
    if text not in options:
        message = f"{locator} {text[:MAX_SHOWN]!r} is not accepted; use {', '.join(options)}"
        raise InvalidParameter(message, locator=locator)
    return text


# What other servers and their clients call the parameters of ours, and what they add to any address.

_REDUCERS = ("stat", "stats", "statistic", "statistics", "agg", "aggmethod", "aggmethods", "aggregation")
_TIMES = ("time", "times", "date", "dates", "from", "to", "begin", "since", "until", "timerange")
_FIELDS = ("vars", "var", "variable", "variables", "bands", "parameter", "parameters", "parameternames", "rangesubset")
OTHER_NAMES: Mapping[str, Collection[str]] = {
    "datetime": (*_TIMES, "start", "end", "startdate", "enddate", "starttime", "endtime"),
    "time": ("datetime", "date", "dates"),
    "startdate": ("start", "from", "begin", "since"),
    "enddate": ("end", "to", "until"),
    "format": ("f", "outputformat"),
    "f": ("format", "outputformat"),
    "reducers": (*_REDUCERS, "reducer"),
    "reducer": (*_REDUCERS, "reducers", "mosaickingorder", "pixelselection"),
    "step": ("aggregate",),
    "lon": ("lng", "long", "longitude"),
    "lat": ("latitude",),
    "crs": ("srs", "srsname", "epsg", "dstcrs", "outcrs"),
    "bbox": ("bounds", "extent", "envelope"),
    "limit": ("count", "maxfeatures", "maxitems", "top"),
    "offset": ("startindex", "skip"),
    "lang": ("language", "locale"),
    "ramp": ("colormap", "colormapname", "cmap", "cbar", "palette", "color", "colour", "colors", "colours"),
    "style": ("styles",),
    "range": ("rescale", "vmin", "vmax", "colorscalerange"),
    "expression": ("evalscript", "formula"),
    "min_valid": ("maxcc", "maxcloudcover", "cloudcover"),
    "layer": (*_FIELDS, "layers"),
    "properties": (*_FIELDS, "parametername"),
    "parameter-name": (*_FIELDS, "properties"),
}
"""By the name here, in lower case; of theirs neither case nor underscores nor hyphens matter."""
_BY_LAYER = "each variable or band is a layer, which the address names"
_BY_CONFIGURATION = "the configuration of the layer has it"
ANSWERS: Mapping[str, str] = {
    **dict.fromkeys((*_FIELDS, "bidx", "assets", "layers", "dataset"), _BY_LAYER),
    **dict.fromkeys(("resampling", "resamplingmethod", "nodata", "unscale", "tolerance"), _BY_CONFIGURATION),
    **dict.fromkeys(("retina", "scale", "tilesize"), "a tile of twice the pixels ends with @2x before its extension"),
    "url": "the address names a layer; files are opened at /cog, if at all",
    "returnmask": "pixels without a value are transparent in PNG and WebP",
    "evalscript": "tiles, maps and animations take arithmetic as expression",
    "expression": "tiles, maps and animations take it",
    "maxcc": "masks of the configuration leave clouds out, and /stac/search finds scenes by their share",
}
"""To words that no parameter of the request means."""
ADDED = re.compile(
    r"(_|x-|utm_).*|(access_?)?token|(api_?)?key|f|lang|rev|v|version|transparent|"
    r"t|ts|timestamp|cb|cachebust(er)?|nocache|fbclid|gclid|"
)
"""What caches, proxies, trackers and frameworks add to any address, and what one address of ours has of another."""


def letters(name: str) -> str:
    """Return what counts of a name in which words of others are looked up."""
    return name.lower().replace("_", "").replace("-", "")
