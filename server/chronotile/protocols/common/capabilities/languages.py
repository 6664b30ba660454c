"""The language of capabilities, and its INSPIRE code."""

from collections.abc import Mapping, Sequence

from chronotile.http.negotiation import offered_language
from chronotile.protocols.common.query.kvp import Kvp

_PAIRS = """
    bg:bul cs:cze da:dan de:ger el:gre en:eng es:spa et:est fi:fin fr:fre ga:gle hr:hrv hu:hun is:ice it:ita lt:lit
    lv:lav mt:mlt nl:dut no:nor pl:pol pt:por ro:rum sk:slo sl:slv sv:swe
"""
BIBLIOGRAPHIC: Mapping[str, str] = {tag: code for tag, _, code in (pair.partition(":") for pair in _PAIRS.split())}
"""ISO 639-2/B codes (required by INSPIRE) by ISO 639-1 code."""
_TAGS = {code: tag for tag, code in BIBLIOGRAPHIC.items()}
MAX_REQUESTED = 50


def capabilities_language(query: Kvp, offered: Sequence[str]) -> str:
    """Return the first offered language in LANGUAGE (INSPIRE) or AcceptLanguages (OWS Common), else the default.

    Unlike `negotiate_language` it never refuses: another language is not an error (INSPIRE view
    services, technical guidance 3.11, §4.2.3.1.1.1.6).
    """
    text = query.optional("LANGUAGE") or query.optional("ACCEPTLANGUAGES") or ""
    for requested in text.split(",")[:MAX_REQUESTED]:
        language = requested.strip().lower()[:60]
        match = offered_language(_TAGS.get(language, language), offered)
        if match is not None:
            return match
    return offered[0]


def inspire_code(language: str) -> str:
    """Return the ISO 639-2/B code of a language tag, or the tag itself if it has none."""
    return BIBLIOGRAPHIC.get(language.lower().partition("-")[0], language)
