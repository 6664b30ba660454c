"""Cards of layers on the landing page, in pages, selected by words."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_day
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.services import Services
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.preview import preview_href
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.values import integer
from chronotile.protocols.site.landing.documents import attribution_of, series_href

CARDS = 48
"""Layers on one page."""
MAX_WORDS = 100
"""Characters of `q`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardQuery:
    """A requested page of cards."""

    words: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Code to paste."""

    title: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The card of one layer; URLs are relative to the page, except in code."""

    id: str
    title: str
    units: str | None
    times: str
    picture: str
    has_chart: bool
    """Whether it has values at several times."""
    snippets: tuple[Snippet, ...]
    """Empty for a composite, which has no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSection:
    """The cards of one collection on a page."""

    id: str
    title: str
    abstract: str
    attribution: str | None
    license: str | None
    cards: tuple[Card, ...]

    @property
    def license_url(self) -> str | None:
        """The licence if it is a URL, else `None`."""
        is_url = self.license is not None and self.license.startswith(("https://", "http://"))
        return self.license if is_url else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """One page of cards."""

    query: CardQuery
    total: int
    matched: int
    sections: tuple[CardSection, ...]

    @property
    def pages(self) -> int:
        """The number of pages, at least 1."""
        return max(1, -(-self.matched // CARDS))

    @property
    def before(self) -> str | None:
        """The query of the previous page; `None` on the first."""
        return self._query_of(self.query.page - 1) if self.query.page > 1 else None

    @property
    def after(self) -> str | None:
        """The query of the next page; `None` on the last."""
        return self._query_of(self.query.page + 1) if self.query.page < self.pages else None

    def _query_of(self, page: int) -> str:
        words = {"q": self.query.words} if self.query.words else {}
        return "?" + urlencode({**words, "page": page, "f": "html"})


def card_query(query: Kvp) -> CardQuery:
    """Return the page that `q` and `page` request.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    words = " ".join((query.optional("q") or "").split())
    if len(words) > MAX_WORDS:
        raise InvalidParameter(f"q has {len(words)} letters; at most {MAX_WORDS} are accepted", locator="q")
    page_text = query.optional("page")
    page = 1 if page_text is None else integer(page_text, locator="page", least=1)
    return CardQuery(words=words, page=page)


def cards(query: CardQuery, services: Services, *, base: str, language: str) -> Cards:
    """Return one page of the layers with all words in the ids or titles of the layer and its collection.

    Raises:
        InvalidParameter: The number of pages is smaller than the requested page.
    """
    catalogue = services.catalogue
    words = query.words.casefold().split()
    matches = [
        (name, layer)
        for name, layer in catalogue.offered_layers
        if not words or all(word in _searched_text(name, layer, services, language) for word in words)
    ]
    page_layers = matches[(query.page - 1) * CARDS : query.page * CARDS]
    if not page_layers and query.page > 1:
        pages = max(1, -(-len(matches) // CARDS))
        raise InvalidParameter(f"page is {query.page}; there {'is' if pages == 1 else 'are'} {pages}", locator="page")
    grouped = itertools.groupby(page_layers, lambda named_layer: named_layer[1].collection)
    sections = tuple(_section(catalogue.collection(name), of_it, base, language) for name, of_it in grouped)
    return Cards(query=query, total=len(catalogue.offered_layers), matched=len(matches), sections=sections)


def _searched_text(name: str, layer: Layer, services: Services, language: str) -> str:
    collection = services.catalogue.collection(layer.collection)
    titles = (text_in(layer.title, language), text_in(collection.title, language))
    return " ".join((name, *titles, collection.id)).casefold()


def _section(collection: Collection, layers: Iterable[tuple[str, Layer]], base: str, language: str) -> CardSection:
    return CardSection(
        id=collection.id,
        title=text_in(collection.title, language) or collection.id,
        abstract=text_in(collection.abstract, language),
        attribution=attribution_of(collection),
        license=collection.license,
        cards=tuple(_card(name, layer, base, language) for name, layer in layers),
    )


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
        url = json.dumps(series_href(name, layer, base))
        options = ', index_col="time", parse_dates=["time"]' if len(layer.times) else ""
        code = f"import pandas as pd\n\nurl = {url}\nseries = pd.read_csv(url{options})\nseries"
        yield Snippet(title="Values of the place in the middle", code=code)
    if has_store(layer):
        url = json.dumps(f"{base}/zarr/{quote(name)}")
        code = f"import xarray as xr\n\narray = xr.open_zarr({url})\narray"
        yield Snippet(title="All values, read when they are used (xarray, zarr, aiohttp)", code=code)


def times_text(domain: TimeDomain) -> str:
    """Return the first and the last day and the number of times, in words."""
    if len(domain) == 0:
        return "no dates"
    first, last = (format_day(domain.instants[index]) for index in (0, -1))
    if len(domain) == 1:
        return first
    return f"{first} to {last}, {len(domain):,} dates"
