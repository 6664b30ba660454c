"""`python resample_swath.py FILE SIDE WEST SOUTH EAST NORTH`: a map of a swath by pyresample, in its own environment.

Prints the processor times of reading the arrays, and of the search with a new tree.
"""

import sys
import time

import h5py
import numpy as np
from pyresample import kd_tree
from pyresample.geometry import AreaDefinition, SwathDefinition

REACH_M = 8_000
"""Maximum distance of a cell; half a diagonal of the made cells at the edge of the swath."""


def main() -> None:
    """Read the arrays and resample the nearest cells."""
    path, side, *sides = sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:])
    start = time.process_time()
    with h5py.File(path) as file:
        longitudes, latitudes, numbers = (file[name][:] for name in ("lon", "lat", "no2"))
    read = time.process_time()
    area = AreaDefinition("map", "", "", "EPSG:4326", side, side, sides)
    swath = SwathDefinition(lons=longitudes, lats=latitudes)
    kd_tree.resample_nearest(swath, numbers, area, radius_of_influence=REACH_M, fill_value=np.nan)
    print(read - start, time.process_time() - read)


if __name__ == "__main__":
    main()
