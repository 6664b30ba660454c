"""HTML pages: templates, style sheets and content security policy."""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

COMMON = "protocols/common/templates"
"""Folder of templates that all pages may include."""


@dataclass(frozen=True, slots=True)
class StyleSheet:
    """Style sheet that is inlined in a page."""

    text: Markup
    source: str
    """Hash source for the content security policy (CSP 3 §2.3.1)."""


def render_page(folder: str, template: str = "page", *, styled: str = "page", **members: object) -> bytes:
    """Return a page as HTML, with its style sheet.

    Args:
        folder: Folder of templates, in addition to `COMMON`.
        template: Template without `.html`.
        styled: Style sheet without `.css`.
        members: Variables of the template.
    """
    sheet = style_sheet(folder, styled).text
    return _environment(folder).get_template(f"{template}.html").render(sheet=sheet, **members).encode()


def content_security_policy(
    folder: str, *, styled: str = "page", images: str = "'none'", has_scripts: bool = False, has_forms: bool = False
) -> str:
    """Return the strictest content security policy under which a page works.

    Args:
        folder: Folder of templates.
        styled: Style sheet without `.css`.
        images: Allowed sources of pictures.
        has_scripts: Whether the page loads scripts and style sheets of the viewer, which send requests to this server.
        has_forms: Whether the page submits forms to this server.
    """
    same_origin = "'self'"
    directives = {
        "default-src": "'none'",
        "img-src": images,
        "style-src": style_sheet(folder, styled).source + (f" {same_origin}" if has_scripts else ""),
        **({"script-src": same_origin, "connect-src": same_origin} if has_scripts else {}),
        "base-uri": "'none'",
        "form-action": same_origin if has_forms else "'none'",
        "frame-ancestors": same_origin,
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


@lru_cache(maxsize=8)
def style_sheet(folder: str, styled: str) -> StyleSheet:
    """Return a style sheet with its hash source."""
    text = _environment(folder).get_template(f"{styled}.css").render()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return StyleSheet(text=Markup(text), source=f"'sha256-{digest}'")  # noqa: S704 -- our own file


@lru_cache(maxsize=8)
def _environment(folder: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader("chronotile", path) for path in (folder, COMMON)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
