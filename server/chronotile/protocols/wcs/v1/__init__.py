"""WCS 1.0.0 (OGC 03-065r6) and 1.1.1 (OGC 07-067r5), as QGIS and GDAL speak them."""
