"""Layers: their descriptions and times."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from chronotile_client.errors import UnknownLayer
from chronotile_client.exchange import Exchange, Request, fetch
from chronotile_client.times import time_index

if TYPE_CHECKING:
    import pandas as pd

AnyLayer = TypeVar("AnyLayer", bound="LayerInfo")

MAX_LISTED = 5
"""Names of layers in a message."""

PAGE = 1000
"""Times per request: the maximum of servers."""


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """First, last and default time of a layer, and their number."""

    first: str | None
    last: str | None
    count: int
    default: str | None
    """The time of pictures if the request names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerInfo:
    """The entry of a layer in the list of layers."""

    id: str
    title: str
    collection: str | None
    units: str | None
    """Units of its values; None for a composite, which has no values."""
    bbox: tuple[float, float, float, float]
    """West, south, east, north in degrees; across the antimeridian the west is greater than the east."""
    attribution: str | None
    styles: tuple[str, ...]
    """Names of its styles; the first is the default."""
    span: TimeSpan
    revision: str = field(repr=False)
    """Changes with the data."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any], **further: Any) -> Self:  # noqa: ANN401 -- fields of a subclass
        """Return the layer that a member of `/layers` describes."""
        times = document["times"]
        west, south, east, north = document["bbox"]
        return cls(
            id=document["id"],
            title=document["title"],
            collection=document.get("collection"),
            units=document.get("units"),
            bbox=(west, south, east, north),
            attribution=document.get("attribution"),
            styles=tuple(style["id"] for style in document["styles"]),
            span=TimeSpan(times.get("first"), times.get("last"), times["count"], times.get("default")),
            revision=document["revision"],
            **further,
        )


class Layers(Mapping[str, AnyLayer], Generic[AnyLayer]):
    """The layers of an archive by id; a table in notebooks."""

    def __init__(self, layers: Mapping[str, AnyLayer]) -> None:
        self._layers = dict(layers)

    def __getitem__(self, name: str) -> AnyLayer:
        if name not in self._layers:
            raise UnknownLayer(f"there is no layer {name!r}; {self._alternative(name)}")
        return self._layers[name]

    def _alternative(self, name: str) -> str:
        """Return a hint: the nearest names in any letter case, all names if they are few, or their number."""
        by_small = {layer.casefold(): layer for layer in self._layers}
        near = [by_small[small] for small in get_close_matches(str(name).casefold(), by_small, n=3)]
        if near:
            return f"the nearest are {', '.join(near)}"
        return f"archive.layers has {', '.join(self._layers) if len(by_small) <= MAX_LISTED else len(by_small)}"

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __repr__(self) -> str:
        return f"Layers({', '.join(self._layers)})"

    def to_frame(self) -> "pd.DataFrame":
        """Return a table of the layers."""
        import pandas as pd

        rows = [
            {
                "title": layer.title,
                "units": layer.units,
                "times": layer.span.count,
                "first": layer.span.first,
                "last": layer.span.last,
                "styles": ", ".join(layer.styles),
            }
            for layer in self._layers.values()
        ]
        return pd.DataFrame(rows, index=pd.Index(list(self._layers), name="layer"))

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html())


def fetch_layers() -> Exchange[list[Mapping[str, Any]]]:
    """Return the documents of all layers."""
    answer = yield from fetch(Request(path="layers"))
    return list(answer.document()["layers"])


def fetch_description(layer: str) -> Exchange[dict[str, Any]]:
    """Return the whole document of one layer, by its id or an alias."""
    answer = yield from fetch(Request(path=_path(layer)))
    return answer.document()


def fetch_times(layer: str, datetime: str | None) -> "Exchange[pd.DatetimeIndex]":
    """Return the times of a layer, from all pages."""
    params = {"limit": str(PAGE)} | ({"datetime": datetime} if datetime else {})
    times: list[str] = []
    while True:
        answer = yield from fetch(Request(path=f"{_path(layer)}/times", params=params))
        page = answer.document()
        times += page["times"]
        if not page["next"]:
            return time_index(times)
        # The server may write another address than the client uses: only the cursor is taken.
        params |= {"cursor": parse_qs(urlsplit(page["next"]).query)["cursor"][0]}


def _path(layer: str) -> str:
    return f"layers/{quote(layer, safe='')}"
