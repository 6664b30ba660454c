"""The language in which capabilities are given, and how INSPIRE calls it."""

from collections.abc import Mapping, Sequence

from chronotile.protocols.common.query.accept import offered_language
from chronotile.protocols.common.query.kvp import Kvp

_PAIRS = """
    bg:bul cs:cze da:dan de:ger el:gre en:eng es:spa et:est fi:fin fr:fre ga:gle hr:hrv hu:hun is:ice it:ita lt:lit
    lv:lav mt:mlt nl:dut no:nor pl:pol pt:por ro:rum sk:slo sl:slv sv:swe
"""
BIBLIOGRAPHIC: Mapping[str, str] = {tag: code for tag, _, code in (pair.partition(":") for pair in _PAIRS.split())}
"""ISO 639-2/B codes, which INSPIRE wants, of ISO 639-1's."""
_TAGS = {code: tag for tag, code in BIBLIOGRAPHIC.items()}
MAX_ASKED = 50


def requested_language(query: Kvp, offered: Sequence[str]) -> str:
    """Return the first language offered that LANGUAGE (INSPIRE) or AcceptLanguages (OWS Common) names, else the first.

    One that is not offered is not an error (INSPIRE view services, technical guidance 3.11, §4.2.3.1.1.1.6).
    """
    text = query.optional("LANGUAGE") or query.optional("ACCEPTLANGUAGES") or ""
    for requested in text.split(",")[:MAX_ASKED]:
        language = requested.strip().lower()[:60]
        found = offered_language(_TAGS.get(language, language), offered)
        if found is not None:
            return found
    return offered[0]


def inspire_code(language: str) -> str:
    """Return ISO 639-2/B's code of a language tag; the tag itself where there is none."""
    return BIBLIOGRAPHIC.get(language.lower().partition("-")[0], language)
