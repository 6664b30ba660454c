"""Environmental data retrieval for pygeoapi."""

from collections.abc import Sequence
from typing import Any

import orjson
import shapely
from pygeoapi.provider.base_edr import BaseEDRProvider

from chronotile.encoders.covjson_fields import encode_fields_covjson
from chronotile.encoders.place_series import Credits
from chronotile.errors import UnknownCollection
from chronotile.model.coverage import CoverageRequest, Trim
from chronotile.model.crs import Crs
from chronotile.model.field_series import PositionsRequest
from chronotile.model.time import parse_time
from chronotile.pipeline.deliver_coverage import deliver_coverage
from chronotile.pipeline.extract_fields import FieldsFormat, FieldsTarget, deliver_fields, resolve_positions
from chronotile.pygeoapi.archives import opened
from chronotile.pygeoapi.asking import area_of, box_of, named_crs, named_layers, points_of
from chronotile.pygeoapi.coverage import COVERAGE_JSON, whole
from chronotile.pygeoapi.described import Json, chosen, fields_of
from chronotile.pygeoapi.faults import worded


class EDRProvider(BaseEDRProvider):  # type: ignore[misc]  # pygeoapi has no types
    """A collection or layer as series and cubes of its fields, by place.

    All answers are CoverageJSON, as values. pygeoapi calls each query with all that it knows; of a `crs`, which 0.24
    reads, coordinates and answers are.
    """

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        with worded():
            self._services = opened(self.data)
            self._offered = chosen(self._services, self.options)
            if not self._offered.has_values:
                raise UnknownCollection(f"{self._offered.id} has colours but no values: there is nothing to retrieve")
        self._fields = self.get_fields()

    def get_fields(self) -> dict[str, Json]:
        """Return the schema of each field by its name."""
        return fields_of(self._offered)

    def position(
        self,
        *,
        wkt: shapely.Geometry,
        select_properties: Sequence[str] = (),
        datetime_: str | None = None,
        **others: object,
    ) -> Json:
        """Return the values of the native cells that hold points.

        Raises:
            ProviderGenericError: Something of it is not accepted, or the source cannot be read.
        """
        with worded():
            crs = self._crs(others)
            request = PositionsRequest(
                layers=self._layers(select_properties), points=points_of(wkt, crs), time=parse_time(datetime_)
            )
            return self._series(resolve_positions(request, self._services, is_wanted=_always), crs)

    def area(
        self,
        *,
        wkt: shapely.Geometry,
        select_properties: Sequence[str] = (),
        datetime_: str | None = None,
        **others: object,
    ) -> Json:
        """Return the native cells whose centre lies inside polygons.

        Raises:
            ProviderGenericError: Something of it is not accepted, is too large, or the source cannot be read.
        """
        with worded():
            request = CoverageRequest(
                layers=self._layers(select_properties),
                time=parse_time(datetime_),
                area=area_of(wkt, self._crs(others)),
                area_locator="coords",
            )
            return self._cells(request)

    def cube(
        self,
        *,
        bbox: Sequence[float],
        select_properties: Sequence[str] = (),
        datetime_: str | None = None,
        **others: object,
    ) -> Json:
        """Return the native cells in a box.

        Raises:
            ProviderGenericError: Something of it is not accepted, is too large, or the source cannot be read.
        """
        with worded():
            crs = self._crs(others)
            request = CoverageRequest(
                layers=self._layers(select_properties),
                trims=(Trim(box=box_of(bbox, crs), crs=crs),),
                time=parse_time(datetime_),
            )
            return self._cells(request)

    def _layers(self, names: Sequence[str]) -> tuple[str, ...]:
        return named_layers(self._offered, names, locator="parameter-name")

    def _crs(self, others: dict[str, object]) -> Crs:
        name = getattr(others.get("crs_transform_spec"), "target_crs_uri", None)
        return named_crs(name, self._offered, self._services.catalogue, locator="crs")

    def _series(self, target: FieldsTarget, crs: Crs) -> Json:
        named = Credits(attribution=self._offered.attribution, license=self._offered.license)
        written = FieldsFormat(
            name=crs.name,
            media_type="application/prs.coverage+json",
            encode=lambda series: encode_fields_covjson(series, crs=crs, credits=named),
        )
        document: Json = orjson.loads(b"".join(deliver_fields(target, written).pieces))
        return document

    def _cells(self, request: CoverageRequest) -> Json:
        delivery = deliver_coverage(request, COVERAGE_JSON, self._services)
        document: Json = orjson.loads(whole(delivery.body))
        return document


def _always() -> bool:
    return True
