"""A building block of OGC API: what one standard brings to the tree."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import BaseRoute

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.protocols.common.state import ServerState

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link of a document (RFC 8288)."""

    rel: str
    href: str
    type: str | None
    """Media type, where it is known."""
    title: str
    is_template: bool = False

    def document(self) -> Json:
        """Return it as JSON."""
        of_type = {} if self.type is None else {"type": self.type}
        written = {"rel": self.rel, "href": self.href, **of_type, "title": self.title}
        return {**written, "templated": True} if self.is_template else written


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentContext:
    """What documents are made of, and for whom."""

    catalogue: Catalogue
    root: str
    """Public URL of the whole server, without a slash at the end."""
    language: str

    @property
    def base(self) -> str:
        """Public URL of the tree."""
        return f"{self.root}/ogcapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingBlock:
    """What one standard brings."""

    routes: Sequence[BaseRoute]
    """Below `/ogcapi`."""
    conformance: tuple[str, ...]
    """Classes that hold and are tested."""
    allowed_conformance: Callable[[ServerState], Sequence[str]] = field(default=lambda _state: ())
    """More of them, which hold where the operator allows what they need."""
    paths: Callable[[Catalogue], Mapping[str, Json]] = field(default=lambda _catalogue: {})
    """OpenAPI 3.0 path items, by paths below `/ogcapi`."""
    schemas: Mapping[str, Json] = field(default_factory=dict)
    """OpenAPI 3.0 schemas that those refer to, by names that begin with the block's."""
    landing_links: Callable[[DocumentContext], Sequence[Link]] = field(default=lambda _told: ())
    landing_members: Callable[[DocumentContext], Mapping[str, Any]] = field(default=lambda _told: {})
    """More members of the landing page."""
    collection_links: Callable[[Offered, DocumentContext], Sequence[Link]] = field(default=lambda _offered, _told: ())
    collection_members: Callable[[Offered, DocumentContext], Mapping[str, Any]] = field(
        default=lambda _offered, _told: {}
    )
    """More members of a collection's description, such as `data_queries`."""
    further_collections: Callable[[DocumentContext], Sequence[Json]] = field(default=lambda _told: ())
    """Descriptions of collections that are not made of the configuration, listed after all others."""
