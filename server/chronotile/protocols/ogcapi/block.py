"""The building block of OGC API: everything that one standard adds to `/ogcapi`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.types import Json
from chronotile.http.server_state import ServerState
from chronotile.protocols.common.operation import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentContext:
    """Catalogue, address and language that documents are written with."""

    catalogue: Catalogue
    root: str
    """Public URL of the whole server, without a slash at the end."""
    language: str

    @property
    def base(self) -> str:
        """Public URL of the landing page of OGC API."""
        return f"{self.root}/ogcapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingBlock:
    """Operations, schemas, links and document members of one standard.

    Documents of `/ogcapi` (landing page, conformance, collections, OpenAPI) are assembled from all building blocks.
    """

    operations: Sequence[Operation]
    """Paths are relative to `/ogcapi`."""
    conformance: tuple[str, ...]
    """URIs of conformance classes that are implemented and tested."""
    allowed_conformance: Callable[[ServerState], Sequence[str]] = field(default=lambda _state: ())
    """URIs of classes that depend on a permission of the operator."""
    schemas: Mapping[str, Json] = field(default_factory=dict)
    """OpenAPI 3.0 schemas of the operations; names start with the block's name."""
    operations_of: Callable[[Catalogue], Sequence[Operation]] = field(default=lambda _catalogue: ())
    """Operations that documents list in addition, with ids instead of variables in their paths."""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    """OpenAPI 3.0 parameters that clients read from `components`."""
    landing_links: Callable[[DocumentContext], Sequence[Json]] = field(default=lambda _context: ())
    landing_members: Callable[[DocumentContext], Mapping[str, Any]] = field(default=lambda _context: {})
    """Additional members of the landing page."""
    collection_links: Callable[[OfferedCollection, DocumentContext], Sequence[Json]] = field(
        default=lambda _offered, _context: ()
    )
    collection_members: Callable[[OfferedCollection, DocumentContext], Mapping[str, Any]] = field(
        default=lambda _offered, _context: {}
    )
    """Additional members of a collection's description, such as `data_queries`."""
    further_collections: Callable[[DocumentContext], Sequence[Json]] = field(default=lambda _context: ())
    """Descriptions of collections that the configuration does not list; they come last."""


NO_QUERIES: Mapping[str, Any] = {"data_queries": {}, "parameter_names": {}, "output_formats": []}
"""Members of a collection without values. OGC 19-086r6 requires them for every collection of a list."""
