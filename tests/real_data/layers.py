"""Layers of ../shared/data: their sources, and the expected numbers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.real_data.truth import CONFIGURED, SHARED, Truth, raster_truth, xarray_truth

DATA = SHARED / "data"
FAPAR = "c_gls_FAPAR_200907100000_GLOBE_VGT_V2.0.1.nc"
OPENEO = CONFIGURED["vito_openeo"]


def _rasters(pattern: str, band: int | None = 1, **meaning) -> Callable[[], Truth]:
    return lambda: raster_truth(sorted(DATA.glob(pattern)), band, **meaning)


def _dataset(path: str, name: str, **meaning) -> Callable[[], Truth]:
    return partial(xarray_truth, DATA / path, name, **meaning)


LAYERS: dict[str, tuple[Path, Callable[[], Truth]]] = {
    "ndvi-north-america-2001.ndvi": (
        DATA / "modis_ndvi_north_america",
        _dataset("modis_ndvi_north_america/ndvi_north_america_2001.nc", "ndvi"),
    ),
    **{
        f"ndvi-scl-romania-10m.{name}": (
            DATA / "s2_romania",
            _dataset("s2_romania/ndvi_scl_romania_10m.nc", name, crs="EPSG:3035"),
        )
        for name in ("ndvi", "scl")
    },
    **{
        f"sentinel2-cube-subset-romania-20m.{name}": (
            DATA / "s2_romania",
            _dataset("s2_romania/sentinel2_cube_subset_romania_20m.nc", name, crs="EPSG:3035"),
        )
        for name in ("B3", "B4", "B8A", "B11", "SCL")
    },
    "tree-cover-density-romania.band1": (
        DATA / "s2_romania",
        _rasters("s2_romania/tree_cover_density_2018_romania.tif"),
    ),
    "sinop.NDVI": (CONFIGURED["modis_sinop"], _rasters("modis_sinop/*.jp2", dtype="int16", scale=1e-4)),
    "terra-modis-h12v10-ndvi.NDVI": (DATA / "modis_sinop", _rasters("modis_sinop/*.jp2")),
    "slovenia.EVI": (CONFIGURED["modis_evi_slovenia"], _rasters("modis_evi_slovenia/*.tif", scale=1e-4)),
    "slovenia-evi-mod13q1.EVI": (DATA / "modis_evi_slovenia", _rasters("modis_evi_slovenia/*.tif")),
    "ndmi.NDMI": (CONFIGURED["ndmi_dekads_mexico"], _rasters("ndmi_dekads_mexico/*.tif", None)),
    "cgls-ndvi-lts-june21-1999-2017.ndvi": (DATA / "global_ndvi_cgls", _rasters("global_ndvi_cgls/*.tif")),
    "ndvi-global-1deg-2dates.ndvi": (
        DATA / "global_ndvi_neo",
        _dataset("global_ndvi_neo/ndvi_global_1deg_2dates.nc", "ndvi"),
    ),
    "ndvi-global-halfdeg.ndvi": (DATA / "global_ndvi_neo", _rasters("global_ndvi_neo/*.tif")),
    "cube-1-250-250.conc_chl": (DATA / "xcube_chl", _dataset("xcube_chl/cube-1-250-250.zarr", "conc_chl")),
    "raw-s2-ndvi-field.NDVI": (
        DATA / "vito_fusets" / "raw_s2_ndvi_field.nc",
        _dataset("vito_fusets/raw_s2_ndvi_field.nc", "NDVI", crs="EPSG:32630"),
    ),
    "fapar-1km.FAPAR": (
        OPENEO,
        _dataset(f"vito_openeo/{FAPAR}", "FAPAR", dtype="uint8", scale=0.004, nodata=255),
    ),
    "ndvi-300m.NDVI": (OPENEO, _rasters("vito_openeo/cgls_ndvi300.tif", scale=0.004, offset=-0.08, nodata=255)),
    **{f"s2-bands.band{band}": (OPENEO, _rasters("vito_openeo/S2-bands.tiff", band)) for band in range(1, 7)},
}
"""By the id of the layer: a folder, file or configuration; and the independent reader of its files."""
