"""The page for people, which runs no script and loads nothing but its thumbnails."""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from chronotile.protocols.landing.documents import Landing


@dataclass(frozen=True, slots=True)
class Sheet:
    """The page's style sheet, which stands in it."""

    text: Markup
    source: str
    """How the content security policy names it (CSP 3 §2.3.1)."""


def render_page(page: Landing) -> bytes:
    """Return the page as HTML."""
    template, sheet = _template(), style_sheet()
    return template.render(page=page, sheet=sheet.text).encode()


def content_security_policy() -> str:
    """Return the policy under which the page, and nothing else, works."""
    return (
        f"default-src 'none'; img-src 'self'; style-src {style_sheet().source}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


@lru_cache(maxsize=1)
def style_sheet() -> Sheet:
    """Return the style sheet and its digest."""
    text = _environment().get_template("page.css").render()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Sheet(text=Markup(text), source=f"'sha256-{digest}'")  # noqa: S704 -- our own file


@lru_cache(maxsize=1)
def _template() -> Template:
    return _environment().get_template("page.html")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("chronotile", "protocols/landing/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
