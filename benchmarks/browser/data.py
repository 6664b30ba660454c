"""Data for measurements of the viewer: a synthetic year every five days at 10 m, the demo archive, real data."""

from dataclasses import asdict, dataclass
from pathlib import Path

from pyproj import Transformer

from benchmarks.data.season import EPSG, NORTH, RESOLUTION_M, SIDE, WEST, days, make_season
from chronotile.demo.archive import make_demo

REAL = Path(__file__).parents[3] / "shared" / "data"
SEASON_ZOOM = 13
"""Zoom with pixels nearly as fine as the data's."""
CONFIGURATION = """
service: {{title: Benchmark of the viewer}}
collections:
  season:
    source: {{kind: cog, href: "{folder}/season/ndvi_*.tif", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables: {{NDVI: {{layer: SEASON, title: NDVI every five days, range: [-0.08, 0.92], styles: [ndvi, viridis]}}}}
  demo:
    source: {{kind: zarr, href: "{folder}/demo/biopar.zarr"}}
    variables:
      NDVI: {{layer: NDVI, range: [-0.08, 0.92], styles: [ndvi]}}
      FAPAR: {{layer: FAPAR, styles: [fapar]}}
      FCOVER: {{layer: FCOVER, styles: [fcover]}}
      LAI: {{layer: LAI, range: [0, 7], styles: [lai]}}
"""
CONFIGURATION_OF_REAL = """
  romania:
    source: {{kind: netcdf, href: "{real}/s2_romania/ndvi_scl_romania_10m.nc"}}
    variables: {{ndvi: {{layer: ROMANIA, range: [-0.08, 0.92], styles: [ndvi]}}}}
  america:
    source: {{kind: netcdf, href: "{real}/modis_ndvi_north_america/ndvi_north_america_2001.nc"}}
    variables: {{ndvi: {{layer: AMERICA, range: [-0.08, 0.92], styles: [ndvi]}}}}
  north-sea:
    source: {{kind: zarr, href: "{real}/xcube_chl/cube-1-250-250.zarr"}}
    variables: {{conc_chl: {{layer: NORTH_SEA, styles: [chlorophyll]}}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A layer whose bytes are counted."""

    title: str
    layer: str
    year: str
    bbox: tuple[float, float, float, float]
    """Longitudes and latitudes."""
    z: int
    """The zoom whose pixels are as fine as the data's, nearly."""


ARCHIVES_OF_REAL = (
    Archive(title="s2_romania, 10 m, int16", layer="ROMANIA", year="2018", bbox=(22.14, 45.2, 22.16, 45.21), z=14),
    Archive(title="modis_ndvi_north_america, 10', int16", layer="AMERICA", year="2001", bbox=(-170, 8, -50, 75), z=3),
    Archive(title="xcube_chl, 250 m, float64", layer="NORTH_SEA", year="2017", bbox=(0, 50, 5, 52.5), z=9),
)


def season_bbox() -> tuple[float, float, float, float]:
    """Return the box in degrees that lies within the season's square."""
    side = 2 * SIDE * RESOLUTION_M
    transformer = Transformer.from_crs(EPSG, 4326, always_xy=True)
    x, y = transformer.transform([WEST, WEST + side] * 2, [NORTH, NORTH, NORTH - side, NORTH - side])
    return max(x[0], x[2]), max(y[2], y[3]), min(x[1], x[3]), min(y[0], y[1])


def make(folder: Path) -> tuple[Path, dict[str, object]]:
    """Write missing data.

    Returns:
        The configuration, and the parameters of `measure.mjs`.
    """
    make_season(folder / "season", is_mirrored=True)
    make_demo(folder / "demo")
    text = CONFIGURATION.format(folder=folder)
    bbox = season_bbox()
    archives = [
        Archive(title="demo NDVI, 100 m, uint8", layer="NDVI", year="2023", bbox=(3.97, 50.71, 4.88, 51.27), z=10),
        Archive(title="season, 10 m, uint8", layer="SEASON", year="2019", bbox=bbox, z=SEASON_ZOOM),
    ]
    if REAL.is_dir():
        text += CONFIGURATION_OF_REAL.format(real=REAL)
        archives += ARCHIVES_OF_REAL
    configuration = folder / "browser.yaml"
    configuration.write_text(text)
    season = {"layer": "SEASON", "dates": days(), "bbox": bbox, "z": SEASON_ZOOM}
    return configuration, {"season": season, "archives": [asdict(each) for each in archives]}
