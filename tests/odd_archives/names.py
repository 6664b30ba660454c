"""Names of folders, files, bands and variables, and texts of files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray

from tests.odd_archives.files import NUMBERS, Maker, configured, cube, netcdf, tifs, write_tif

ODD = ("a b", "100%", "%41", "a<b", "a&b", "a#b", "a?b", "a+b", "a;b", "it's", 'say "x"', "größe", "🌍", "a{b}", "a[1]")


def _named(name: str) -> Maker:
    def make(folder: Path) -> Path:
        for day in ("20200101", "20200111"):
            write_tif(folder / f"{name}_{day}.tif")
        return folder

    return make


def _in_folder(folder: Path) -> Path:
    write_tif(folder / "a b" / 'it\'s <50%> & "more"' / "#1?" / "ndvi_20200101.tif")
    return folder


def _all(folder: Path) -> Path:
    for name in ODD:
        write_tif(folder / name / f"{name}.tif", NUMBERS)
    return folder


def _variable(name: str) -> Maker:
    return netcdf(lambda: cube().rename(NDVI=name))


def _titled() -> xarray.Dataset:
    made = cube(long_name='<b>bold</b> & "quoted" {braces} %7B', units="<&>", comment="]]>")
    return made.assign_attrs(title="</script><script>alert(1)</script>", institution="a\nb\tc\x7f", license="<a>")


BANDS = np.stack([NUMBERS] * 4)
CONFIGURATION = """
service: {languages: [en, de], title: 'A <title> & "more" %', abstract: "{braces} #1?"}
collections:
  a.b_c-1:
    title: 'Größe <&> "%" 🌍'
    source: {kind: cog, href: "ndvi_*.tif", time_pattern: '_(?P<time>\\d{8})'}
    variables:
      ndvi:
        layer: L.1_a-b
        title: {en: 'a <b> & c', de: 'ä "q"'}
        aliases: [{name: other, advertise: true}]
"""

MAKERS: Mapping[str, Maker] = {
    **{f"file {name}": _named(name) for name in ("a b", "100%", "a<b>&c", "a#b?c", "größe 🌍")},
    "file of a long name": _named("x" * 200),
    "folders": _in_folder,
    "many odd names": _all,
    "bands": tifs(numbers=BANDS, descriptions=('a "b"', "50%", "<&>", "🌍 #?/")),
    "bands of one name": tifs(numbers=BANDS, descriptions=("B", "B", "b", "")),
    "variable with a space": _variable("N D V I"),
    "variable with a percent sign": _variable("NDVI%"),
    "variable of words": _variable("naïve & <sons>"),
    "texts": netcdf(_titled),
    "configured": configured(tifs(), CONFIGURATION),
}
