"""Pages for people, which run no script: template and style sheet of a folder, and the policy they work under."""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page's style sheet, which stands in it."""

    text: Markup
    source: str
    """How the content security policy names it (CSP 3 §2.3.1)."""


def render_page(folder: str, **members: object) -> bytes:
    """Return `page.html` of a folder of templates as HTML, with its style sheet."""
    return _environment(folder).get_template("page.html").render(sheet=style_sheet(folder).text, **members).encode()


def content_security_policy(folder: str, *, images: str = "'none'") -> str:
    """Return the policy under which the page, and nothing else, works.

    Args:
        folder: Of its templates.
        images: Where it may load pictures from.
    """
    return (
        f"default-src 'none'; img-src {images}; style-src {style_sheet(folder).source}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


@lru_cache(maxsize=8)
def style_sheet(folder: str) -> Sheet:
    """Return `page.css` of a folder and its digest."""
    text = _environment(folder).get_template("page.css").render()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Sheet(text=Markup(text), source=f"'sha256-{digest}'")  # noqa: S704 -- our own file


@lru_cache(maxsize=8)
def _environment(folder: str) -> Environment:
    return Environment(
        loader=PackageLoader("chronotile", folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
