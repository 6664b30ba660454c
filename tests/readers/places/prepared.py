"""Common imports of processes that read files with GDAL, loaded in the process from which they fork."""

from chronotile.readers.places.convert import prepare_gdal

prepare_gdal()
