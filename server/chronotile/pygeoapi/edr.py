"""Environmental data retrieval for pygeoapi."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import shapely
from pygeoapi.provider.base_edr import BaseEDRProvider
from shapely import Geometry

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageRequest, Trim
from chronotile.core.model.formats import COVERAGE_JSON_TYPE
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.geometry.circle import circle_of
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.request import AreasRequest, PositionsRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.types import Json
from chronotile.pipeline.coverage.deliver import deliver_coverage
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.series.covjson import encode_series_covjson
from chronotile.pipeline.features.select import places_near
from chronotile.pipeline.place_shapes import shapes_in
from chronotile.pipeline.series.fields import (
    FieldsFormat,
    FieldsTarget,
    deliver_fields,
    resolve_areas,
    resolve_positions,
)
from chronotile.pygeoapi import exchange
from chronotile.pygeoapi.archives import ServedCollection, answer_query
from chronotile.pygeoapi.grids import COVERAGE_JSON, json_of

Names = Sequence[str]


class EDRProvider(ServedCollection, BaseEDRProvider):  # type: ignore[misc]  # pygeoapi has no types
    """Series and cubes of the fields of a collection or layer.

    All answers except the list of locations are CoverageJSON documents. pygeoapi calls each query with all its
    arguments; `crs`, which only version 0.24 reads, applies to coordinates and answers.
    """

    lacks_values = "there is nothing to retrieve"

    @answer_query
    def position(
        self, *, wkt: Geometry, select_properties: Names = (), datetime_: str | None = None, **arguments: object
    ) -> Json:
        """Return the values of the native cells that contain points.

        Raises:
            ProviderGenericError: An argument is not accepted, or the source cannot be read.
        """
        crs = self._crs(arguments)
        request = PositionsRequest(
            layers=self._layers(select_properties), points=exchange.points_of(wkt, crs), time=parse_time(datetime_)
        )
        return self._series(resolve_positions(request, self._services, is_active=_always), crs)

    @answer_query
    def area(
        self, *, wkt: Geometry, select_properties: Names = (), datetime_: str | None = None, **arguments: object
    ) -> Json:
        """Return the native cells whose centre lies inside polygons.

        Raises:
            ProviderGenericError: An argument is not accepted, the answer is too large, or the source cannot be read.
        """
        return self._cells_in(exchange.area_of(wkt, self._crs(arguments)), select_properties, datetime_, arguments)

    @answer_query
    def radius(
        self,
        *,
        wkt: Geometry,
        within: str | None,
        within_units: str | None,
        select_properties: Names = (),
        datetime_: str | None = None,
        **arguments: object,
    ) -> Json:
        """Return the native cells whose centre lies within a distance of a point, along the ellipsoid.

        Raises:
            ProviderGenericError: An argument is not accepted, the answer is too large, or the source cannot be read.
        """
        points = exchange.points_of(wkt, self._crs(arguments))
        if len(points) != 1:
            raise InvalidParameter(f"coords must be one POINT here, got {len(points)} points", locator="coords")
        circle = circle_of(points[0], exchange.metres_of(within, within_units))
        return self._cells_in(circle, select_properties, datetime_, arguments)

    @answer_query
    def cube(
        self, *, bbox: Sequence[float], select_properties: Names = (), datetime_: str | None = None, **arguments: object
    ) -> Json:
        """Return the native cells in a box.

        Raises:
            ProviderGenericError: An argument is not accepted, the answer is too large, or the source cannot be read.
        """
        crs = self._crs(arguments)
        request = CoverageRequest(
            layers=self._layers(select_properties),
            trims=(Trim(box=exchange.box_of(bbox, crs), crs=crs),),
            time=parse_time(datetime_),
            crs=self._requested_crs(arguments),
        )
        return self._cells(request)

    @answer_query
    def locations(
        self,
        *,
        location_id: str | None = None,
        bbox: Sequence[float] | None = None,
        select_properties: Names = (),
        datetime_: str | None = None,
        limit: int | None = None,
        **_arguments: object,
    ) -> Json:
        """Return the configured places as GeoJSON or, with a `location_id` (`set:place`), the series of one place.

        The series is the mean of the cells whose centre lies inside the place.

        Raises:
            ProviderGenericError: The place does not exist, or an argument is not accepted.
        """
        catalogue = self._services.catalogue
        if location_id is None:
            box = exchange.box_of(bbox, CRS84) if bbox else None
            return places_document(catalogue, self._offered.main_field, box=box, limit=limit)
        area = replace(catalogue.place(location_id.replace(ID_SEPARATOR, "/", 1)), id=location_id)
        request = AreasRequest(layers=self._layers(select_properties), areas=(area,), time=parse_time(datetime_))
        return self._series(resolve_areas(request, self._services, is_active=_always), CRS84)

    def get_query_types(self) -> list[str]:
        """Return the names of the supported queries; `locations` requires configured places."""
        has_places = bool(self._services.catalogue.places)
        return [name for name in super().get_query_types() if has_places or name != "locations"]

    def _cells_in(self, area: Area, names: Names, datetime: str | None, arguments: Mapping[str, object]) -> Json:
        layers, crs = self._layers(names), self._requested_crs(arguments)
        time = parse_time(datetime)
        return self._cells(CoverageRequest(layers=layers, time=time, crs=crs, area=area, area_locator="coords"))

    def _layers(self, names: Names) -> tuple[str, ...]:
        return exchange.named_layers(self._offered, names, locator="parameter-name")

    def _requested_crs(self, arguments: Mapping[str, object]) -> Crs | None:
        """Return the requested CRS; `None` means CRS84 for coordinates and the native CRS for cells."""
        name = getattr(arguments.get("crs_transform_spec"), "target_crs_uri", None)
        if name is None:
            return None
        return exchange.named_crs(name, self._offered, self._services.catalogue, locator="crs")

    def _crs(self, arguments: Mapping[str, object]) -> Crs:
        return self._requested_crs(arguments) or CRS84

    def _series(self, target: FieldsTarget, crs: Crs) -> Json:
        credits_ = Credits.from_layers([self._offered])
        fields_format = FieldsFormat(
            name=crs.name,
            media_type=COVERAGE_JSON_TYPE,
            encode=lambda table: encode_series_covjson(replace(table, credits=credits_), crs=crs, may_be_single=True),
        )
        return json_of(deliver_fields(target, fields_format).body)

    def _cells(self, request: CoverageRequest) -> Json:
        return json_of(deliver_coverage(request, COVERAGE_JSON, self._services).body)


def _always() -> bool:
    return True


ID_SEPARATOR = ":"
"""Between set and place in the id of a location, like in `/ogcapi`; a slash would end the segment of the path."""


def places_document(catalogue: Catalogue, layer: Layer, *, box: BBox | None, limit: int | None) -> Json:
    """Return the places in the area of a layer and of `box` (CRS84) as GeoJSON (OGC 19-086r6 §8.2.7).

    The geometry of a place is a point inside it.
    """
    sets = catalogue.places.values()
    matches = [(places, number) for places in sets for number in places_near(places, layer, box).tolist()]
    return {
        "type": "FeatureCollection",
        "features": [_feature(places, number) for places, number in matches[:limit]],
        "numberMatched": len(matches),
    }


def _feature(places: PlaceSet, number: int) -> Json:
    shapes = shapes_in(places, CRS84)
    inside = shapely.point_on_surface(shapes.shapes[number])
    return {
        "type": "Feature",
        "id": f"{places.id}{ID_SEPARATOR}{places.ids[number]}",
        "bbox": shapes.bounds[number].tolist(),
        "geometry": {"type": "Point", "coordinates": [inside.x, inside.y]},
        "properties": {"label": places.labels[number]},
    }
