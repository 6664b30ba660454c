"""The layers as the page for people shows them: some a page, found by words."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from chronotile.errors import InvalidParameter
from chronotile.model.collection import Collection, Layer
from chronotile.model.crs import CRS84, transformer
from chronotile.model.time.instants import TimeDomain, format_day
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.services import Services
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.preview import preview_href
from chronotile.protocols.common.query.kvp import Kvp, integer

CARDS = 48
"""Layers on one page."""
MAX_WORDS = 100
"""Letters that are searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardQuery:
    """Which layers are shown."""

    words: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Code to paste."""

    title: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One layer; addresses are relative to the page, except those in the code."""

    id: str
    title: str
    units: str | None
    times: str
    picture: str
    has_chart: bool
    """Whether it has values at several times."""
    snippets: tuple[Snippet, ...]
    """None of a composite, which has no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The layers of one collection that are on the page."""

    id: str
    title: str
    abstract: str
    attribution: str | None
    license: str | None
    cards: tuple[Card, ...]

    @property
    def license_url(self) -> str | None:
        """The licence, if it is an address on the web."""
        is_url = self.license is not None and self.license.startswith(("https://", "http://"))
        return self.license if is_url else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """One page of the layers that are searched for."""

    query: CardQuery
    total: int
    matched: int
    sections: tuple[Section, ...]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.matched // CARDS))

    @property
    def before(self) -> str | None:
        """The query of the page before, if there is one."""
        return self._query_of(self.query.page - 1) if self.query.page > 1 else None

    @property
    def after(self) -> str | None:
        """The query of the page after, if there is one."""
        return self._query_of(self.query.page + 1) if self.query.page < self.pages else None

    def _query_of(self, page: int) -> str:
        words = {"q": self.query.words} if self.query.words else {}
        return "?" + urlencode({**words, "page": page, "f": "html"})


def card_query(query: Kvp) -> CardQuery:
    """Return which layers `q` and `page` request.

    Raises:
        InvalidParameter: One is not accepted.
    """
    words = " ".join((query.optional("q") or "").split())
    if len(words) > MAX_WORDS:
        raise InvalidParameter(f"q has {len(words)} letters; at most {MAX_WORDS} are accepted", locator="q")
    given = query.optional("page")
    page = 1 if given is None else integer(given, locator="page", least=1)
    return CardQuery(words=words, page=page)


def cards(query: CardQuery, services: Services, *, base: str, language: str) -> Cards:
    """Return one page of the layers that have all words in their id or title, or those of their collection.

    Raises:
        InvalidParameter: There are fewer pages.
    """
    catalogue = services.catalogue
    words = query.words.casefold().split()
    found = [
        (name, layer)
        for name, layer in catalogue.offered_layers
        if not words or all(word in _searched_text(name, layer, services, language) for word in words)
    ]
    shown = found[(query.page - 1) * CARDS : query.page * CARDS]
    if not shown and query.page > 1:
        pages = max(1, -(-len(found) // CARDS))
        raise InvalidParameter(f"page is {query.page}; there {'is' if pages == 1 else 'are'} {pages}", locator="page")
    grouped = itertools.groupby(shown, lambda each: each[1].collection)
    sections = tuple(_section(catalogue.collection(name), of_it, base, language) for name, of_it in grouped)
    return Cards(query=query, total=len(catalogue.offered_layers), matched=len(found), sections=sections)


def _searched_text(name: str, layer: Layer, services: Services, language: str) -> str:
    collection = services.catalogue.collection(layer.collection)
    titles = (text_in(layer.title, language), text_in(collection.title, language))
    return " ".join((name, *titles, collection.id)).casefold()


def _section(collection: Collection, layers: Iterable[tuple[str, Layer]], base: str, language: str) -> Section:
    return Section(
        id=collection.id,
        title=text_in(collection.title, language) or collection.id,
        abstract=text_in(collection.abstract, language),
        attribution=attribution_of(collection),
        license=collection.license,
        cards=tuple(_card(name, layer, base, language) for name, layer in layers),
    )


def attribution_of(collection: Collection) -> str | None:
    """Return the attribution of a collection, else that of the first of its layers that has one."""
    attributions = (layer.attribution for layer in collection.layers if layer.attribution)
    return collection.attribution or next(attributions, None)


def _card(name: str, layer: Layer, base: str, language: str) -> Card:
    units = None if layer.is_composite else layer.main_variable.encoding.units
    return Card(
        id=name,
        title=text_in(layer.title, language) or name,
        units=None if units == "1" else units,
        times=times_text(layer.times),
        picture=preview_href(name),
        has_chart=not layer.is_composite and len(layer.times) > 1,
        snippets=tuple(_snippets(name, layer, base)),
    )


def _snippets(name: str, layer: Layer, base: str) -> Iterator[Snippet]:
    if not layer.is_composite:
        yield _series_snippet(name, layer, base)
    if has_store(layer):
        yield _array_snippet(name, base)


def times_text(domain: TimeDomain) -> str:
    """Return the first and the last day and how many times there are, in words."""
    if len(domain) == 0:
        return "no dates"
    first, last = (format_day(domain.instants[index]) for index in (0, -1))
    if len(domain) == 1:
        return first
    return f"{first} to {last}, {len(domain):,} dates"


def _series_snippet(name: str, layer: Layer, base: str) -> Snippet:
    """The series of the place in the middle of a layer."""
    grid = layer.main_variable.grid
    x, y = transformer(grid.crs, CRS84).transform(*grid.centre_of(grid.height // 2, grid.width // 2))
    query = urlencode({"lon": f"{x:.6f}", "lat": f"{y:.6f}", "format": "csv"})
    url = f"{base}/timeseries/{quote(name)}/point?{query}"
    options = ', index_col="time", parse_dates=["time"]' if len(layer.times) else ""
    code = f"import pandas as pd\n\nurl = {json.dumps(url)}\nseries = pd.read_csv(url{options})\nseries"
    return Snippet(title="Values of the place in the middle", code=code)


def _array_snippet(name: str, base: str) -> Snippet:
    url = json.dumps(f"{base}/zarr/{quote(name)}")
    code = f"import xarray as xr\n\narray = xr.open_zarr({url})\narray"
    return Snippet(title="All values, read when they are used (xarray, zarr, aiohttp)", code=code)
