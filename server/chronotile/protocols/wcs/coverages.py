"""The coverages of WCS: the collections of OGC API that have values, under ids that XML allows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chronotile.catalog.offered import OfferedCollection, offered_collection, offered_collections
from chronotile.core.errors import UnknownCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageField, CoverageRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import InstantArray
from chronotile.core.xml_names import plain_name, xml_name
from chronotile.pipeline.coverage.extract import coverage_field
from chronotile.pipeline.coverage.grid import resolve_grid
from chronotile.pipeline.mosaic_lattices import align_layers, choose_coverage_lattice
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import geographic_box
from chronotile.protocols.common.query.crs import accepted_crs


@dataclass(frozen=True)
class WcsCoverage:
    """A coverage that WCS offers."""

    offered: OfferedCollection
    services: Services

    @property
    def id(self) -> str:
        """The collection's id as an NCName."""
        return xml_name(self.offered.id)

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """Layers by the NCNames of their variables; at least one, all on one grid."""
        return {xml_name(name): layer for name, layer in self.offered.fields.items()}

    @property
    def fields(self) -> Mapping[str, CoverageField]:
        """Fields as the files sent to clients contain them, by NCName."""
        return {name: coverage_field(layer) for name, layer in self.layers.items()}

    @property
    def layer(self) -> Layer:
        """The first of the fields."""
        return self.offered.main_field

    @property
    def crs(self) -> Crs:
        """The native CRS; CRS84 if the CRS of the data has no authority code."""
        native_crs = self.layer.main_variable.grid.crs
        return CRS84 if native_crs.uri is None else native_crs

    @property
    def accepted_crs(self) -> tuple[Crs, ...]:
        """The CRSs that requests may name, each with a code; the native CRS first."""
        accepted = accepted_crs(self.layer, self.services.catalogue)
        return tuple(crs for crs in dict.fromkeys((self.crs, *accepted)) if crs.uri)

    @property
    def box(self) -> BBox | None:
        """The extent in CRS84; `None` if the grid has no longitudes and latitudes."""
        return geographic_box(self.layer.main_variable.grid)

    @cached_property
    def instants(self) -> InstantArray:
        """(time,): instants of all fields together, ascending; empty without a time axis."""
        return np.unique(np.concatenate([layer.times.instants for layer in self.layers.values()]))

    @cached_property
    def grid(self) -> Grid:
        """All cells, in the native CRS."""
        return self.grid_of(CoverageRequest(layers=(self.layer.id,), crs=self.crs))

    def grid_of(self, request: CoverageRequest) -> Grid:
        """Return the cells that a request selects."""
        lattice = choose_coverage_lattice(self.layer, self.services, request.crs)
        return resolve_grid(
            request, align_layers([self.layer], self.services, lattice).layers[0].main_variable.grid
        ).grid


def offered_coverages(services: Services) -> Iterator[WcsCoverage]:
    """Return all coverages, in the order of the collections of OGC API."""
    return (
        WcsCoverage(collection, services)
        for collection in offered_collections(services.catalogue)
        if collection.has_values
    )


def coverage_of(services: Services, name: str) -> WcsCoverage:
    """Return the coverage with this id or alias.

    Raises:
        UnknownCollection: No collection has the name, or it has no values.
    """
    offered = offered_collection(services.catalogue, plain_name(name))
    if not offered.has_values:
        raise UnknownCollection(f"{name} is not a coverage: it has colours, not values", locator="coverageId")
    return WcsCoverage(offered, services)
