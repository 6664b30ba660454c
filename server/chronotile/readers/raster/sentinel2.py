"""Numbers of Sentinel-2 images, as the document of their SAFE product states them (S2-PDGS-TAS-DI-PSD)."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from lxml import etree

from chronotile.core.errors import InvalidParameter, UnsupportedSource
from chronotile.core.xml_text import parse_xml
from chronotile.readers.file_states import FileState, file_state
from chronotile.readers.hrefs import DOCUMENTS, image_of
from chronotile.readers.safe_zips import is_file, read_start

MAX_BYTES = 4 << 20
"""Maximum size of a document; usually it has 60 kB."""
PRODUCT = re.compile(r"[^/]*_MSI(L1C|L2A)_[^/]*\.SAFE")
"""Name of the folder of a product, with its level; other missions use `.SAFE` too."""

_BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands by `band_id`."""
_QUANTIFICATIONS = {"1C": "QUANTIFICATION_VALUE", "2A": "BOA_QUANTIFICATION_VALUE"}
_OFFSETS = {"1C": "RADIO_ADD_OFFSET", "2A": "BOA_ADD_OFFSET"}


class ImageNumbers(NamedTuple):
    """Meaning of the numbers of an image."""

    scale: float
    offset: float
    nodata: float
    units: str | None


def is_in_product(path: str) -> bool:
    """Return whether a file is in a product."""
    return any(PRODUCT.fullmatch(part) for part in path.split("/")[:-1])


def image_numbers(path: str) -> ImageNumbers | None:
    """Return the meaning of the numbers of an image of a product; `None` for other files.

    Raises:
        UnsupportedSource: The document of the product is missing or damaged.
    """
    image = image_of(path)
    if image is None:
        return None
    product = image["product"]
    names = [name for name in DOCUMENTS if is_file(f"{product}/{name}")]
    if not names and PRODUCT.fullmatch(product.rpartition("/")[2]) is None:
        return None
    if len(names) != 1:
        raise UnsupportedSource(f"its product has {len(names)} of {' and '.join(DOCUMENTS)}, which state its numbers")
    (name,) = names
    numbers = _numbers_of(product, name, file_state(f"{product}/{name}")).get(
        image["band"], f"{name} describes no band {image['band']}"
    )
    if isinstance(numbers, str):
        raise UnsupportedSource(numbers)
    return numbers


class _BandDocument(NamedTuple):
    name: str
    level: str
    root: etree._Element

    def band_numbers(self, band: str) -> ImageNumbers:
        nodata = self._number("Special_Values[SPECIAL_VALUE_TEXT='NODATA']/SPECIAL_VALUE_INDEX")
        if band == "SCL":
            return ImageNumbers(1.0, 0.0, nodata, None)
        is_reflectance = band in _BAND_IDS
        element = _QUANTIFICATIONS[self.level] if is_reflectance else f"{band}_QUANTIFICATION_VALUE"
        quantification, offset = self._number(element), 0.0
        if quantification <= 0:
            raise UnsupportedSource(f"{self.name} states {element} {quantification:g}, which is not above 0")
        # Products before baseline 04.00 have no offsets.
        if is_reflectance and self.root.find(f".//{_OFFSETS[self.level]}") is not None:
            offset = self._number(f"{_OFFSETS[self.level]}[@band_id='{_BAND_IDS.index(band)}']")
        units = self.root.find(f".//{element}").get("unit")
        return ImageNumbers(1 / quantification, offset / quantification, nodata, None if units == "none" else units)

    def _number(self, element: str) -> float:
        text = self.root.findtext(f".//{element}") or ""
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UnsupportedSource(f"{self.name} states no number for {element}")
        return number


@lru_cache(maxsize=256)
def _numbers_of(product: str, name: str, _state: FileState) -> Mapping[str, ImageNumbers | str]:
    """Return the numbers of each band, or the reason if they are not stated."""
    try:
        data = read_start(f"{product}/{name}", MAX_BYTES + 1)
        document = _BandDocument(
            name, name[len("MTD_MSIL") :].removesuffix(".xml"), parse_xml(data, what=name, max_bytes=MAX_BYTES)
        )
    except InvalidParameter as error:
        raise UnsupportedSource(error.message) from error
    except OSError as error:
        raise UnsupportedSource(f"{name} cannot be read: {error.strerror or error}") from error
    numbers: dict[str, ImageNumbers | str] = {}
    for band in (*_BAND_IDS, "AOT", "WVP", "SCL"):
        try:
            numbers[band] = document.band_numbers(band)
        except UnsupportedSource as error:
            numbers[band] = error.message
    return numbers
