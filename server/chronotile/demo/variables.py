"""The four variables of the demo: how their values follow from NDVI, and their digital numbers."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import Encoding

FloatArray = NDArray[np.float32]
NumberArray = NDArray[np.uint8]

SNOW: Final = 251
CLOUD: Final = 252
WATER: Final = 254
NODATA: Final = 255
LAST_VALID: Final = 250
FLAGS: Final = ((SNOW, "snow"), (CLOUD, "cloud"), (WATER, "water"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of the cube."""

    id: str
    title: str
    standard_name: str
    scale: float
    offset: float = 0.0

    @property
    def encoding(self) -> Encoding:
        """How its digital numbers become values."""
        return Encoding(
            dtype="uint8",
            scale=self.scale,
            offset=self.offset,
            nodata=NODATA,
            valid_range=(0, LAST_VALID),
            flags=FLAGS,
        )


VARIABLES: Final = (
    Variable(
        id="NDVI",
        title="Normalised difference vegetation index",
        standard_name="normalized_difference_vegetation_index",
        scale=0.004,
        offset=-0.08,
    ),
    Variable(
        id="FAPAR",
        title="Fraction of absorbed photosynthetically active radiation",
        standard_name="fraction_of_surface_downwelling_photosynthetic_radiative_flux_absorbed_by_vegetation",
        scale=0.005,
    ),
    Variable(
        id="FCOVER",
        title="Fraction of green vegetation cover",
        standard_name="vegetation_area_fraction",
        scale=0.005,
    ),
    Variable(id="LAI", title="Leaf area index", standard_name="leaf_area_index", scale=0.04),
)


def numbers_of(
    ndvi: FloatArray, leafy: FloatArray, flags: NumberArray, random: np.random.Generator
) -> dict[str, NumberArray]:
    """Return the digital numbers (height, width) of each variable.

    FAPAR, FCOVER and LAI rise with NDVI, each by a curve and with noise of its own.

    Args:
        ndvi: (height, width).
        leafy: (height, width): leaf area in addition to what NDVI alone would give.
        flags: (height, width): the codes of pixels without a value, 0 elsewhere.
        random: Draws the noise.
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
    return {each.id: np.where(flags > 0, flags, _encode(values[each.id], each)) for each in VARIABLES}


def _encode(values: FloatArray, variable: Variable) -> NumberArray:
    numbers = np.rint((values - np.float32(variable.offset)) / np.float32(variable.scale))
    return np.asarray(np.clip(numbers, 0, LAST_VALID), dtype=np.uint8)
