"""Common imports of processes that read files with GDAL, loaded before these processes fork."""

from chronotile.readers.places.convert import prepare_gdal

prepare_gdal()
