"""GDAL's cache, shared by the whole process, has the size that all pools leave to it."""

import gc

from rasterio.env import get_gdal_config

from chronotile.readers.raster.gdal_cache import reserve_gdal_cache

MB = 1 << 20


class Pool:
    """Owner of a part of the cache."""


def test_shares_of_existing_pools_add_up():
    gc.collect()  # of pools of other tests
    first, second = Pool(), Pool()
    reserve_gdal_cache(first, 5 * MB)
    alone = get_gdal_config("GDAL_CACHEMAX")

    reserve_gdal_cache(second, 3 * MB)
    both = get_gdal_config("GDAL_CACHEMAX")
    del second
    reserve_gdal_cache(first, 6 * MB)
    after = get_gdal_config("GDAL_CACHEMAX")

    assert (both - alone, after - alone) == (3 * MB, 1 * MB)
