"""Abstracts and keywords that mark a layer as a climatology."""

from chronotile.core.model.collection import LocalisedText
from chronotile.core.model.time.instants import ONE_NS, TimeDomain

CLIMATOLOGY_KEYWORD = "climatology"

_SENTENCES = {
    "": ("Climatology of the years {}.", "Climatology; the data do not say of which years."),
    "fr": ("Climatologie des années {}.", "Climatologie ; les données ne disent pas de quelles années."),
    "nl": ("Klimatologie van de jaren {}.", "Klimatologie; de gegevens vermelden niet van welke jaren."),
}


def add_climatology_sentence(abstract: LocalisedText, times: TimeDomain) -> LocalisedText:
    """Return the abstract of a layer, which says of a climatology that it is one, and of which years."""
    if not times.is_climatology:
        return abstract
    texts = abstract or dict.fromkeys(_SENTENCES, "")
    return {language: f"{text} {_climatology_sentence(language, times)}".strip() for language, text in texts.items()}


def add_climatology_keyword(keywords: tuple[str, ...], times: TimeDomain) -> tuple[str, ...]:
    """Return the keywords of a layer, among them that it is a climatology."""
    return (
        (*keywords, CLIMATOLOGY_KEYWORD) if times.is_climatology and CLIMATOLOGY_KEYWORD not in keywords else keywords
    )


def years_text(times: TimeDomain) -> str | None:
    """Return the first and last year of a climatology; `None` where they are not known."""
    span = times.climatology_span
    if span is None:
        return None
    first, last = (str(instant.astype("datetime64[Y]")) for instant in (span.start, span.end + -ONE_NS))
    return first if first == last else f"{first}-{last}"


def _climatology_sentence(language: str, times: TimeDomain) -> str:
    known, unknown = _SENTENCES.get(language, _SENTENCES[""])
    years = years_text(times)
    return unknown if years is None else known.format(years)
