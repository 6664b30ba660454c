"""Numbers of Sentinel-2 images by the document of their product, found in its text."""

import glob
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from chronotile.audit.truth import NumberMeaning
from chronotile.core.errors import UnsupportedSource

_IMAGE = re.compile(r"_(B\d[\dA]|AOT|WVP|SCL)(_\d\dm)?\.jp2$")
_BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]


def images_in_zips(pattern: str) -> Iterator[str]:
    """Yield the images in ZIP files that a pattern of images in SAFE folders matches, as GDAL names them."""
    start, safe, end = pattern.partition(".SAFE/")
    files, _slash, name = start.rpartition("/")
    files = f"{files}/*.zip" if files.endswith("**") else files
    for file in glob.iglob(files, recursive=True) if safe else ():  # noqa: PTH207 -- may be absolute
        with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(file) as opened:
            names = [member for member in opened.namelist() if fnmatchcase(member, f"{name}{safe}{end}")]
            yield from (f"/vsizip/{{{file}}}/{member}" for member in names)


def meaning_in_product(path: str) -> NumberMeaning | None:
    """Return the meaning of the numbers of an image; `None` for a file outside of products.

    Raises:
        UnsupportedSource: The product has no document.
    """
    product = next((folder for folder in Path(path).parents if folder.suffix == ".SAFE"), None)
    image = _IMAGE.search(path)
    if product is None or image is None:
        return None
    text, band = _document_of(product), image[1]
    if band == "SCL":
        return NumberMeaning(scale=1.0, offset=0.0, nodata=(0.0,))
    name = "(?:BOA_)?" if band in _BANDS else f"{band}_"
    quantification = float(re.findall(rf"<{name}QUANTIFICATION_VALUE[^>]*>([^<]+)<", text)[0])
    number = _BANDS.index(band) if band in _BANDS else None
    offsets = re.findall(rf'_ADD_OFFSET band_id="{number}">([^<]+)<', text)
    return NumberMeaning(scale=1 / quantification, offset=float((*offsets, 0)[0]) / quantification, nodata=(0.0,))


def _document_of(product: Path) -> str:
    """Return the text of the document of a product, in a folder or a ZIP file."""
    in_zip = re.fullmatch(r"/vsizip/\{(.+)\}/([^/]+)", str(product))
    files = product.iterdir() if in_zip is None else zipfile.Path(in_zip[1], f"{in_zip[2]}/").iterdir()
    document = next((file for file in files if re.fullmatch(r"MTD_MSIL.*\.xml", file.name)), None)
    if document is None:
        raise UnsupportedSource(f"{product.name} has no MTD_MSIL*.xml")
    return document.read_text(encoding="utf-8")
