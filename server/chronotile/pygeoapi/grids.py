"""Coverages and maps for pygeoapi."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pygeoapi.provider.base import BaseProvider

from chronotile.core.errors import InvalidParameter, UnsupportedFormat
from chronotile.core.model.coverage import CoverageRequest, Trim
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs, crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.types import Json
from chronotile.pipeline.coverage.deliver import deliver_coverage
from chronotile.pipeline.encoders.bodies import Body
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pygeoapi import exchange
from chronotile.pygeoapi.archives import ServedCollection, answer_query

COVERAGE_JSON = "json"
NO_SUBSETS: Mapping[str, exchange.SubsetEnds] = {}


class CoverageProvider(ServedCollection, BaseProvider):  # type: ignore[misc]  # pygeoapi has no types
    """A collection or layer as a coverage of native cells.

    Formats are CoverageJSON and the format in the configuration: `GTiff`, `NetCDF`, `zarr` or `png`.
    """

    lacks_values = "it is not a coverage"

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        grid, times = self._offered.main_field.main_variable.grid, self._offered.times
        self.axes = exchange.axes_of(grid, times)
        self.crs = grid.crs.uri
        self.num_bands = len(self._offered.fields)
        self._coverage_properties = exchange.coverage_properties(grid, times)

    @answer_query
    def query(
        self,
        properties: Sequence[str] = (),
        subsets: Mapping[str, exchange.SubsetEnds] = NO_SUBSETS,
        bbox: Sequence[float] = (),
        bbox_crs: str | None = None,
        *,
        datetime_: str | None = None,
        format_: str = COVERAGE_JSON,
        **_arguments: object,
    ) -> Json | bytes:
        """Return native cells: a CoverageJSON document, or a file.

        Args:
            properties: Names of fields or ids of layers; empty means all.
            subsets: First and last value, or one value, by native axis or `time`.
            bbox: Four or six numbers in the axis order of `bbox_crs`.
            bbox_crs: URI, URN or code of a CRS; `None` means CRS84.
            datetime_: Instant, interval or list; `None` means all times.
            format_: Name of a format.

        Raises:
            ProviderGenericError: An argument is not accepted, the answer is too large, or the source cannot be read.
        """
        native_crs = self._offered.main_field.main_variable.grid.crs
        request = CoverageRequest(
            layers=exchange.named_layers(self._offered, properties, locator="properties"),
            trims=(*self._box(bbox, bbox_crs), *exchange.trims_of(subsets, native_crs)),
            time=exchange.time_of(datetime_, subsets),
        )
        delivery = deliver_coverage(request, format_, self._services)
        self.filename = delivery.file_name
        return json_of(delivery.body) if format_ == COVERAGE_JSON else read_body(delivery.body)

    def _box(self, numbers: Sequence[float], crs_name: str | None) -> tuple[Trim, ...]:
        crs: Crs = exchange.named_crs(crs_name, self._offered, self._services.catalogue, locator="bbox-crs")
        return (Trim(box=exchange.box_of(numbers, crs), crs=crs),) if numbers else ()


def read_body(body: Body) -> bytes:
    """Return all bytes of a body: pygeoapi cannot stream."""
    try:
        return b"".join(body.iter_bytes())
    finally:
        body.close()


def json_of(body: Body) -> Json:
    """Return the JSON document in a body."""
    document: Json = orjson.loads(read_body(body))
    return document


FORMATS: dict[str, MapFormat] = {"png": MapFormat.PNG, "jpeg": MapFormat.JPEG, "webp": MapFormat.WEBP}
WHITE = (255, 255, 255)


class MapProvider(ServedCollection, BaseProvider):  # type: ignore[misc]  # pygeoapi has no types
    """Maps of a collection or layer."""

    @answer_query
    def query(  # noqa: PLR0913 -- as pygeoapi calls it
        self,
        style: str | None = None,
        bbox: Sequence[float] = (-180.0, -90.0, 180.0, 90.0),
        width: int = 500,
        height: int = 300,
        *,
        crs: str = "CRS84",
        datetime_: str | None = None,
        transparent: object = True,
        format_: str = "png",
        **_arguments: object,
    ) -> bytes:
        """Return the picture of a box.

        Args:
            style: Id of a style; `None` means the first one of the collection.
            bbox: x before y, in `crs`.
            width: Columns.
            height: Rows.
            crs: URI, URN or code of the CRS of the box and the picture.
            datetime_: Instant or interval; `None` means the default time.
            transparent: Whether pixels without a value are transparent.
            format_: `png`, `jpeg` or `webp`.

        Raises:
            ProviderGenericError: An argument is not accepted, or the source cannot be read.
        """
        if format_ not in FORMATS:
            raise UnsupportedFormat(f"f {format_[:60]!r} is not accepted; use {', '.join(FORMATS)}", locator="f")
        if width < 1 or height < 1:
            raise InvalidParameter(f"width and height must be at least 1, got {width} and {height}")
        system = crs_of("CRS84") if crs == "CRS84" else self._services.catalogue.offered_crs(crs)
        is_opaque = str(transparent).lower() == "false"
        request = MapRequest(
            layer=self._offered.drawn_layer.id,
            grid=Grid(crs=system, bbox=BBox(*bbox), width=width, height=height),
            time=parse_time(datetime_),
            style=style or "",
            format=FORMATS[format_],
            background=WHITE if is_opaque else None,
        )
        return overlay_maps([request], self._services).body
