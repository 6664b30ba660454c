"""Moving windows equal scipy; the dilated mask equals its definition with whole kernels."""

import numpy as np
import pytest
from scipy import ndimage

from chronotile.core.graph.errors import ProcessFault
from tests.core.graph.cubes import call, make_cube

KERNEL = [[0.0, 1.0, 2.0], [3.0, -4.0, 5.0], [0.5, 6.0, -7.0]]
MODES = {
    0: ("constant", 0),
    3: ("constant", 3),
    "replicate": ("nearest", 0),
    "reflect": ("reflect", 0),
    "wrap": ("grid-wrap", 0),
}


@pytest.mark.parametrize("border", [*MODES, "reflect_pixel"])
def test_kernels_equal_scipy(border):
    values = np.random.default_rng(1).normal(size=(2, 7, 9))
    mode, constant = MODES.get(border, ("mirror", 0))

    result = call(
        "apply_kernel", data=make_cube(values, t=("2020-01-01", "2020-01-02")), kernel=KERNEL, factor=2, border=border
    )

    expected = [2 * ndimage.correlate(plane, np.array(KERNEL), mode=mode, cval=constant) for plane in values]
    np.testing.assert_allclose(result.values, expected, rtol=1e-12, atol=1e-12)


def test_missing_cells_are_replaced_before():
    result = call("apply_kernel", data=make_cube([[1.0, np.nan, 2.0]]), kernel=[[1, 1, 1]], replace_invalid=10)

    np.testing.assert_allclose(result.values, [[11.0, 13.0, 12.0]])


@pytest.mark.parametrize(
    ("kernel", "code"),
    [
        ([[1, 2]], "KernelDimensionsUneven"),
        ([[1], [2, 3]], "ProcessParameterInvalid"),
        ([[1.0] * 101] * 101, "ProcessParameterInvalid"),
        ("kernel", "ProcessParameterInvalid"),
    ],
)
def test_bad_kernels_are_refused(kernel, code):
    with pytest.raises(ProcessFault) as refused:
        call("apply_kernel", data=make_cube([[1.0]]), kernel=kernel)

    assert refused.value.code == code


@pytest.mark.parametrize("erosion", [0, 3])
def test_the_mask_of_clouds_equals_whole_gaussian_kernels(erosion):
    classes = np.random.default_rng(2).choice([4.0, 5.0, 4.0, 4.0, 8.0, 3.0, 1.0, np.nan], size=(40, 50))
    classes[10:20, 10:25] = 9

    result = call(
        "to_scl_dilation_mask", data=make_cube(classes), kernel1_size=5, kernel2_size=21, erosion_kernel_size=erosion
    )

    disk = np.hypot(*np.mgrid[-1:2, -1:2]) <= 1
    expected = np.zeros(classes.shape, dtype=bool)
    for marked, size, limit in (
        (~np.isin(classes, [2, 4, 5, 6, 7]), 5, 0.057),
        (np.isin(classes, [3, 8, 9, 10, 11]), 21, 0.025),
    ):
        eroded = ndimage.binary_erosion(marked, disk, border_value=1) if erosion else marked
        down, across = np.mgrid[:size, :size] - size // 2
        kernel = np.exp(-(down**2 + across**2) / (2 * (size / 6) ** 2))
        expected |= ndimage.correlate(eroded.astype(float), kernel / kernel.sum(), mode="constant") > limit
    np.testing.assert_array_equal(result.values, expected)


def test_masked_bands_lose_the_cells_of_the_mask():
    classes = np.full((9, 9), 4.0)
    classes[4, 4] = 9
    cube = make_cube(np.stack([np.ones((9, 9)), classes]), bands=("B04", "SCL"))

    result = call("mask_scl_dilation", data=cube, kernel1_size=3, kernel2_size=3)
    marks = call("to_scl_dilation_mask", data=cube, kernel1_size=3, kernel2_size=3)

    assert marks.names == ["y", "x"]
    assert 1 < marks.values.sum() < 81
    np.testing.assert_array_equal(np.isnan(result.values), np.broadcast_to(marks.values, (2, 9, 9)))
