"""Real TIFFs of `../shared/data`."""

DECODED = (
    *("global_ndvi_cgls/cgls_ndvi_lts_june21_1999_2017.tif", "global_ndvi_neo/ndvi_global_halfdeg_2019-08.tif"),
    *("vito_openeo/cgls_ndvi300.tif", "weird/cog_cmap.tif", "weird/cog_dateline.tif", "weird/cog_int16.tif"),
    *("weird/cog_scale_epsg4326.tif", "weird/cog_uint8_rgb_mask.tif", "weird/noweb.tif"),
    *("weird/ssmv_CCI_L3_v02.2_201411.tif", "weird/ssmv_CCI_L3_v02.2_201412.tif"),
)
"""Files that the package decodes."""

OTHERS = (
    "modis_evi_slovenia/slovenia.EVI.MOD13Q1.A2000049.tif",
    "ndmi_dekads_mexico/ndmi_2001_2017_dekads.tif",
    "s2_romania/tree_cover_density_2018_romania.tif",
    "vito_openeo/S2-bands.tiff",
    *(
        f"weird/{name}"
        for name in (
            "VNS_L6D_AEDB_v1_NRT_2019270_015400.tiff",
            *("all-nodata.tif", "byte.tif", "cint16.tif", "cog_gcps_ovr.tif", "cog_nodata_nan.tif", "cog_nonearth.tif"),
            *("cog_scale.tif", "cog_tags.tif", "corrupt.tif", "float_nan.tif", "float_raster_with_nodata.tif"),
            *("geomatrix.tif", "goes.tif", "inverted_lat.tif", "rotated.tif", "test_esri_wkt.tif", "test_rpcs.tif"),
            "world.byte.tif",
        )
    ),
)
"""Files that are left to GDAL."""
