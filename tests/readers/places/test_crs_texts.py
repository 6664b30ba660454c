"""Reference systems in files: those of EPSG in any spelling, and none by which PROJ opens files."""

import pytest
from pyproj import CRS, Transformer

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.readers.places.crs_texts import crs_of_file

CODES = (4326, 3857, 31370, 32631, 3035, 27700, 2180, 28992, 2154, 25832, 5514, 3067, 2056, 4258, 3413, 5041, 7415)
BASE = 'GEOGCS["a",DATUM["b",SPHEROID["c",6378137,298.257]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]{}]'
GRID = CRS.from_user_input("+proj=longlat +ellps=intl +nadgrids=/etc/passwd +type=crs").to_wkt()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT1_ESRI", "WKT2_2019"])
def test_definition_puts_places_where_its_code_does(code, version):
    source = CRS.from_epsg(code)
    west, south, east, north = source.area_of_use.bounds
    x, y = Transformer.from_crs("OGC:CRS84", source, always_xy=True).transform((west + east) / 2, (south + north) / 2)
    place = Transformer.from_crs(source, "OGC:CRS84", always_xy=True).transform(x, y)

    crs = crs_of_file(source.to_wkt(version))

    assert transformer(crs, CRS84).transform(x, y) == pytest.approx(place, abs=1e-7)


@pytest.mark.parametrize("text", [
    "+init=/etc/passwd:root", "+proj=longlat +nadgrids=/etc/passwd +type=crs", "/etc/passwd", "file:///etc/passwd",
    "http://127.0.0.1:9/crs", "EPSG:4326 +nadgrids=/etc/passwd", "", "{}", '{"type": "GeographicCRS"}', "x" * 100_000,
    BASE.format(',EXTENSION["PROJ4","+proj=longlat +nadgrids=/etc/passwd"]'),
    BASE.format(',EXTENSION["PROJ4","+init=/etc/passwd:root"]'),
    BASE.format(',EXTENSION["PROJ4","+proj=pipeline +step +proj=vgridshift +grids=/etc/passwd"]'),
    BASE.format(',extension["PROJ4_GRIDS","/etc/passwd"]'),
    'COMPD_CS["x",' + BASE.format(',EXTENSION["PROJ4","+proj=longlat +geoidgrids=https://127.0.0.1/x.tif"]') + "]",
    "EPSG:4978", "EPSG:5773", "IGNF:WGS84", BASE.format("").replace("6378137", "1e-300"),
    GRID, "GEOGCS[" * 2_000, 'LOCAL_CS["x"]', BASE.format("").replace("6378137", "-1"),
])  # fmt: skip
def test_text_that_would_open_files_is_refused(text):
    with pytest.raises(UnsupportedSource, match="its coordinate reference system is unknown"):
        crs_of_file(text)


def test_a_system_of_no_authority_keeps_its_definition():
    crs = crs_of_file(BASE.format(""))

    assert crs.is_geographic
    assert crs.epsg is None
