"""A layer as QGIS adds it to a map: its WMS, with the times that the temporal controller steps through."""

from dataclasses import dataclass
from urllib.parse import quote

from chronotile.catalog.catalogue import Catalogue
from chronotile.encoders.instants import format_instants
from chronotile.errors import UnknownPath
from chronotile.model.collection import Layer
from chronotile.model.time.instants import format_instant
from chronotile.protocols.common.capabilities.crs_names import wms_name
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.capabilities.time_extent import time_extent
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.responses.xml import render_xml

MEDIA_TYPE = "application/x-qgis-layer-definition"
PREFERRED_CRS = "EPSG:3857"
SRSID = 3857
"""QGIS's own number of a CRS: it reads the authority's code only beside a number from 1 to 99,999, whatever that is."""
NO_DPI = 0
"""Pictures are requested pixel by pixel, without parameters for the resolution of the screen."""
MAX_LISTED = 10_000
"""Times that are listed one by one, 21 bytes each. QGIS reads listed times correctly, but counts a month as 30 days,
and uses only the last of interleaved intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The times as QGIS takes them."""

    id: str
    title: str
    crs: str
    srsid: int
    source: str
    """The provider's own address, as `QgsDataSourceUri` encodes it."""
    first: str | None
    last: str | None
    """Of the times; `None` of a layer without."""


def layer_definition(name: str, layer: Layer, context: CapabilitiesContext) -> bytes:
    """Return the layer definition of a layer, under one of its names.

    Raises:
        UnknownPath: The service has no WMS, or maps in no reference system with a code.
    """
    catalogue = context.services.catalogue
    path, crs = next(iter(catalogue.service.wms_paths), None), _crs(catalogue)
    if path is None or crs is None:
        raise UnknownPath("there is no WMS that QGIS could show this layer by")
    parameters = {
        **_times(layer, context),
        "crs": crs,
        "dpiMode": str(NO_DPI),
        "format": "image/png",
        "layers": name,
        "styles": layer.styles[0].id,
        "url": f"{context.base}{path}",
    }
    definition = Definition(
        id=f"{name}_chronotile",
        title=text_in(layer.title, context.language) or name,
        crs=crs,
        srsid=SRSID,
        source="&".join(f"{key}={quote(value, safe='/:,')}" for key, value in parameters.items()),
        first=format_instant(layer.times.instants[0]) if len(layer.times) else None,
        last=format_instant(layer.times.instants[-1]) if len(layer.times) else None,
    )
    return render_xml("layers/templates/layer_definition.xml", definition=definition)


def _crs(catalogue: Catalogue) -> str | None:
    names = [name for crs in catalogue.crs if (name := wms_name(crs)) is not None]
    return PREFERRED_CRS if PREFERRED_CRS in names else next(iter(names), None)


def _times(layer: Layer, context: CapabilitiesContext) -> dict[str, str]:
    extent = time_extent(layer, context.services.clock())
    if extent is None:
        return {}
    # QGIS takes a day without a time of day for midnight where it runs, so each has one, in UTC.
    instants = layer.times.instants
    values = extent.values if len(instants) > MAX_LISTED else [text or "" for text in format_instants(instants)]
    return {
        "type": "wmst",
        "allowTemporalUpdates": "true",
        "temporalSource": "provider",
        "timeDimensionExtent": ",".join(values),
    }
