"""The table of docs/clients.md: each driver opens its address with the stated result in each stated version of GDAL."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass

import pyogrio
import pytest
import rasterio

from tests.docs.site import DOCS, ROOT
from tests.strict import find_program

pytestmark = [pytest.mark.slow, pytest.mark.every_case]

PAGE = (DOCS / "clients.md").read_text(encoding="utf-8")
DEBIAN, OF_RASTERIO, OF_PYOGRIO = "3.6", "3.10", "3.12"
PLACES = 752
"""Number of fields of the demo."""
GRID = [3_920_000, 100, 0, 3_122_000, 0, -100]
"""Geotransform of the demo at 100 m, in EPSG:3035."""
ON_SWAPPED_AXES = [3_102_000, 100, 0, 3_940_000, 0, -100]
RASTERIO = """
import json, sys
import rasterio
with rasterio.open(sys.argv[1], **dict(option.split("=") for option in sys.argv[2:])) as file:
    transform = file.transform.to_gdal()
    print(json.dumps({"bands": file.count, "transform": transform, "nodata": file.nodata, "scale": file.scales[0]}))
"""


@dataclass(frozen=True)
class Row:
    """One row of the table in one version of GDAL."""

    driver: str
    options: tuple[str, ...]
    address: str
    result: str
    version: str

    @property
    def kind(self):
        return "outlines" if self.result.startswith("outlines") else "raster"

    def __str__(self):
        return " ".join([self.driver, *self.options, self.version])


def rows():
    table = re.findall(r"^\| (\w+)(?:, `-oo ([^`]+)`)? \| `([^`]+)` \| ([^|]+) \| ([\d., ]+) \|$", PAGE, re.MULTILINE)
    return [
        Row(driver, tuple(filter(None, [option])), address, result, version)
        for driver, option, address, result, versions in table
        for version in versions.split(", ")
    ]


def run(command, folder):
    """Return the output of a program; GDAL's caches are in the folder."""
    environment = os.environ | {"HOME": str(folder)}
    ran = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stdout[-1000:] + ran.stderr
    return ran.stdout


def describe_by_debian(row, address, folder):
    """Return the description by Debian's programs of an address."""
    options = [word for option in row.options for word in ("-oo", option)]
    if row.kind == "outlines":
        printed = run(["ogrinfo", "-ro", "-so", "-al", *options, address], folder)
        return {
            "count": int(re.search(r"Feature Count: (\d+)", printed)[1]),
            "fields": re.findall(r"^(\w+): (?:String|Real|Integer)", printed, re.MULTILINE),
        }
    printed = json.loads(run(["gdalinfo", "-json", *options, address], folder))
    band = printed["bands"][0]
    return {
        "bands": len(printed["bands"]),
        "transform": printed["geoTransform"],
        "nodata": band.get("noDataValue"),
        "scale": band.get("scale", 1),
    }


def describe(row, address, folder):
    """Return the description of an address by the version of GDAL of a row."""
    if row.version == DEBIAN:
        return describe_by_debian(row, address, folder)
    if row.version == OF_RASTERIO:
        return json.loads(run([sys.executable, "-c", RASTERIO, address, *row.options], folder))
    script = ROOT / "tests" / "clients" / "newest_gdal.py"
    return json.loads(run([sys.executable, script, row.kind, address, *row.options], folder))


def is_scaled(raster):
    return (raster["transform"], raster["nodata"], raster["scale"]) == (GRID, 255, 0.004)


def is_nan(number):
    return isinstance(number, str | float) and math.isnan(float(number))


AS_STATED = {
    "numbers with scale and nodata": lambda raster: is_scaled(raster) and raster["bands"] == 1,
    "numbers with scale and nodata, a band per date": lambda raster: is_scaled(raster) and raster["bands"] == 72,
    "values": lambda raster: raster["scale"] == 1 and is_nan(raster["nodata"]),
    "colours": lambda raster: raster["bands"] == 4,
    "numbers at a wrong location": lambda raster: raster["transform"] == ON_SWAPPED_AXES,
    "numbers with nodata, without scale": lambda raster: (raster["nodata"], raster["scale"]) == (255, 1),
    "outlines": lambda outlines: outlines["count"] == PLACES and "NDVI" not in outlines["fields"],
    "outlines with values": lambda outlines: outlines["count"] == PLACES and "NDVI" in outlines["fields"],
}


@pytest.mark.client("gdalinfo", "ogrinfo")
@pytest.mark.parametrize("row", rows(), ids=str)
def test_address_opens_with_its_result(server, tmp_path, row):
    described = describe(row, row.address.replace("…", server), tmp_path)

    assert AS_STATED[row.result](described), described


@pytest.mark.client("gdalinfo", "ogrinfo")
@pytest.mark.parametrize("form", ["gpkg", "fgb"])
def test_geopackages_do_not_open_by_their_address(server, tmp_path, form):
    """Remove the exception of the page if Debian's GDAL opens them."""
    address = f"{server}/ogcapi/collections/fields/items?f={form}"
    ran = subprocess.run(["ogrinfo", "-so", "-al", address], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert ("Feature Count" in ran.stdout) == (form == "fgb")


@pytest.mark.client("gdalinfo")
def test_versions_of_the_page_are_installed():
    printed = subprocess.run([find_program("gdalinfo"), "--version"], capture_output=True, text=True, check=True).stdout
    newest = ".".join(map(str, pyogrio.__gdal_version__))

    assert printed.startswith(f"GDAL {DEBIAN}.")
    assert rasterio.__gdal_version__.startswith(f"{OF_RASTERIO}.")
    assert newest.startswith(f"{OF_PYOGRIO}.")
    assert {row.version for row in rows()} == {DEBIAN, OF_RASTERIO, OF_PYOGRIO}
    assert len({(row.driver, row.options, row.address) for row in rows()}) == PAGE.count("| 3.")
