"""GRIB messages: edition 2 by GDAL, edition 1 written by this module; a file is a sequence of messages."""

import struct

import numpy as np
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.transform import Affine

from tests.rasters import write_raster

SPHERE = CRS.from_wkt('GEOGCS["s",DATUM["u",SPHEROID["S",6371229,0]],PRIMEM["G",0],UNIT["degree",0.0174532925199433]]')


def code(rows, columns):
    """(y, x): 100 * row + column."""
    return np.add.outer(np.arange(rows) * 100.0, np.arange(columns))


def message(
    folder, values, *, west=0.0, north=50.0, step=1.0, day="2020-01-01", hours=0, category=3, definition=0, more=(),
    crs=SPHERE,
):  # fmt: skip
    """Return a message whose first cell's centre is at `west`, `north`; its element is pressure (3), or wind (2).

    Args:
        folder: Folder for temporary files.
        values: (y, x), row 0 in the north; NaN is missing.
        hours: Hours after the reference time `day`.
        category: Category of the meteorological parameters; the parameter is its number 0.
        definition: Number of the product definition template.
        more: Values after those of template 0.
    """
    source, target = folder / "one.tif", folder / "one.grib2"
    place = Affine(step, 0, west - step / 2, 0, -step, north + step / 2)
    numbers = np.nan_to_num(values, nan=9999.0).astype("float64")
    write_raster(source, numbers, crs=crs, transform=place, nodata=9999.0)
    numbers = [category, 0, 2, 0, 0, 0, 0, 1, hours, 1, 0, 0, 255, 0, 0, *more]
    copy(
        source, target, driver="GRIB", DATA_ENCODING="SIMPLE_PACKING", NBITS="16",
        IDS=f"CENTER=98 SUBCENTER=0 REF_TIME={day}T00:00:00Z", DISCIPLINE="0",
        PDS_PDTN=str(definition), PDS_TEMPLATE_ASSEMBLED_VALUES=" ".join(map(str, numbers)),
    )  # fmt: skip
    found = target.read_bytes()
    source.unlink()
    target.unlink()
    return found


def section_at(found, number):
    """Return the position of the first section with a number in a message of edition 2."""
    at = 16
    while found[at + 4] != number:
        at += struct.unpack(">I", found[at : at + 4])[0]
    return at


def with_octets(found, number, octets):
    """Return the message with octets of a section replaced; `octets` has bytes by the number of the first."""
    changed, start = bytearray(found), section_at(found, number)
    for octet, own in octets.items():
        changed[start + octet - 1 : start + octet - 1 + len(own)] = own
    return bytes(changed)


def signed(number, size):
    """Return a number whose first bit is its sign."""
    return (abs(number) | (1 << (8 * size - 1) if number < 0 else 0)).to_bytes(size, "big")


def gaussian_rows(number):
    """Latitudes of the rows of the Gaussian grid N`number`, from north to south."""
    return np.degrees(np.arcsin(np.polynomial.legendre.leggauss(2 * number)[0]))[::-1]


def gaussian(found, number):
    """Return the message with the grid N`number` instead of a regular one with the same number of rows."""
    rows = gaussian_rows(number)
    first, last = (signed(round(each * 1e6), 4) for each in (rows[0], rows[-1]))
    octets = {13: struct.pack(">H", 40), 47: first, 56: last, 68: struct.pack(">I", number)}
    return with_octets(found, 3, octets)


def first_edition(
    values, *, latitudes, longitudes, gaussian=0, day=(2020, 1, 1), range_of_time=0, centre=98, own=b"", part=0
):
    """Return a message of edition 1 with whole numbers of 16 bits, the lowest of them 0; NaN is missing.

    Args:
        values: (y, x), row 0 the first stored one.
        latitudes: Latitudes of the first and the last row.
        longitudes: Longitudes of the first and the last column.
        gaussian: N of a Gaussian grid, 0 for a regular one.
        day: Year, month, day.
        range_of_time: By code table 5.
        centre: Originating centre.
        own: Octets after octet 40 of the product definition.
        part: The sub-centre.
    """
    height, width = values.shape
    year, month, date = day
    product = bytes([0, 0, 0, 2, centre, 0, 255, 0x80 | 0x40, 1, 1, 0, 0, (year - 1) % 100 + 1, month, date, 0, 0, 1])
    product += bytes(
        [0, 6 if range_of_time in (3, 4) else 0, range_of_time, 0, 0, 0, (year - 1) // 100 + 1, part, 0, 0]
    )
    product += bytes(12) + own if own else b""
    (first, last), (west, east) = ([signed(round(each * 1000), 3) for each in pair] for pair in (latitudes, longitudes))
    down = round(abs(latitudes[0] - latitudes[1]) / max(height - 1, 1) * 1000)
    steps = struct.pack(">HH", round((longitudes[1] - longitudes[0]) / (width - 1) * 1000), gaussian or down)
    grid = bytes([0, 0, 0, 0, 255, 4 if gaussian else 0]) + struct.pack(">HH", width, height)
    grid += (
        first + west + b"\x80" + last + east + steps + bytes([0x40 if latitudes[1] > latitudes[0] else 0]) + bytes(4)
    )
    is_there = ~np.isnan(values.ravel())
    bits = np.packbits(is_there).tobytes()
    bitmap = bytes([0, 0, 0, -is_there.size % 8, 0, 0]) + bits
    numbers = values.ravel()[is_there].astype(">u2").tobytes()
    data = bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16]) + numbers
    data += bytes(len(data) % 2)
    sections = [len(each).to_bytes(3, "big") + each[3:] for each in (product, grid, bitmap, data)]
    body = b"".join(sections) + b"7777"
    return b"GRIB" + (8 + len(body)).to_bytes(3, "big") + b"\x01" + body
