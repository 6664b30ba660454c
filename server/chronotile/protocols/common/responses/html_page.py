"""Pages for people: templates and style sheets, and the policy they work under."""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

COMMON = "protocols/common/templates"
"""What all pages share."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page's style sheet, which is part of it."""

    text: Markup
    source: str
    """How the content security policy names it (CSP 3 §2.3.1)."""


def render_page(folder: str, template: str = "page", *, styled: str = "page", **members: object) -> bytes:
    """Return a page as HTML, with its style sheet.

    Args:
        folder: Of templates; those of `protocols/common/templates` can be included too.
        template: The page's, without `.html`.
        styled: The style sheet's, without `.css`.
        members: What the page is made of.
    """
    sheet = style_sheet(folder, styled).text
    return _environment(folder).get_template(f"{template}.html").render(sheet=sheet, **members).encode()


def content_security_policy(
    folder: str, *, styled: str = "page", images: str = "'none'", has_scripts: bool = False, has_forms: bool = False
) -> str:
    """Return the policy under which the page, and nothing else, works.

    Args:
        folder: Of its templates.
        styled: Its style sheet, without `.css`.
        images: Where it may load pictures from.
        has_scripts: Whether scripts and style sheets of the viewer's folder are loaded, which send requests here.
        has_forms: Whether forms are sent to this server.
    """
    own = "'self'"
    directives = {
        "default-src": "'none'",
        "img-src": images,
        "style-src": style_sheet(folder, styled).source + (f" {own}" if has_scripts else ""),
        **({"script-src": own, "connect-src": own} if has_scripts else {}),
        "base-uri": "'none'",
        "form-action": own if has_forms else "'none'",
        "frame-ancestors": own,
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


@lru_cache(maxsize=8)
def style_sheet(folder: str, styled: str) -> Sheet:
    """Return a style sheet of a folder and its digest."""
    text = _environment(folder).get_template(f"{styled}.css").render()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Sheet(text=Markup(text), source=f"'sha256-{digest}'")  # noqa: S704 -- our own file


@lru_cache(maxsize=8)
def _environment(folder: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader("chronotile", each) for each in (folder, COMMON)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
