"""Write the data file of `chronotile demo`: `python -m tools.demo FILE`."""

import argparse
import io
import lzma
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chronotile.core.durable_files import Disk
from chronotile.core.model.space.grid import Grid
from chronotile.demo.plan import PICTURE_DAYS, DemoPlan, pixel_centres
from chronotile.demo.scene import (
    CLOUD_RANGE,
    CLOUD_STEPS,
    COARSE_PX,
    COLOUR_SCALE,
    NDVI_OFFSET,
    NDVI_STEP,
    TEXTURE_STEPS,
)
from tools.demo.landscape import ARABLE, Kind, Landscape, Parcels, make_landscape
from tools.demo.phenology import Calendar, make_calendar
from tools.demo.reflectance import light_of, parcel_colours, snow_depth, unseen
from tools.demo.sky import cloud_field, cloud_threshold, day_number, dekad_cloud_share, orbit_gap, snow_margin

MIDDLE_DAYS = 5
"""From the first day of a dekad to the one whose green it has."""

PACKING = [{"id": lzma.FILTER_LZMA2, "mode": lzma.MODE_NORMAL, "mf": lzma.MF_HC3, "nice_len": 32, "dict_size": 1 << 20}]
"""9.4 MB in 10 s of a processor; preset 4 takes 16 s for 8.6 MB."""

Arrays = dict[str, NDArray[np.generic]]


def build(plan: DemoPlan) -> Arrays:
    """Return the arrays of the data file by name; `chronotile.demo.scene` describes them."""
    landscape = make_landscape(plan.grid)
    landscape = _sorted(landscape)
    calendar = make_calendar(landscape.parcels)
    starts = plan.time_domain.starts.astype("datetime64[D]")
    days = [np.datetime64(day, "D") for day in PICTURE_DAYS]
    return {
        "days": starts,
        **_ground(landscape),
        **_seasons(calendar, starts),
        **_sky(plan.grid, starts),
        **_pictures(landscape, calendar, days),
    }


def write(path: Path, arrays: Arrays) -> int:
    """Write arrays as `.npz` under xz, whole or not at all; return the bytes of the file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    body = lzma.compress(buffer.getvalue(), filters=PACKING)
    Disk().put(path, body)
    return len(body)


def _sorted(landscape: Landscape) -> Landscape:
    """Reorder parcels so that similar ones are neighbours, which halves the compressed size."""
    parcels, calendar = landscape.parcels, make_calendar(landscape.parcels)
    order = np.lexsort(
        (calendar.timing, calendar.manured, calendar.turn, calendar.only_maize, parcels.built, parcels.kind)
    )
    numbers = np.empty_like(order)
    numbers[order] = np.arange(order.size)
    sorted_ = Parcels(*(getattr(parcels, each.name)[order] for each in fields(Parcels)))
    return replace(landscape, parcels=sorted_, parts=numbers[landscape.parts])


def _ground(landscape: Landscape) -> Arrays:
    parcels = landscape.parcels
    is_water = parcels.kind == Kind.WATER
    trees = np.isin(parcels.kind, (Kind.DECIDUOUS, Kind.CONIFER))
    return {
        "parts": landscape.parts.astype(np.uint32),
        "is_arable": parcels.kind == ARABLE,
        "sand": _share(parcels.sand),
        "green": _share(np.where(is_water, 0.0, 1 - parcels.built)),
        "trees": trees,
        "water": landscape.water,
        "texture": np.rint(landscape.texture * TEXTURE_STEPS).astype(np.int8),
    }


def _seasons(calendar: Calendar, starts: NDArray[np.datetime64]) -> Arrays:
    ndvi = np.stack([calendar.ndvi(day + np.timedelta64(MIDDLE_DAYS, "D")) for day in starts])
    years = np.unique(starts.astype("datetime64[Y]").astype(np.int64)) + 1970
    return {
        "ndvi": _bytes((ndvi - NDVI_OFFSET) / NDVI_STEP).T,
        "kinds": np.stack([calendar.crops(int(year)) for year in years]).astype(np.uint8).T,
    }


def _sky(grid: Grid, starts: NDArray[np.datetime64]) -> Arrays:
    x, y = pixel_centres(_coarse(grid))
    clouds = []
    for start in starts:
        number = day_number(start)
        clouds.append(cloud_field(x, y, day=number) - cloud_threshold(number, dekad_cloud_share(start)))
    return {
        "clouds": np.rint(np.clip(np.stack(clouds), *CLOUD_RANGE) * CLOUD_STEPS).astype(np.int8),
        "snow": np.packbits(np.stack([snow_margin(grid, start) > 0 for start in starts]), axis=-1),
        "gaps": np.packbits(np.stack([orbit_gap(grid, start) for start in starts]), axis=-1),
    }


def _pictures(landscape: Landscape, calendar: Calendar, days: Sequence[np.datetime64]) -> Arrays:
    coarse = _coarse(landscape.grid)
    colours = np.stack([parcel_colours(landscape, calendar, day) for day in days])
    lights = [light_of(coarse, day) for day in days]
    return {
        "colours": _bytes(np.sqrt(colours) * COLOUR_SCALE).transpose(2, 1, 0),
        "opacity": _share(np.stack([light.opacity for light in lights])),
        "shade": _share(np.stack([light.shade for light in lights])),
        "depth": _share(np.stack([snow_depth(coarse, day) for day in days])),
        "unseen": np.packbits(np.stack([unseen(landscape.grid, day) for day in days]), axis=-1),
    }


def _coarse(grid: Grid) -> Grid:
    """Return the same box with `COARSE_PX` pixels per side: enough for fields without sharp edges."""
    return Grid(crs=grid.crs, bbox=grid.bbox, width=COARSE_PX, height=COARSE_PX)


def _share(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """0 to 1 in 255 steps."""
    return _bytes(np.clip(values, 0.0, 1.0) * 255)


def _bytes(numbers: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Whole numbers of 0 to 255.

    Raises:
        OverflowError: One has no byte.
    """
    rounded = np.rint(numbers)
    if rounded.min() < 0 or rounded.max() > 255:
        raise OverflowError(f"{rounded.min()} to {rounded.max()} are not all bytes")
    return np.asarray(rounded, dtype=np.uint8)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    print(f"{path}: {write(path, build(DemoPlan())) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
