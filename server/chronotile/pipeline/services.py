"""What the verbs work with: the catalogue, the open sources, the clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import SourceUnavailable
from chronotile.model.collection import Clock, Layer
from chronotile.readers.reader import Reader


@dataclass(frozen=True, slots=True)
class KeptRevision:
    """The state of a layer as it was found not long ago."""

    revision: str
    found_s: float
    """By the monotonic clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a verb needs besides its request; built once by `create_app`."""

    catalogue: Catalogue
    readers: Mapping[str, Reader]
    """By collection id."""
    clock: Clock
    layer_revisions: dict[str, KeptRevision] = field(default_factory=dict)
    """By layer id; `pipeline.revision` keeps them here."""

    def reader(self, layer: Layer) -> Reader:
        """Return the open source of a layer.

        Raises:
            SourceUnavailable: It did not open.
        """
        reader = self.readers.get(layer.collection)
        if reader is None:
            raise SourceUnavailable(f"the source of layer {layer.id} is not open")
        return reader
