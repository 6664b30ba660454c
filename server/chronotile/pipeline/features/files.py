"""Give me these places as a file."""

import shapely

from chronotile.core.errors import require_at_most
from chronotile.core.extras import require_extra
from chronotile.core.model.places import ChosenPlaces
from chronotile.core.model.request import IsActive, always_active
from chronotile.pipeline.encoders.file_parts import FileParts, translate_storage_errors
from chronotile.pipeline.encoders.vector.place_file import PLACE_FORMATS, write_place_file
from chronotile.pipeline.services import Services

VERTEX_BYTES, PLACE_BYTES, PROPERTY_BYTES = 16, 200, 32
"""Of a file, about; a GeoPackage has an index as well."""
FEWER = "request fewer places"


def place_file(
    chosen: ChosenPlaces, format_name: str, services: Services, *, is_active: IsActive = always_active
) -> FileParts:
    """Return places as a file, which is written before this returns and is gone with its body.

    Args:
        chosen: What is written.
        format_name: One of `PLACE_FORMATS`.
        services: Their limits and memory.
        is_active: Whether the client still waits.

    Raises:
        MissingExtra: The server lacks the library that writes it.
        LimitExceeded: It would be larger than `max_coverage_bytes`.
        ServerBusy: Other answers take the memory that it needs.
        StorageFull: There is no room to write it.
        ClientGone: The client left.
    """
    require_extra("places", f"format {format_name}", locator="f")
    vertices = int(shapely.get_num_coordinates(chosen.shapes).sum())
    size = VERTEX_BYTES * vertices + (PLACE_BYTES + PROPERTY_BYTES * len(chosen.columns)) * len(chosen.numbers)
    allowed = services.catalogue.limits.max_coverage_bytes
    require_at_most("max_coverage_bytes", size, allowed, alternative=FEWER, locator="f")
    memory = services.memory.taking(2 * size, alternative=FEWER, locator="f", is_active=is_active)
    with memory, translate_storage_errors():
        return write_place_file(chosen, PLACE_FORMATS[format_name])
