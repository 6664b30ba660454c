"""What processes that read files with GDAL share: imported by the process that they are forked from."""

from chronotile.readers.places.convert import prepare_gdal

prepare_gdal()
