"""Answers of the server as pixels."""

import io

import numpy as np
from PIL import Image


def rgba_of(body: bytes) -> np.ndarray:
    """Return (y, x, 4) of an encoded picture."""
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))


def share_differing(body: bytes, expected: np.ndarray) -> float:
    """Return the fraction of pixels that differ from (y, x, 4); all fully transparent pixels are equal."""
    pixels = rgba_of(body).copy()
    pixels[pixels[..., 3] == 0] = 0
    return float((pixels != expected).any(axis=2).mean())
