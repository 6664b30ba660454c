"""Offer of the job that writes a coverage which is too large for a request."""

import math
from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageRequest, Trim
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.types import Json
from chronotile.http.job_offers import JobOffer
from chronotile.jobs.processes.export import MAX_BYTES
from chronotile.pipeline.estimate import LIMIT
from chronotile.protocols.common.job_inputs import bbox_input, crs_input, datetime_input, format_input, names_input

OF_FORMATS = ("max_series_values", "max_features", "max_pixels")
"""Limits of formats that the process does not write: values, features, pixels."""
BYTES_A_VALUE = 8
"""Maximum size of a value."""
LIMITS: Mapping[str, float] = {
    "max_coverage_bytes": MAX_BYTES,
    LIMIT: math.inf,
    **dict.fromkeys(OF_FORMATS, MAX_BYTES / BYTES_A_VALUE),
}


def export_offer(request: CoverageRequest, name: str, catalogue: Catalogue) -> JobOffer | None:
    """Return the job; `None` if the request is for an area, or for cells that are not native.

    Args:
        request: Coverage request, with its scale.
        name: Format in the spelling of the process.
        catalogue: Catalogue of the layers.

    Raises:
        UnsupportedCrs: No process accepts a CRS of the request.
    """
    is_resampled = request.crs is not None and request.resampling is not None
    if request.scale is not None or request.area is not None or is_resampled or len(request.trims) > 1:
        return None
    layer = catalogue.layer(request.layers[0])
    format_, notes = format_input("export", name, otherwise="GTiff")
    inputs = {
        "layer": names_input(request.layers),
        **datetime_input(request.time),
        **_box(request.trims, layer, catalogue),
        **({} if request.crs is None else {"crs": crs_input(request.crs, layer, catalogue)}),
        **format_,
    }
    return JobOffer(process="export", inputs=inputs, limits=LIMITS, notes=notes)


def _box(trims: tuple[Trim, ...], layer: Layer, catalogue: Catalogue) -> Json:
    """Return the box; open edges become the edges of the layer."""
    if not trims:
        return {}
    (trim,) = trims
    extent = layer.main_variable.grid.bbox_in(trim.crs)
    box = BBox(*(edge if math.isfinite(edge) else end for edge, end in zip(trim.box, extent, strict=True)))
    return bbox_input(box, trim.crs, layer, catalogue)
