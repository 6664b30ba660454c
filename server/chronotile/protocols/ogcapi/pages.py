"""Pages of the tree for people: any document of a building block as HTML, in the look of the others."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from chronotile.protocols.common.responses.html_page import content_security_policy, render_page
from chronotile.protocols.ogcapi.block import DocumentContext, Json

TEMPLATES = "protocols/ogcapi/templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One of the pages above a page."""

    title: str
    href: str


def document_page(
    title: str,
    document: Json,
    context: DocumentContext,
    *,
    above: Sequence[Step] = (),
    template: str = "document",
    **members: object,
) -> bytes:
    """Return a document as a page that shows all its members.

    Args:
        title: The page's.
        document: As it is as JSON.
        context: For whom.
        above: The pages above it, below the landing page of the tree.
        template: That shows it better than member by member, if there is one.
        members: What that wants besides.
    """
    trail = [Step(title="Start", href=f"{context.root}/"), Step(title="OGC API", href=f"{context.base}?f=html"), *above]
    given: dict[str, object] = {"lead": "", "base": context.base, "language": context.language, **members}
    return render_page(TEMPLATES, template, styled="page", title=title, document=document, trail=trail, **given)


def with_policy(response: Response, *, has_scripts: bool = False) -> Response:
    """Return the answer that is such a page with the policy under which it works."""
    policy = content_security_policy(TEMPLATES, images="'self'", has_scripts=has_scripts)
    response.headers["Content-Security-Policy"] = policy
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
