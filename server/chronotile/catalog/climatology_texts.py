"""Abstracts and keywords that mark a layer as a climatology."""

from chronotile.core.model.collection import LocalisedText
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import ONE_NS

CLIMATOLOGY_KEYWORD = "climatology"

_SENTENCES = {
    "": ("Climatology of the years {}.", "Climatology; the data do not say of which years."),
    "fr": ("Climatologie des années {}.", "Climatologie ; les données ne disent pas de quelles années."),
    "nl": ("Klimatologie van de jaren {}.", "Klimatologie; de gegevens vermelden niet van welke jaren."),
}


def add_climatology_sentence(abstract: LocalisedText, times: TimeDomain) -> LocalisedText:
    """Return the abstract; for a climatology, with a sentence about its years in each language."""
    if not times.is_climatology:
        return abstract
    texts = abstract or dict.fromkeys(_SENTENCES, "")
    return {language: f"{text} {_climatology_sentence(language, times)}".strip() for language, text in texts.items()}


def add_climatology_keyword(keywords: tuple[str, ...], times: TimeDomain) -> tuple[str, ...]:
    """Return the keywords, with `climatology` if the layer is one."""
    return (
        (*keywords, CLIMATOLOGY_KEYWORD) if times.is_climatology and CLIMATOLOGY_KEYWORD not in keywords else keywords
    )


def years_text(times: TimeDomain) -> str | None:
    """Return the years of a climatology, such as `1991-2020`; `None` if unknown."""
    span = times.climatology_span
    if span is None:
        return None
    first, last = (str(instant.astype("datetime64[Y]")) for instant in (span.start, span.end + -ONE_NS))
    return first if first == last else f"{first}-{last}"


def _climatology_sentence(language: str, times: TimeDomain) -> str:
    with_years, without_years = _SENTENCES.get(language, _SENTENCES[""])
    years = years_text(times)
    return without_years if years is None else with_years.format(years)
