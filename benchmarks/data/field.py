"""Numbers that look like NDVI to a compressor: parcels, a season, noise of a few numbers a pixel, clouds."""

from functools import cached_property

import numpy as np

NODATA = 255
SCALE, OFFSET = 0.004, -0.08
LARGEST = 250
NOISES = 5
PARCEL, CLOUD = 23, 160
"""Sides in pixels."""


class Field:
    """A square of `side` pixels that changes from day to day; the noise is one sigma in numbers per pixel."""

    def __init__(self, side: int, seed: int, *, noise: float = 3) -> None:
        self.side = side
        self._noise = noise
        self._seed = seed

    def numbers(self, day: int, rows: slice = slice(None)) -> np.ndarray:
        """Return the digital numbers of a day of the year, (y, x) uint8, of some rows."""
        season = 0.35 + 0.65 * (0.5 - 0.5 * np.cos(2 * np.pi * (day - 20) / 365.25))
        noise = np.roll(self._noises[day % NOISES], (11 * day, 37 * day), axis=(0, 1))[rows]
        numbers: np.ndarray = np.clip(self._base[rows] * season + noise, 0, LARGEST).astype(np.uint8)
        numbers[self._clouds(day)[rows]] = NODATA
        return numbers

    @cached_property
    def _base(self) -> np.ndarray:
        rng = np.random.default_rng(self._seed)
        # Parcels have edges that no block boundary follows.
        places = np.arange(self.side)
        rows = (places + PARCEL + 20 * np.sin(places / 90)).astype(int) // PARCEL
        columns = (places + PARCEL + 20 * np.sin(places / 70)).astype(int) // PARCEL
        parcels = rng.integers(60, LARGEST, (rows.max() + 2, columns.max() + 2)).astype(np.float32)
        return np.asarray(parcels[rows][:, columns])

    @cached_property
    def _noises(self) -> list[np.ndarray]:
        rng = np.random.default_rng(self._seed + 1)
        count = NOISES if self.side <= 4096 else 1
        made = [rng.standard_normal((self.side, self.side), dtype=np.float32) * self._noise for _ in range(count)]
        return made * (NOISES // count)

    def _clouds(self, day: int) -> np.ndarray:
        """Blobs over about a quarter, as a mask (y, x)."""
        rng = np.random.default_rng((self._seed, day))
        blobs = rng.random((self.side // CLOUD + 2, self.side // CLOUD + 2)) < 0.25
        places = np.arange(self.side)
        bent = (places + 0.2 * CLOUD * np.sin(places / 31)).clip(0).astype(int) // CLOUD
        return np.asarray(blobs[bent][:, bent])
