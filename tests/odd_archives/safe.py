"""Sentinel-2 products after the product specification (S2-PDGS-TAS-DI-PSD): SAFE folders, and the same in ZIP files."""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
"""Physical bands by `bandId`."""
IMAGES = {10: ("B02", "B03", "B04", "B08", "AOT", "WVP"), 20: ("B03", "B04", "B11", "SCL", "AOT"), 60: ("B01", "B03")}
"""A part of the images of a product, by resolution in metres."""
SIDE_M = 1920
CORNER = 600_000, 5_100_000
NODATA, SATURATED = 0, 65535


@dataclass(frozen=True)
class SafeProduct:
    """A product of Sentinel-2 (level 2A, or 1C if `level` is `1C`)."""

    sensed: str = "20200104T101319"
    baseline: str = "02.14"
    offset: int | None = None
    """Offset of the first band; `None`: without the list of offsets, as before baseline 04.00."""
    tile: str = "T32TQM"
    crs: str = "EPSG:32632"
    corner: tuple[int, int] = CORNER
    satellite: str = "S2A"
    level: str = "2A"
    quantification: int = 10_000
    processed: str = "132149"
    """Time of day of the processing."""

    @property
    def name(self) -> str:
        """Name of the folder."""
        start = f"{self.satellite}_MSIL{self.level}_{self.sensed}_N{self.baseline.replace('.', '')}"
        return f"{start}_R022_{self.tile}_{self.sensed[:8]}T{self.processed}.SAFE"

    @property
    def granule(self) -> str:
        """Path of the granule in the folder."""
        return f"GRANULE/L{self.level}_{self.tile}_A015828_{self.sensed}"

    @property
    def document(self) -> str:
        """Name of the document of metadata."""
        return f"MTD_MSIL{self.level}.xml"

    def image(self, band: str, metres: int) -> str:
        """Return the path of an image in the folder."""
        start = f"{self.granule}/IMG_DATA"
        plain = f"{self.tile}_{self.sensed}_{band}"
        return f"{start}/{plain}.jp2" if self.level == "1C" else f"{start}/R{metres}m/{plain}_{metres}m.jp2"

    def offset_of(self, band: str) -> int:
        """Return the offset of a band (`B04`), which is different in each band."""
        return 0 if self.offset is None else self.offset - BANDS.index(band.replace("B0", "B"))

    def reflectance(self, metres: int) -> np.ndarray:
        """Return (y, x) reflectances, which depend on the position and the month; NaN in the first column."""
        side = SIDE_M // metres
        rows, columns = np.mgrid[:side, :side]
        values = 0.02 + 0.0001 * (rows * 37 + columns * 11) % 0.4 + 0.001 * int(self.sensed[4:6])
        values[:, 0] = np.nan
        return values

    def numbers(self, band: str, metres: int) -> np.ndarray:
        """Return (y, x) digital numbers of an image."""
        values = self.reflectance(metres)
        if band == "SCL":
            side = SIDE_M // metres
            rows, columns = np.mgrid[:side, :side]
            return np.where(columns == 0, 0, np.where((rows // 8 + columns // 8) % 3 == 0, 9, 4)).astype("uint8")
        if band in {"AOT", "WVP"}:
            return np.where(np.isnan(values), 0, np.round(values * 1000)).astype("uint16")
        stored = np.round(values * self.quantification) - self.offset_of(band)
        return np.where(np.isnan(values), NODATA, stored).astype("uint16")

    @cached_property
    def metadata(self) -> str:
        """The text of `MTD_MSIL2A.xml` or `MTD_MSIL1C.xml`."""
        user = "Level-2A_User_Product" if self.level == "2A" else "Level-1C_User_Product"
        prefix = "BOA" if self.level == "2A" else "RADIO"
        if self.level == "2A":
            scales = (
                "<QUANTIFICATION_VALUES_LIST>"
                f'<BOA_QUANTIFICATION_VALUE unit="none">{self.quantification}</BOA_QUANTIFICATION_VALUE>'
                '<AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>'
                '<WVP_QUANTIFICATION_VALUE unit="cm">1000.0</WVP_QUANTIFICATION_VALUE>'
                "</QUANTIFICATION_VALUES_LIST>"
            )
            listed = "BOA_ADD_OFFSET_VALUES_LIST"
        else:
            scales = f'<QUANTIFICATION_VALUE unit="none">{self.quantification}</QUANTIFICATION_VALUE>'
            listed = "Radiometric_Offset_List"
        offsets = "".join(
            f'<{prefix}_ADD_OFFSET band_id="{number}">{self.offset_of(band)}</{prefix}_ADD_OFFSET>'
            for number, band in enumerate(BANDS)
        )
        offsets = "" if self.offset is None else f"<{listed}>{offsets}</{listed}>"
        spectra = "".join(
            f'<Spectral_Information bandId="{number}" physicalBand="{band}"><RESOLUTION>10</RESOLUTION>'
            f'<Wavelength><MIN unit="nm">400</MIN></Wavelength></Spectral_Information>'
            for number, band in enumerate(BANDS)
        )
        special = "".join(
            f"<Special_Values><SPECIAL_VALUE_TEXT>{text}</SPECIAL_VALUE_TEXT>"
            f"<SPECIAL_VALUE_INDEX>{number}</SPECIAL_VALUE_INDEX></Special_Values>"
            for text, number in (("NODATA", NODATA), ("SATURATED", SATURATED))
        )
        day = f"{self.sensed[:4]}-{self.sensed[4:6]}-{self.sensed[6:8]}T10:13:19.024Z"
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
            f'<n1:{user} xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{self.level}.xsd" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            "<n1:General_Info><Product_Info>"
            f"<PRODUCT_START_TIME>{day}</PRODUCT_START_TIME><PRODUCT_STOP_TIME>{day}</PRODUCT_STOP_TIME>"
            f"<PRODUCT_URI>{self.name}</PRODUCT_URI><PROCESSING_BASELINE>{self.baseline}</PROCESSING_BASELINE>"
            "</Product_Info><Product_Image_Characteristics>"
            f"{special}{scales}{offsets}"
            f"<Spectral_Information_List>{spectra}</Spectral_Information_List>"
            "</Product_Image_Characteristics></n1:General_Info>"
            f"</n1:{user}>\n"
        )

    def write(self, folder: Path) -> Path:
        """Write the folder below `folder`, and return its path."""
        place = folder / self.name
        for metres, bands in IMAGES.items():
            for band in bands if self.level == "2A" else ("B02", "B03", "B04") if metres == 10 else ():
                _write_image(place / self.image(band, metres), self.numbers(band, metres), metres, self)
        quality = np.zeros((32, 32), dtype="uint8")
        _write_image(place / self.granule / "QI_DATA/MSK_CLDPRB_20m.jp2", quality, 60, self)
        (place / self.document).write_text(self.metadata)
        (place / self.granule / "MTD_TL.xml").write_text("<Level-2A_Tile_ID/>")
        (place / "manifest.safe").write_text("<XFDU/>")
        return place

    def write_zip(self, folder: Path, *, compression: int = zipfile.ZIP_DEFLATED, end: str = ".zip") -> Path:
        """Write the product as a ZIP file in `folder`, and return its path."""
        place = self.write(folder / "unpacked")
        path = folder / f"{place.stem}{end}"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for file in sorted(place.rglob("*")):
                archive.write(file, file.relative_to(place.parent))
        for file in sorted(place.parent.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        place.parent.rmdir()
        return path


def _write_image(path: Path, numbers: np.ndarray, metres: int, product: SafeProduct) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    x, y = product.corner
    height, width = numbers.shape
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", width=width, height=height, count=1, dtype=numbers.dtype.name,
        crs=product.crs, transform=Affine(metres, 0, x, 0, -metres, y), QUALITY=100, REVERSIBLE="YES",
    ) as file:  # fmt: skip
        file.write(numbers, 1)
