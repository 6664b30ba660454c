"""What documents are made of, and for whom."""

from dataclasses import dataclass

from chronotile.model.time.instants import Instant
from chronotile.pipeline.services import Services
from chronotile.protocols.ogcapi.block import DocumentContext


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionContext:
    """The subject of one document, in one language."""

    services: Services
    document: DocumentContext
    has_viewer: bool
    """Whether there is a viewer to lead to."""

    @property
    def now(self) -> Instant:
        """What time it is."""
        return self.services.clock()
