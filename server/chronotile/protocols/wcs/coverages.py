"""The coverages of WCS: the collections of OGC API that have values, under ids that XML allows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collection, offered_collections
from chronotile.core.errors import UnknownCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.crs import CRS84, Crs
from chronotile.core.model.grid import Grid
from chronotile.core.model.time.instants import InstantArray
from chronotile.core.xml_text import plain_name, xml_name
from chronotile.pipeline.coverage.grid import place_of
from chronotile.pipeline.mosaics import coverage_lattice, framed
from chronotile.pipeline.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class WcsCoverage:
    """A coverage that WCS offers."""

    id: str
    """An NCName."""
    offered: Offered

    @property
    def fields(self) -> Mapping[str, Layer]:
        """Layers by the NCNames of their variables; at least one, all on one grid."""
        return {xml_name(name): layer for name, layer in self.offered.fields.items()}

    @property
    def layer(self) -> Layer:
        """The first of the fields."""
        return self.offered.main_field

    @property
    def crs(self) -> Crs:
        """The native CRS; CRS84 where no authority names that of the data."""
        own = self.layer.main_variable.grid.crs
        return CRS84 if own.uri is None else own

    @property
    def instants(self) -> InstantArray:
        """(time,): those that any field has, ascending; empty without time."""
        return np.unique(np.concatenate([layer.times.instants for layer in self.offered.fields.values()]))

    @property
    def has_time(self) -> bool:
        """Whether there is an axis `time`."""
        return any(len(layer.times) for layer in self.offered.fields.values())

    def grid(self, services: Services, request: CoverageRequest | None = None) -> Grid:
        """Return the cells that a request means; without one those of the whole, in the native CRS."""
        request = request or CoverageRequest(layers=(self.layer.id,), crs=self.crs)
        on_lattice = framed([self.layer], services, coverage_lattice(self.layer, services, request.crs))
        return place_of(request, on_lattice.layers[0].main_variable.grid).grid


def offered_coverages(catalogue: Catalogue) -> Iterator[WcsCoverage]:
    """Return all, in the order of OGC API's collections."""
    for offered in offered_collections(catalogue):
        if offered.has_values:
            yield WcsCoverage(id=xml_name(offered.id), offered=offered)


def coverage_of(catalogue: Catalogue, name: str) -> WcsCoverage:
    """Return the coverage of an id, or of an alias.

    Raises:
        UnknownCollection: There is none.
    """
    offered = offered_collection(catalogue, plain_name(name))
    if not offered.has_values:
        raise UnknownCollection(f"{name} is not a coverage: it has colours, not values", locator="coverageId")
    return WcsCoverage(id=xml_name(offered.id), offered=offered)
