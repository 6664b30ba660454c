"""Loads NDVI of a box with odc-stac and with stackstac: `load.py ROOT FOLDER` writes an array (time, y, x) of each."""

import sys
from pathlib import Path

import numpy as np
import odc.stac
import stackstac
from pystac_client import Client

BOX = (610_000.0, 5_630_000.0, 612_000.0, 5_633_000.0)
DAYS = ["2020-06-01", "2020-06-11"]

root, folder = sys.argv[1], Path(sys.argv[2])
search = Client.open(root).search(collections=["s2"], ids=DAYS, sortby="+datetime")
items = search.item_collection()

xmin, ymin, xmax, ymax = BOX
loaded = odc.stac.load(
    items, bands=["NDVI"], crs="EPSG:32631", resolution=100, x=(xmin, xmax), y=(ymin, ymax), chunks=None
)
np.save(folder / "odc.npy", loaded["NDVI"].transpose("time", "y", "x").values)

# As dictionaries: pystac drops proj:epsg, from which stackstac gets the CRS.
stacked = stackstac.stack(
    search.item_collection_as_dict()["features"],
    assets=["NDVI"],
    resolution=100,
    bounds=BOX,
    dtype="float64",
    fill_value=np.nan,
    rescale=False,
)
np.save(folder / "stackstac.npy", stacked.isel(band=0).values)
