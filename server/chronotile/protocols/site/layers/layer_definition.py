"""Layer definitions for QGIS: the WMS of a layer, with the times of its temporal controller."""

from dataclasses import dataclass
from urllib.parse import quote

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import UnknownPath
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.time.instants import format_instant
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.protocols.common.capabilities.crs_names import wms_name
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.capabilities.time_extent import time_extent
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.xml import render_xml

LAYER_DEFINITION_TYPE = "application/x-qgis-layer-definition"
PREFERRED_CRS = "EPSG:3857"
SRSID = 3857
"""Internal number of the CRS in QGIS: any number from 1 to 99,999 is required, or QGIS ignores the authority's code."""
NO_DPI = 0
"""Pictures have the requested size in pixels; no parameters for the resolution of the screen are sent."""
MAX_LISTED = 10_000
"""Times that are listed singly, 21 bytes per time. QGIS counts a month as 30 days, and of interleaved
intervals it uses only the last, but it reads listed times correctly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The parts of a layer definition."""

    id: str
    title: str
    crs: str
    srsid: int
    source: str
    """Data source of the provider in the encoding of `QgsDataSourceUri`."""
    first: str | None
    last: str | None
    """First and last time; `None` for a layer without times."""


def layer_definition(name: str, layer: Layer, context: CapabilitiesContext) -> bytes:
    """Return the layer definition of a layer, under one of its names.

    Raises:
        UnknownPath: The service has no WMS, or none of its CRSs has a code.
    """
    catalogue = context.services.catalogue
    path, crs = next(iter(catalogue.service.wms_paths), None), _crs(catalogue)
    if path is None or crs is None:
        raise UnknownPath("QGIS cannot show this layer: the server offers no WMS, or no CRS with a code")
    parameters = {
        **_times(layer, context),
        "crs": crs,
        "dpiMode": str(NO_DPI),
        "format": MapFormat.PNG,
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
    return render_xml("site/layers/templates/layer_definition.xml", definition=definition)


def _crs(catalogue: Catalogue) -> str | None:
    names = [name for crs in catalogue.crs if (name := wms_name(crs)) is not None]
    return PREFERRED_CRS if PREFERRED_CRS in names else next(iter(names), None)


def _times(layer: Layer, context: CapabilitiesContext) -> dict[str, str]:
    extent = time_extent(layer, context.services.clock())
    if extent is None:
        return {}
    # QGIS reads a day without a time as midnight in its time zone, so each has a time in UTC.
    instants = layer.times.instants
    values = extent.values if len(instants) > MAX_LISTED else [text or "" for text in format_instants(instants)]
    return {
        "type": "wmst",
        "allowTemporalUpdates": "true",
        "temporalSource": "provider",
        "timeDimensionExtent": ",".join(values),
    }
