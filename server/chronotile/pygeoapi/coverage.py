"""Coverages for pygeoapi."""

from typing import Any

from pygeoapi.provider.base import BaseProvider

from chronotile.errors import UnknownCollection
from chronotile.pygeoapi.archives import opened
from chronotile.pygeoapi.described import Json, axes_of, chosen, coverage_properties, fields_of
from chronotile.pygeoapi.faults import worded


class CoverageProvider(BaseProvider):  # type: ignore[misc]  # pygeoapi has no types
    """A collection or layer as a coverage."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        with worded():
            self._services = opened(self.data)
            self._offered = chosen(self._services, self.options)
            if not self._offered.has_values:
                raise UnknownCollection(f"{self._offered.id} has colours but no values: it is no coverage")
        grid, times = self._offered.main_field.main_variable.grid, self._offered.times
        self.axes = axes_of(grid, times)
        self.crs = grid.crs.uri
        self.num_bands = len(self._offered.fields)
        self._coverage_properties = coverage_properties(grid, times)
        self._fields = self.get_fields()

    def get_fields(self) -> dict[str, Json]:
        """Return the schema of each field by its name."""
        return fields_of(self._offered)
