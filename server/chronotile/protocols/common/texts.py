"""Texts of the configuration in the reader's language."""

from chronotile.model.collection import LocalisedText


def text_in(text: LocalisedText, language: str) -> str:
    """Return the text in `language`, else the one for any language, else the first there is, else nothing."""
    for key in (language, "", *text):
        if key in text:
            return text[key]
    return ""
