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
from chronotile.pipeline.encoders.document_parts import Credits
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
from chronotile.pygeoapi.archives import Served, asked
from chronotile.pygeoapi.grids import COVERAGE_JSON, json_of

Names = Sequence[str]


class EDRProvider(Served, BaseEDRProvider):  # type: ignore[misc]  # pygeoapi has no types
    """A collection or layer as series and cubes of its fields, by place.

    All answers but the list of locations are CoverageJSON, as values. pygeoapi calls each query with all that it knows;
    a `crs`, which only 0.24 reads, is that of coordinates and answers.
    """

    lacks_values = "there is nothing to retrieve"

    @asked
    def position(
        self, *, wkt: Geometry, select_properties: Names = (), datetime_: str | None = None, **others: object
    ) -> Json:
        """Return the values of the native cells that hold points.

        Raises:
            ProviderGenericError: Something of it is not accepted, or the source cannot be read.
        """
        crs = self._crs(others)
        request = PositionsRequest(
            layers=self._layers(select_properties), points=exchange.points_of(wkt, crs), time=parse_time(datetime_)
        )
        return self._series(resolve_positions(request, self._services, is_active=_always), crs)

    @asked
    def area(
        self, *, wkt: Geometry, select_properties: Names = (), datetime_: str | None = None, **others: object
    ) -> Json:
        """Return the native cells whose centre lies inside polygons.

        Raises:
            ProviderGenericError: Something of it is not accepted, is too large, or the source cannot be read.
        """
        return self._cells_in(exchange.area_of(wkt, self._crs(others)), select_properties, datetime_, others)

    @asked
    def radius(
        self,
        *,
        wkt: Geometry,
        within: str | None,
        within_units: str | None,
        select_properties: Names = (),
        datetime_: str | None = None,
        **others: object,
    ) -> Json:
        """Return the native cells whose centre lies within a distance of a point, along the ellipsoid.

        Raises:
            ProviderGenericError: Something of it is not accepted, is too large, or the source cannot be read.
        """
        points = exchange.points_of(wkt, self._crs(others))
        if len(points) != 1:
            raise InvalidParameter(f"coords must be one POINT here, got {len(points)} points", locator="coords")
        circle = circle_of(points[0], exchange.metres_of(within, within_units))
        return self._cells_in(circle, select_properties, datetime_, others)

    @asked
    def cube(
        self, *, bbox: Sequence[float], select_properties: Names = (), datetime_: str | None = None, **others: object
    ) -> Json:
        """Return the native cells in a box.

        Raises:
            ProviderGenericError: Something of it is not accepted, is too large, or the source cannot be read.
        """
        crs = self._crs(others)
        request = CoverageRequest(
            layers=self._layers(select_properties),
            trims=(Trim(box=exchange.box_of(bbox, crs), crs=crs),),
            time=parse_time(datetime_),
            crs=self._named_crs(others),
        )
        return self._cells(request)

    @asked
    def locations(
        self,
        *,
        location_id: str | None = None,
        bbox: Sequence[float] | None = None,
        select_properties: Names = (),
        datetime_: str | None = None,
        limit: int | None = None,
        **_others: object,
    ) -> Json:
        """Return the places that the configuration names, as GeoJSON, or what happened in one, `set:place`.

        Of a place it is the mean of the cells whose centre lies inside.

        Raises:
            ProviderGenericError: There is no such place, or something else is not accepted.
        """
        catalogue = self._services.catalogue
        if location_id is None:
            box = exchange.box_of(bbox, CRS84) if bbox else None
            return places_document(catalogue, self._offered.main_field, box=box, limit=limit)
        area = replace(catalogue.place(location_id.replace(BETWEEN, "/", 1)), id=location_id)
        request = AreasRequest(layers=self._layers(select_properties), areas=(area,), time=parse_time(datetime_))
        return self._series(resolve_areas(request, self._services, is_active=_always), CRS84)

    def get_query_types(self) -> list[str]:
        """Return the names of the queries that there are: `locations` only where there are places."""
        has_places = bool(self._services.catalogue.places)
        return [name for name in super().get_query_types() if has_places or name != "locations"]

    def _cells_in(self, area: Area, names: Names, datetime: str | None, others: Mapping[str, object]) -> Json:
        layers, crs = self._layers(names), self._named_crs(others)
        time = parse_time(datetime)
        return self._cells(CoverageRequest(layers=layers, time=time, crs=crs, area=area, area_locator="coords"))

    def _layers(self, names: Names) -> tuple[str, ...]:
        return exchange.named_layers(self._offered, names, locator="parameter-name")

    def _named_crs(self, others: Mapping[str, object]) -> Crs | None:
        """The requested CRS, of coordinates and of cells; none are in CRS84 and in the data's own."""
        name = getattr(others.get("crs_transform_spec"), "target_crs_uri", None)
        if name is None:
            return None
        return exchange.named_crs(name, self._offered, self._services.catalogue, locator="crs")

    def _crs(self, others: Mapping[str, object]) -> Crs:
        return self._named_crs(others) or CRS84

    def _series(self, target: FieldsTarget, crs: Crs) -> Json:
        named = Credits.of([self._offered])
        written = FieldsFormat(
            name=crs.name,
            media_type=COVERAGE_JSON_TYPE,
            encode=lambda table: encode_series_covjson(replace(table, credits=named), crs=crs, may_be_single=True),
        )
        return json_of(deliver_fields(target, written).body)

    def _cells(self, request: CoverageRequest) -> Json:
        return json_of(deliver_coverage(request, COVERAGE_JSON, self._services).body)


def _always() -> bool:
    return True


# Places that the configuration names, as locations of EDR (OGC 19-086r6 §8.2.7).

BETWEEN = ":"
"""Set and place in the id of a location, as `/ogcapi` has them: a slash would end the segment of the path."""


def places_document(catalogue: Catalogue, layer: Layer, *, box: BBox | None, limit: int | None) -> Json:
    """Return the places whose boxes meet a layer, and which meet a box in CRS84, as GeoJSON: each a point inside it."""
    sets = catalogue.places.values()
    found = [(places, number) for places in sets for number in places_near(places, layer, box).tolist()]
    return {
        "type": "FeatureCollection",
        "features": [_feature(places, number) for places, number in found[:limit]],
        "numberMatched": len(found),
    }


def _feature(places: PlaceSet, number: int) -> Json:
    shapes = shapes_in(places, CRS84)
    inside = shapely.point_on_surface(shapes.shapes[number])
    return {
        "type": "Feature",
        "id": f"{places.id}{BETWEEN}{places.ids[number]}",
        "bbox": shapes.bounds[number].tolist(),
        "geometry": {"type": "Point", "coordinates": [inside.x, inside.y]},
        "properties": {"label": places.labels[number]},
    }
