"""Limits of one request, as configured in `service.limits` and used by all operations."""

from typing import Annotated

from pydantic import Field

from chronotile.core.sections import Positive, Section


class Limits(Section):
    """Maximum sizes of one request, which the capabilities state."""

    max_pixels: Positive = 16_777_216
    """Pixels of a picture."""
    max_cube_values: Positive = 33_554_432
    """Values of a cube tile. For a map of several dates or layers: the sum of pixels * dates over its layers."""
    max_animation_pixels: Positive = 134_217_728
    """Pixels of all frames of an animation; a frame of several dates counts once for each date."""
    max_series_values: Positive = 5_000_000
    """Values in an answer with series: points * dates, or areas * reducers * dates."""
    max_area_values: Positive = 4_294_967_296
    """For series of areas: values in all chunks that the server reads; the same limit applies to the cells of all
    areas * dates."""
    max_coverage_bytes: Positive = 4_294_967_296
    """Uncompressed bytes of a coverage; for text formats the limit is `max_series_values`."""
    max_seconds: Annotated[float, Field(gt=0)] = 20.0
    """Processor seconds of a request, estimated before it starts; jobs may take longer."""
    max_body_bytes: Positive = 33_554_432
    """Bytes of a request's body."""
    max_features: Positive = 20_000
    """Features in a request's body, or in a place set."""
    max_vertices: Positive = 1_000_000
    """Vertices in a request's body, or in a place set."""
