"""Processes with a moving window over x and y: kernels, and the dilated mask of clouds."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from chronotile.core.graph.cube import GraphCube, as_float, require_cube
from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.values import GraphProcess
from chronotile.core.model.types import BoolArray, Float64Array

MAX_KERNEL = 10_000
"""Maximum number of weights of a kernel."""
BORDERS: Mapping[str, Literal["edge", "symmetric", "reflect", "wrap"]] = {
    "replicate": "edge",
    "reflect": "symmetric",
    "reflect_pixel": "reflect",
    "wrap": "wrap",
}
"""Values beyond the border, as numpy names them."""
MASK_KERNELS = (17, 201)
RESAMPLING_CELLS = 4
"""Cells around a cell that resampling may use (Lanczos: 3), and one for rounding."""
MASK_LIMITS = (0.057, 0.025)
"""Weighted share of marked cells around a cell above which it is masked, as on Copernicus Data Space."""


def apply_kernel(
    data: GraphCube,
    *,
    kernel: list[list[float]],
    factor: float = 1,
    border: float | str = 0,
    replace_invalid: float = 0,
) -> GraphCube:
    """Return the cube with the weighted sum of the cells around each cell, times `factor`."""
    cube = require_cube(data)
    weights = _kernel(kernel)
    if isinstance(border, str) and border not in BORDERS:
        raise invalid("border", f"{shorten(border)} is not accepted; accepted are a number, {', '.join(BORDERS)}")
    y, x = cube.spatial()
    values = np.moveaxis(as_float(cube.values), [cube.axis(y.name), cube.axis(x.name)], [-2, -1])
    filled = np.where(np.isfinite(values), values, values.dtype.type(replace_invalid))
    margins = [(0, 0)] * (filled.ndim - 2) + [(size // 2, size // 2) for size in weights.shape]
    if isinstance(border, str):
        padded = np.pad(filled, margins, mode=BORDERS[border])
    else:
        padded = np.pad(filled, margins, constant_values=border)
    total = np.zeros(filled.shape)
    for (row, column), weight in np.ndenumerate(weights):
        if weight:
            total += weight * padded[..., row : row + filled.shape[-2], column : column + filled.shape[-1]]
    moved = np.moveaxis(total * factor, [-2, -1], [cube.axis(y.name), cube.axis(x.name)])
    return GraphCube(cube.dimensions, moved.astype(values.dtype, copy=False))


def to_scl_dilation_mask(  # noqa: PLR0913 -- published by Copernicus Data Space
    data: GraphCube,
    *,
    scl_band_name: str | None = None,
    kernel1_size: int = MASK_KERNELS[0],
    kernel2_size: int = MASK_KERNELS[1],
    mask1_values: Sequence[int] = (2, 4, 5, 6, 7),
    mask2_values: Sequence[int] = (3, 8, 9, 10, 11),
    erosion_kernel_size: int = 0,
) -> GraphCube:
    """Return a mask of clouds from the scene classification of Sentinel-2, dilated around clouds and shadows.

    The first mask has all classes except `mask1_values`, the second has `mask2_values`. Each is eroded by a disk, then
    smoothed by a Gaussian window whose standard deviation is a sixth of its size. A cell is masked if a smoothed mask
    exceeds its limit (`MASK_LIMITS`). Copernicus Data Space has the same limits.
    """
    cube = _scl_of(require_cube(data), scl_band_name)
    y, x = cube.spatial()
    classes = np.moveaxis(cube.values, [cube.axis(y.name), cube.axis(x.name)], [-2, -1])
    marks = (~np.isin(classes, list(mask1_values)), np.isin(classes, list(mask2_values)))
    is_masked = np.zeros(classes.shape, dtype=bool)
    for marked, size, limit in zip(marks, (kernel1_size, kernel2_size), MASK_LIMITS, strict=True):
        if not 0 <= size <= 1001:
            raise invalid("kernel1_size, kernel2_size", f"{shorten(size)} is not accepted; accepted is 0 to 1001")
        is_masked |= _smooth(_erode(marked, erosion_kernel_size), size) > limit
    return GraphCube(cube.dimensions, np.moveaxis(is_masked, [-2, -1], [cube.axis(y.name), cube.axis(x.name)]))


def mask_scl_dilation(data: GraphCube, **options: Any) -> GraphCube:  # noqa: ANN401 -- arguments of to_scl_dilation_mask
    """Return the cube without the cells that `to_scl_dilation_mask` masks."""
    cube = require_cube(data)
    is_masked = np.broadcast_to(to_scl_dilation_mask(cube, **options).broadcast_to(cube), cube.values.shape)
    return GraphCube(cube.dimensions, np.where(is_masked, np.nan, as_float(cube.values)))


mask_scl_dilation.__signature__ = inspect.signature(to_scl_dilation_mask)  # type: ignore[attr-defined]


def _scl_of(cube: GraphCube, name: str | None) -> GraphCube:
    bands = cube.dimensions_of_type("bands")
    if not bands:
        return cube
    labels = list(bands[0].labels)
    if name is None:
        name = labels[0] if len(labels) == 1 else "SCL"
    if name not in labels:
        raise invalid("scl_band_name", f"there is no band {shorten(name)}; accepted are {shorten(labels)}")
    return cube.remove_dimension(bands[0].name, cube.values.take(labels.index(name), axis=cube.axis(bands[0].name)))


def _smooth(marked: BoolArray, size: int) -> Float64Array:
    """Return the share of marked cells (..., row, column) in a Gaussian window; cells outside are not marked."""
    shares = marked.astype(np.float64)
    if size < 2:
        return shares
    offsets = np.arange(size) - size // 2
    weights = np.exp(-(offsets**2) / (2 * (size / 6) ** 2))
    weights /= weights.sum()
    for axis in (-1, -2):
        moved = np.moveaxis(shares, axis, -1)
        length = moved.shape[-1]
        padded = np.pad(moved, [(0, 0)] * (moved.ndim - 1) + [(size // 2, size - 1 - size // 2)])
        total = np.zeros(moved.shape)
        for index, weight in enumerate(weights):
            total += weight * padded[..., index : index + length]
        shares = np.moveaxis(total, -1, axis)
    return shares


def _erode(marked: BoolArray, size: int) -> BoolArray:
    """Return the marked cells (..., row, column) without unmarked cells in a disk around them."""
    if size < 2:
        return marked
    if size > 101:
        raise invalid("erosion_kernel_size", f"{shorten(size)} is not accepted; accepted is 0 to 101")
    reach = size // 2
    rows, columns = marked.shape[-2:]
    padded = np.pad(marked, [(0, 0)] * (marked.ndim - 2) + [(reach, reach)] * 2, constant_values=True)
    eroded = marked.copy()
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            if down**2 + across**2 <= reach**2:
                eroded &= padded[..., reach + down : reach + down + rows, reach + across : reach + across + columns]
    return eroded


def _kernel(kernel: object) -> Float64Array:
    try:
        weights = np.asarray(kernel, dtype=np.float64)
    except (TypeError, ValueError):
        raise invalid("kernel", f"{shorten(kernel)} is not a list of lists of numbers") from None
    if weights.ndim != 2 or not weights.size or not np.isfinite(weights).all():
        raise invalid("kernel", f"{shorten(kernel)} is not a list of lists of numbers")
    if any(size % 2 == 0 for size in weights.shape):
        reason = f"kernel: its sizes {weights.shape[0]} and {weights.shape[1]} must be odd"
        raise ProcessFault("KernelDimensionsUneven", reason)
    if weights.size > MAX_KERNEL:
        raise invalid("kernel", f"it has {weights.size} weights; at most {MAX_KERNEL} are accepted")
    return weights


def reach_of(process: str, arguments: Mapping[str, Any]) -> int:
    """Return how many cells around a cell a process uses, in its input or result, whichever has larger cells.

    Args:
        process: Name of the process.
        arguments: Arguments that it has accepted.
    """
    if process == "apply_kernel":
        return int(max(np.shape(arguments["kernel"]))) // 2
    if process.startswith("resample_") and process.endswith("spatial"):
        return RESAMPLING_CELLS
    if process not in ("to_scl_dilation_mask", "mask_scl_dilation"):
        return 0
    sizes = (arguments.get(f"kernel{number}_size", size) for number, size in enumerate(MASK_KERNELS, 1))
    return int(max(sizes) + arguments.get("erosion_kernel_size", 0)) // 2 + 1


KERNELS: Mapping[str, GraphProcess] = {
    process.__name__: GraphProcess(process.__name__, process)
    for process in (apply_kernel, mask_scl_dilation, to_scl_dilation_mask)
}
"""Processes by name."""
