"""HTML pages of OGC API: any document of a building block, in the common layout."""

from collections.abc import Sequence

from starlette.responses import Response

from chronotile.core.model.types import Json
from chronotile.protocols.common.html_page import content_security_policy, render_page
from chronotile.protocols.common.operations_page import PageLink
from chronotile.protocols.ogcapi.block import DocumentContext

TEMPLATES = "protocols/ogcapi/templates"


def document_page(
    title: str,
    document: Json,
    context: DocumentContext,
    *,
    above: Sequence[PageLink] = (),
    template: str = "document",
    **members: object,
) -> bytes:
    """Return a document as a page that shows all its members.

    Args:
        title: Title of the page, also in its trail.
        document: The same as in JSON.
        context: Its language is that of the page.
        above: Pages between the landing page of OGC API and this one.
        template: A template for this kind of document, default: a list of the members.
        members: Additional variables of the template.
    """
    start = PageLink(title="Start", href=f"{context.root}/")
    trail = [start, PageLink(title="OGC API", href=f"{context.base}?f=html"), *above]
    variables: dict[str, object] = {"lead": "", "base": context.base, "language": context.language, **members}
    return render_page(TEMPLATES, template, styled="page", title=title, document=document, trail=trail, **variables)


def add_page_policy(response: Response, *, has_scripts: bool = False) -> Response:
    """Add the security policy of a page of `document_page`, and return the response."""
    policy = content_security_policy(TEMPLATES, images="'self'", has_scripts=has_scripts)
    response.headers["Content-Security-Policy"] = policy
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
