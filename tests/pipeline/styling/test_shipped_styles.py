"""The styles that come with chronotile, and their suitability for colour-blind users."""

import itertools

import numpy as np
import pytest

from chronotile.pipeline.styling.load import load_styles, style_folders

STYLES = load_styles(style_folders(None))
RAMPS = [style for style in STYLES.values() if not style.is_categorical]

NAMED_RAMPS = ("cividis", "greys", "inferno", "magma", "plasma", "rdylgn", "viridis")
LIGHT_TO_DARK = ("evi", "fapar", "fcover", "lai", "ndvi", "soil-moisture")
DARK_TO_LIGHT = ("chlorophyll", "cividis", "greys", "inferno", "magma", "plasma", "viridis")
DIVERGING = ("difference", "ndmi", "temperature")


def lightness(colour):
    """CIE L* of an sRGB colour (IEC 61966-2-1, D65)."""
    encoded = np.array(colour[:3]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(luminance) - 16 if luminance > 0.008856 else 903.3 * luminance


def steps_of_lightness(style):
    return np.diff([lightness(stop.colour) for stop in style.ramp])


def test_styles_of_the_contract_and_the_demo_exist():
    assert set(STYLES) >= {*NAMED_RAMPS, *LIGHT_TO_DARK, *DARK_TO_LIGHT, *DIVERGING, "scene-classes"}


@pytest.mark.parametrize("style", RAMPS, ids=lambda style: style.id)
def test_a_ramp_fills_its_range_and_its_labels_lie_in_it(style):
    values = [stop.value for stop in style.ramp]

    assert values == sorted(values)
    assert (values[0], values[-1]) == style.range
    assert all(style.range[0] <= label <= style.range[1] for label in style.labels)


@pytest.mark.parametrize("name", NAMED_RAMPS)
def test_named_ramp_runs_from_0_to_1(name):
    assert STYLES[name].range == (0, 1)


@pytest.mark.parametrize("name", LIGHT_TO_DARK)
def test_more_is_darker_all_the_way(name):
    assert (steps_of_lightness(STYLES[name]) < 0).all()


@pytest.mark.parametrize("name", DARK_TO_LIGHT)
def test_more_is_lighter_all_the_way(name):
    assert (steps_of_lightness(STYLES[name]) > 0).all()


@pytest.mark.parametrize("name", DIVERGING)
def test_a_diverging_ramp_is_lightest_once_inside_and_dark_at_both_ends(name):
    steps = steps_of_lightness(STYLES[name])

    assert [sign for sign, _ in itertools.groupby(np.sign(steps))] == [1, -1]


@pytest.mark.parametrize("name", ["ndvi", "fapar", "fcover", "lai"])
def test_vegetation_styles_colour_the_flags_of_the_demo(name):
    assert {flag for flag, _ in STYLES[name].flags} == {"cloud", "snow", "water"}


def test_pixel_quality_of_landsat_is_decoded_by_its_bits():
    """Bits as USGS has them: dilated cloud 1, cirrus 2, cloud 3, shadow 4, snow 5, water 7, confidence 8 and 9."""
    labels = {int(each.value): each.label for each in STYLES["landsat-qa"].classes}

    assert labels.pop(1) == "fill"
    for number, label in labels.items():
        said = [number >> bit & 1 for bit in range(10)]
        first = [
            ("cloud", said[3]),
            ("dilated cloud", said[1]),
            ("cloud, medium confidence", said[9] and not said[8]),
            ("cirrus", said[2]),
            ("cloud shadow", said[4]),
            ("snow or ice", said[5]),
            ("water", said[7]),
            ("clear", said[6]),
        ]
        assert label == next(name for name, holds in first if holds), number
    assert {5440, 5504, 21824, 21888, 21952, 22280, 23888, 23952, 24088, 24472, 30048, 54596, 54852} <= set(labels)


def test_scene_classes_are_those_of_sentinel_2():
    labels = {each.value: each.label for each in STYLES["scene-classes"].classes}

    assert list(labels) == list(range(12))
    assert labels[4] == "vegetation"
    assert labels[9] == "cloud, high probability"


@pytest.mark.parametrize(
    ("value", "expected"),
    # Entries of the published table of 256.
    [(0, (68, 1, 84)), (0.25, (59, 82, 139)), (0.5, (33, 145, 140)), (0.75, (94, 201, 98)), (1, (253, 231, 37))],
)
def test_viridis_is_the_published_one(value, expected):
    stops = STYLES["viridis"].ramp

    painted = [
        np.interp(value, [stop.value for stop in stops], [stop.colour[band] for stop in stops]) for band in range(3)
    ]
    np.testing.assert_allclose(painted, expected, atol=3)
