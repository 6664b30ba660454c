"""Maps for pygeoapi."""

from collections.abc import Sequence
from typing import Any

from pygeoapi.provider.base import BaseProvider

from chronotile.errors import InvalidParameter, UnsupportedFormat
from chronotile.model.crs import crs_of
from chronotile.model.grid import BBox, Grid
from chronotile.model.request import MapRequest, PictureFormat
from chronotile.model.time.parser import parse_time
from chronotile.pipeline.maps.render import render_map
from chronotile.pygeoapi.archives import services_of
from chronotile.pygeoapi.described import Json, chosen, fields_of
from chronotile.pygeoapi.faults import translate_errors

FORMATS: dict[str, PictureFormat] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
WHITE = (255, 255, 255)


class MapProvider(BaseProvider):  # type: ignore[misc]  # pygeoapi has no types
    """A collection or layer as pictures."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        with translate_errors():
            self._services = services_of(self.data)
            self._offered = chosen(self._services, self.options)
        self._fields = self.get_fields()

    def get_fields(self) -> dict[str, Json]:
        """Return the schema of each field by its name."""
        return fields_of(self._offered)

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
        **_others: object,
    ) -> bytes:
        """Return the picture of a box.

        Args:
            style: Id; the collection's first where there is none.
            bbox: x before y, in `crs`.
            width: Columns.
            height: Rows.
            crs: URI, URN or code of the CRS of the box and the picture.
            datetime_: Instant or interval; the default time where there is none.
            transparent: Whether pixels without a value let through what is below.
            format_: `png`, `jpeg` or `webp`.

        Raises:
            ProviderGenericError: Something of it is not accepted, or the source cannot be read.
        """
        with translate_errors():
            if format_ not in FORMATS:
                raise UnsupportedFormat(f"f {format_[:60]!r} is not accepted; use {', '.join(FORMATS)}", locator="f")
            if width < 1 or height < 1:
                raise InvalidParameter(f"width and height must be at least 1, got {width} and {height}")
            catalogue = self._services.catalogue
            system = crs_of("CRS84") if crs == "CRS84" else catalogue.offered_crs(crs)
            is_opaque = str(transparent).lower() == "false"
            request = MapRequest(
                layer=self._offered.drawn.id,
                grid=Grid(crs=system, bbox=BBox(*bbox), width=width, height=height),
                time=parse_time(datetime_),
                style=style or "",
                format=FORMATS[format_],
                background=WHITE if is_opaque else None,
            )
            return render_map(request, self._services).body
