"""Configured texts in the language of the client."""

from starlette.requests import Request

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import LocalisedText
from chronotile.http.negotiation import offered_language, preferred_language
from chronotile.http.request_services import services_of
from chronotile.protocols.common.query.kvp import Kvp


def text_in(text: LocalisedText, language: str) -> str:
    """Return the text in `language`, else the text for any language, else the first; empty without texts."""
    return next((text[key] for key in (language, "", *text) if key in text), "")


def negotiate_language(request: Request, query: Kvp) -> str:
    """Return the language of the answer: `lang`, else the best of Accept-Language, else the default.

    Raises:
        InvalidParameter: `lang` is not offered.
    """
    offered = services_of(request).catalogue.service.languages
    requested = query.optional("lang")
    if requested is None:
        return preferred_language(request.headers.get("accept-language", ""), offered)
    language = offered_language(requested[:MAX_SHOWN], offered)
    if language is None:
        message = f"lang {requested[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(offered)}"
        raise InvalidParameter(message, locator="lang")
    return language
