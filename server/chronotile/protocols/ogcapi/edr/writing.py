"""How answers of data queries are written."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from urllib.parse import urlencode

from chronotile.encoders.covjson_fields import encode_fields_covjson
from chronotile.encoders.csv_fields import encode_fields_csv
from chronotile.encoders.geojson_fields import encode_fields_geojson
from chronotile.encoders.netcdf_fields import encode_fields_netcdf
from chronotile.encoders.place_series import Credits
from chronotile.model.area import Area
from chronotile.model.collection import Layer
from chronotile.model.crs import Crs
from chronotile.model.field_series import FieldsSeries
from chronotile.model.request import Point
from chronotile.pipeline.extract_fields import FieldsFormat
from chronotile.protocols.ogcapi.edr.formats import COVERAGE_JSON, CSV, GEOJSON, NETCDF
from chronotile.protocols.ogcapi.edr.locations import location_address
from chronotile.protocols.ogcapi.offered import Offered


def fields_format(name: str, media_type: str, *, offered: Offered, crs: Crs, address: str) -> FieldsFormat:
    """Return how series of several variables are written.

    Args:
        name: Of the format, as EDR has it.
        media_type: Under which it leaves.
        offered: The collection that they are of.
        crs: Of the coordinates.
        address: Public URL of the collection.
    """
    named = credits_of(tuple(offered.fields.values()), offered)
    encoders: dict[str, Callable[[FieldsSeries], Iterable[bytes]]] = {
        COVERAGE_JSON: partial(encode_fields_covjson, crs=crs, credits=named),
        GEOJSON: partial(encode_fields_geojson, endpoint_of=partial(endpoint_of, address=address), credits=named),
        CSV: encode_fields_csv,
        NETCDF: partial(encode_fields_netcdf, title=offered.id, credits=named),
    }
    return FieldsFormat(name=f"{name} {crs.name} {address}", media_type=media_type, encode=encoders[name])


def endpoint_of(place: Point | Area, *, address: str) -> str:
    """Return the URL of the query for one place of a collection."""
    if isinstance(place, Area):
        return location_address(address, str(place.id))
    longitude, latitude = place.degrees
    return f"{address}/position?{urlencode({'coords': f'POINT({longitude!r} {latitude!r})'})}"


def credits_of(layers: Sequence[Layer], offered: Offered) -> Credits:
    """Return whom answers of some layers of a collection name, each once."""
    return Credits(
        attribution=_joined(layer.attribution or offered.attribution for layer in layers),
        license=_joined(layer.license or offered.license for layer in layers),
    )


def _joined(texts: Iterable[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None
