"""Masks over swaths: bounds of values and bits, on the cells of the variable or on coarser cells."""

import numpy as np
import pytest
import xarray

from chronotile.core.model.quality import AbsentFlags, ValueBounds
from chronotile.core.model.source import Mask, TargetGrid
from chronotile.core.model.space.grid import Window
from chronotile.readers.derived.mask import MaskReader, mask_variable
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.made_swaths import orbit
from tests.scenes import make_spec, save_netcdf

GRID = TargetGrid(crs="EPSG:3857", resolution=5000.0)
SHAPES = {"same cells": (60, 50), "coarser cells": (20, 17)}
CONDITIONS = {
    "bounds": (ValueBounds(at_least=0.75), lambda numbers: numbers * 0.01 >= 0.75),
    "bits": (AbsentFlags(names=("cloud",)), lambda numbers: numbers & 2 == 0),
}


def positions(rows, columns, name):
    longitudes, latitudes = orbit(20, 24, rows=rows, angles=np.linspace(-2, 2, columns))
    dims = (f"scan{name}", f"pixel{name}")
    return {
        f"lat{name}": (dims, latitudes, {"units": "degrees_north"}),
        f"lon{name}": (dims, longitudes, {"units": "degrees_east"}),
    }


def write_two(path, shape, attrs):
    """Write values on 60 by 50 cells, and numbers of quality on cells of the same orbit."""
    rng = np.random.default_rng(1)
    values, quality = rng.normal(280, 5, (60, 50)), rng.integers(0, 101, shape).astype("uint8")
    dataset = xarray.Dataset(
        {
            "v": (("scan", "pixel"), values.astype("float32"), {"coordinates": "lat lon"}),
            "qa": (("scan_q", "pixel_q"), quality, {"coordinates": "lat_q lon_q", **attrs}),
        },
        positions(60, 50, "") | positions(*shape, "_q"),
    )
    return save_netcdf(dataset, path, version=4)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("cells", SHAPES)
def test_mask_has_the_nearest_cell_of_quality(tmp_path, cells, condition):
    keep, is_kept = CONDITIONS[condition]
    bits = {"flag_masks": np.array([1, 2, 4], "uint8"), "flag_meanings": "land cloud ice"}
    attrs = bits if condition == "bits" else {"scale_factor": 0.01, "units": "1"}
    path = write_two(tmp_path / "made.nc", SHAPES[cells], attrs)
    reader = open_source(make_spec("netcdf", path, variables={}, grid=GRID), ReaderCaches())
    v, qa = (reader.info.variables[name] for name in ("v", "qa"))
    window = Window(0, v.grid.height, 0, v.grid.width)

    masked = MaskReader(reader, {"v": mask_variable(v, Mask(variable="qa", keep=keep), qa)})
    pixels = masked.read_window("v", index=0, level=0, window=window)

    plain, quality = (reader.read_window(name, index=0, level=0, window=window) for name in ("v", "qa"))
    is_value = np.isfinite(plain.numbers)
    is_covered = np.ones_like(is_value) if quality.valid is None else quality.valid
    expected = is_value & is_kept(quality.numbers) & is_covered
    np.testing.assert_array_equal(is_value & (pixels.valid != False), expected)  # noqa: E712 -- an array or None
    assert 0.05 < expected[is_value].mean() < 0.95
