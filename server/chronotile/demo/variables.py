"""The four variables of the demo: their computation from NDVI, and their digital numbers."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from chronotile.core.model.types import Float32Array, UInt8Array

SNOW: Final = 251
CLOUD: Final = 252
WATER: Final = 254
NODATA: Final = 255
LAST_VALID: Final = 250
FLAGS: Final = ((SNOW, "snow"), (CLOUD, "cloud"), (WATER, "water"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoVariable:
    """One variable of the cube."""

    id: str
    title: str
    standard_name: str
    scale: float
    offset: float = 0.0


VARIABLES: Final = (
    DemoVariable(
        id="NDVI",
        title="Normalised difference vegetation index",
        standard_name="normalized_difference_vegetation_index",
        scale=0.004,
        offset=-0.08,
    ),
    DemoVariable(
        id="FAPAR",
        title="Fraction of absorbed photosynthetically active radiation",
        standard_name="fraction_of_surface_downwelling_photosynthetic_radiative_flux_absorbed_by_vegetation",
        scale=0.005,
    ),
    DemoVariable(
        id="FCOVER", title="Fraction of green vegetation cover", standard_name="vegetation_area_fraction", scale=0.005
    ),
    DemoVariable(id="LAI", title="Leaf area index", standard_name="leaf_area_index", scale=0.04),
)


def numbers_of(
    ndvi: Float32Array, leafy: Float32Array, flags: UInt8Array, random: np.random.Generator
) -> dict[str, UInt8Array]:
    """Return the digital numbers (height, width) of each variable.

    FAPAR, FCOVER and LAI rise with NDVI, each by a separate curve and with separate noise.

    Args:
        ndvi: (height, width).
        leafy: (height, width): leaf area factor, independent of NDVI.
        flags: (height, width): codes of pixels without a value, 0 for other pixels.
        random: Generator of the noise.
    """
    green = np.clip((ndvi - 0.11) / 0.83, 0.0, 1.0)
    noise = random.standard_normal((3, *ndvi.shape), dtype=np.float32) * np.float32(0.003)
    cover = 0.98 * green**1.55
    values = {
        "NDVI": ndvi,
        "FAPAR": 0.94 * green**1.2 * (0.86 + 0.14 * leafy) + noise[0] * (0.4 + green),
        "FCOVER": cover + noise[1] * (0.3 + green),
        "LAI": leafy * (-2.3 * np.log1p(-0.955 * np.clip(cover, 0.0, 1.0))) * (1 + 5.0 * noise[2]),
    }
    return {variable.id: np.where(flags > 0, flags, _encode(values[variable.id], variable)) for variable in VARIABLES}


def _encode(values: Float32Array, variable: DemoVariable) -> UInt8Array:
    numbers = np.rint((values - np.float32(variable.offset)) / np.float32(variable.scale))
    return np.asarray(np.clip(numbers, 0, LAST_VALID), dtype=np.uint8)
