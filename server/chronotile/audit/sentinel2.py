"""Numbers of Sentinel-2 images by the document of their product, found in its text."""

import re
from pathlib import Path

from chronotile.audit.truth import NumberMeaning
from chronotile.core.errors import UnsupportedSource

_IMAGE = re.compile(r"_(B\d[\dA]|AOT|WVP|SCL)(_\d\dm)?\.jp2$")
_BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]


def meaning_in_product(path: str) -> NumberMeaning | None:
    """Return the meaning of the numbers of an image; `None` for a file outside of products.

    Raises:
        UnsupportedSource: The product has no document.
    """
    product = next((folder for folder in Path(path).parents if folder.suffix == ".SAFE"), None)
    image = _IMAGE.search(path)
    if product is None or image is None:
        return None
    document = next(product.glob("MTD_MSIL*.xml"), None)
    if document is None:
        raise UnsupportedSource(f"{product.name} has no MTD_MSIL*.xml")
    text, band = document.read_text(encoding="utf-8"), image[1]
    if band == "SCL":
        return NumberMeaning(scale=1.0, offset=0.0, nodata=(0.0,))
    name = "(?:BOA_)?" if band in _BANDS else f"{band}_"
    quantification = float(re.findall(rf"<{name}QUANTIFICATION_VALUE[^>]*>([^<]+)<", text)[0])
    number = _BANDS.index(band) if band in _BANDS else None
    offsets = re.findall(rf'_ADD_OFFSET band_id="{number}">([^<]+)<', text)
    return NumberMeaning(scale=1 / quantification, offset=float((*offsets, 0)[0]) / quantification, nodata=(0.0,))
