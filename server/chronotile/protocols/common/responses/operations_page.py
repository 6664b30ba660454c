"""An OpenAPI document as a page, with forms that send its requests where the viewer's files are there."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from chronotile.protocols.common.openapi import Json
from chronotile.protocols.common.operations import sections_of
from chronotile.protocols.common.responses.html_page import COMMON, content_security_policy, render_page

OPERATIONS = "operations"
"""Template and style sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A link to another page or document."""

    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsPage:
    """Where the page is, and what it refers to; all addresses are relative to it, so that any prefix holds."""

    title: str
    version: str
    """Of OpenAPI."""
    description: str
    """Address of the OpenAPI document."""
    server: str
    """Address below which the paths of the document are."""
    viewer: str | None
    """Address of the viewer's files without a slash at the end; `None`: the page has no forms."""
    related: Sequence[PageLink]


def operations_page(document: Json, page: OperationsPage) -> bytes:
    """Return the page as HTML; without scripts it lists the operations with examples."""
    return render_page(COMMON, OPERATIONS, styled=OPERATIONS, page=page, sections=sections_of(document))


def with_operations_policy(response: Response, *, has_forms: bool) -> Response:
    """Return the answer that is such a page with the policy under which it works.

    Pictures in the style sheet are `data:` addresses; those that a request returned are shown as `blob:`.
    """
    images = "'self' data: blob:" if has_forms else "'none'"
    response.headers["Content-Security-Policy"] = content_security_policy(
        COMMON, styled=OPERATIONS, images=images, has_scripts=has_forms
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
