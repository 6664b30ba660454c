"""Limits of one request, as configured in `service.limits` and used by all operations."""

from typing import Annotated

from pydantic import Field

from chronotile.core.sections import Positive, Section


class Limits(Section):
    """Limits of one request, which the capabilities state."""

    max_pixels: Positive = 16_777_216
    """Pixels of a picture."""
    max_cube_values: Positive = 33_554_432
    """Values of a cube tile; pixels times dates of a map of several dates (`max_pixels` limits one date and layer)."""
    max_animation_pixels: Positive = 134_217_728
    """Pixels of all frames of a time-lapse, times the dates of each frame."""
    max_series_values: Positive = 5_000_000
    """Values in series: of points, or of areas and reducers."""
    max_area_values: Positive = 4_294_967_296
    """Numbers read for series of areas, in whole chunks; also cells of all areas and times."""
    max_coverage_bytes: Positive = 4_294_967_296
    """Uncompressed bytes of a coverage's numbers; as text, at most `max_series_values` values."""
    max_seconds: Annotated[float, Field(gt=0)] = 20.0
    """Processor seconds of a request, as estimated before it starts; longer work is done by jobs."""
    max_body_bytes: Positive = 33_554_432
    """Bytes of a request's body."""
    max_features: Positive = 20_000
    """Features in a request's body, or in a place set."""
    max_vertices: Positive = 1_000_000
    """Vertices in a request's body, or in a place set."""
