"""Cubes of sources in memory: encoding, reads, and concurrent makers."""

import dataclasses
import zlib
from pathlib import Path

import numpy as np
import pytest

from chronotile.catalog.limits import Limits
from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from chronotile.core.errors import ClientGone, LimitExceeded, SourceUnavailable, UnsupportedFormat
from chronotile.core.model.cube import CubeRequest, CubeTile
from chronotile.core.model.quality import NamedFlag
from chronotile.core.model.source import Mask
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.cube_tiles import MAX_READ_CELLS, CubeTarget, extract_cube, find_cube, has_cubes
from tests.ctc1 import Decoded, decode_cube
from tests.protocols import served
from tests.readers.memory import CLOUD, NODATA, MemoryReader, derived, random_numbers

SIDE, TIMES = 8, 20
DAYS = tuple(str(np.datetime64("2020-01-01") + np.timedelta64(10 * number, "D")) for number in range(TIMES))
NUMBERS = random_numbers(1, side=SIDE, times=TIMES)
NUMBERS[:, 1, 1] = NODATA
NUMBERS[3:6, 2, :] = NODATA
NUMBERS[::2, 4, 4] = CLOUD


def make_reader(numbers=NUMBERS, **given) -> MemoryReader:
    return MemoryReader().add("NDVI", numbers, times=DAYS[: len(numbers)], **given)


def tile_of(reader) -> CubeTile:
    """Return the native cells of NDVI as a tile."""
    native = reader.info.variables["NDVI"].grid
    grid = Grid(crs=native.crs, bbox=native.bbox, width=native.width, height=native.height)
    return CubeTile(tile_matrix_set="native", matrix="0", column=0, row=0, grid=grid)


def services_of(reader, *, colours=(0.0, 250.0), **given):
    """Services whose layers have colours over these values."""
    services = served.make_services_of(reader, **given)
    style = dataclasses.replace(served.STEPS, range=colours)
    layers = [dataclasses.replace(layer, styles=(style,)) for layer in services.catalogue.layers]
    collection = served.make_collection(*layers)
    made = served.make_services(collection, **given)
    return dataclasses.replace(made, readers={"made": reader})


def extract(reader, *, time=None, res=1, layer="NDVI", colours=(0.0, 250.0), **given) -> Decoded:
    asked = CubeRequest(layer=layer, tile=tile_of(reader), time=parse_time(time), res=res)
    payload = extract_cube(asked, services_of(reader, colours=colours), **given)
    return decode_cube(zlib.decompress(payload.body, 31))


def test_blocks_of_sixteen_dates_hold_all_numbers():
    cube = extract(make_reader())

    assert [block["n"] for block in cube.header["blocks"]] == [16, 4]
    assert np.array_equal(cube.numbers, NUMBERS)


def test_flags_are_described_and_stay_among_the_numbers():
    cube = extract(make_reader(flags=((CLOUD, "cloud"),)))

    assert cube.header["flags"] == {str(CLOUD): "cloud"}
    assert np.array_equal(cube.filled == CLOUD, NUMBERS == CLOUD)
    assert cube.header["valid"] == [round(float((~np.isin(frame, [NODATA, CLOUD])).mean()), 4) for frame in NUMBERS]


def test_value_outside_the_valid_range_is_missing():
    cube = extract(make_reader(valid_range=(50, 200)))

    assert np.array_equal(cube.gaps, (NUMBERS < 50) | (NUMBERS > 200))
    assert cube.header["range"] == [50, 200]


def test_the_sources_own_mask_is_a_gap():
    reader = make_reader()
    reader.masks["NDVI"] = np.random.default_rng(2).random(NUMBERS.shape) > 0.3

    cube = extract(reader)

    assert np.array_equal(cube.gaps, ~reader.masks["NDVI"] | (NUMBERS == NODATA))


def test_a_mask_takes_values_away_and_no_flags():
    quality = np.random.default_rng(3).integers(3, 6, NUMBERS.shape).astype("uint8")
    reader = make_reader(flags=((CLOUD, "cloud"),)).add("SCL", quality, times=DAYS)

    cube = extract(derived(reader, NDVI={"mask": Mask("SCL", (4,))}))

    assert np.array_equal(cube.gaps, (NUMBERS == NODATA) | ((quality != 4) & (NUMBERS != CLOUD)))
    assert np.array_equal(cube.filled[~cube.gaps], NUMBERS[~cube.gaps])


def test_a_formula_has_values_within_half_a_step():
    reader = derived(make_reader(), INDEX={"formula": "NDVI / 250"})

    cube = extract(reader, layer="INDEX", colours=(0.0, 1.0))

    expected = np.where(NUMBERS == NODATA, np.nan, NUMBERS / 250)
    assert (cube.header["quantised"], cube.header["scale"], cube.header["dtype"]) == (True, 0.001, "uint16")
    np.testing.assert_allclose(cube.values(), expected, atol=0.0005001)


@pytest.mark.parametrize("res", [1, 2])
def test_values_far_beyond_the_colours_are_reported_and_others_unchanged(res):
    numbers = np.random.default_rng(4).normal(size=(3, SIDE, SIDE)).astype("float32")
    numbers[2, :2, :2] = 1e37
    reader = MemoryReader().add("NDVI", numbers, times=DAYS[:3])

    cube = extract(reader, colours=(0.0, 1.0), res=res)

    means = numbers.reshape(3, SIDE // res, res, SIDE // res, res).mean(axis=(2, 4))
    assert cube.header["reach"] == [None, 65534]
    assert np.array_equal(cube.beyond(), means > 1e30)
    is_near = cube.beyond() == 0
    np.testing.assert_allclose(cube.values()[is_near], means[is_near], atol=cube.header["scale"] / 2 + 1e-6)
    assert len(reader.windows) == 3


def test_cube_without_values_beyond_its_reach_reports_none():
    numbers = np.random.default_rng(4).normal(size=(3, SIDE, SIDE)).astype("float32")

    cube = extract(MemoryReader().add("NDVI", numbers, times=DAYS[:3]), colours=(0.0, 1.0))

    assert "reach" not in cube.header


def test_halves_of_the_largest_floats_are_beyond_and_no_error():
    numbers = np.full((1, SIDE, SIDE), 1.7e308)
    numbers[0, ::2] = -1.7e308
    numbers[0, :, 4:] = 1.7e308

    cube = extract(MemoryReader().add("NDVI", numbers, times=DAYS[:1]), colours=(0.0, 1.0), res=2)

    assert cube.values()[0, :, :2].tolist() == [[0.0, 0.0]] * 4
    assert cube.beyond()[0].tolist() == [[0, 0, 1, 1]] * 4


def test_floats_without_a_value_are_gaps():
    numbers = np.random.default_rng(5).random((4, SIDE, SIDE)).astype("float32")
    numbers[:, 2] = np.nan
    numbers[1, 3] = np.inf

    cube = extract(MemoryReader().add("NDVI", numbers, times=DAYS[:4]), colours=(0.0, 1.0))

    assert np.array_equal(cube.gaps, ~np.isfinite(numbers))


def test_signed_numbers_keep_their_values_to_the_last_bit():
    numbers = np.random.default_rng(6).integers(-2000, 10000, (5, SIDE, SIDE)).astype("int16")

    cube = extract(MemoryReader().add("NDVI", numbers, times=DAYS[:5], scale=0.0001))

    assert cube.header["source"] == {"shift": -32768, "offset": 0.0}
    assert np.array_equal(cube.exact_values(), np.where(numbers == NODATA, np.nan, numbers * 0.0001), equal_nan=True)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint32", "int64"])
def test_integers_keep_their_numbers(dtype):
    numbers = np.random.default_rng(7).integers(0, 120, (5, SIDE, SIDE)).astype(dtype)

    cube = extract(MemoryReader().add("NDVI", numbers, times=DAYS[:5]))

    assert not cube.header["quantised"]
    assert np.array_equal(cube.exact_values(), numbers)


def test_nodata_gets_another_number_if_all_are_values():
    numbers = np.arange(256, dtype="uint8").reshape(1, 16, 16)
    reader = MemoryReader().add("NDVI", numbers, times=DAYS[:1])
    encoding = dataclasses.replace(reader.infos["NDVI"].encoding, nodata=None)
    reader.infos["NDVI"] = dataclasses.replace(reader.infos["NDVI"], encoding=encoding)
    reader.masks["NDVI"] = numbers != 7

    cube = extract(reader)

    assert (cube.header["dtype"], cube.header["nodata"]) == ("uint16", 65535)
    assert np.array_equal(cube.numbers, np.where(numbers == 7, 65535, numbers.astype(int)))


def test_classes_are_predicted_by_time_and_have_no_mean():
    reader = make_reader()
    reader.infos["NDVI"] = dataclasses.replace(reader.infos["NDVI"], is_categorical=True)

    header = extract(reader, res=2).header

    assert (header["categorical"], header["mean"], header["blocks"][0]["pred"]) == (True, False, 1)


def test_classes_too_far_apart_are_refused():
    numbers = np.array([[[0, 1_000_000]]], dtype="int32")
    reader = MemoryReader().add("NDVI", numbers, times=DAYS[:1])
    reader.infos["NDVI"] = dataclasses.replace(reader.infos["NDVI"], is_categorical=True)

    with pytest.raises(UnsupportedFormat):
        extract(reader)


@pytest.mark.parametrize(
    ("dtype", "masks", "has"),
    [
        ("int32", (1, 1 << 15), True),
        ("int32", (1, -(1 << 31)), False),
        ("uint32", (1 << 16,), False),
        ("int16", (-(1 << 15),), True),
    ],
)
def test_layers_with_flags_beyond_16_bits_have_no_cubes(dtype, masks, has):
    reader = MemoryReader().add("NDVI", np.zeros((1, 2, 2), dtype=dtype), times=DAYS[:1])
    flags = tuple(NamedFlag(f"bit {mask}", mask) for mask in masks)
    reader.infos["NDVI"] = dataclasses.replace(reader.infos["NDVI"], is_categorical=True, bit_flags=flags)
    (layer,) = services_of(reader).catalogue.layers

    assert has_cubes(layer) is has


def test_moving_pictures_of_wide_numbers_are_coarse_and_report_it():
    numbers = np.random.default_rng(8).integers(-800, 9200, (5, SIDE, SIDE)).astype("int16")

    header = extract(
        MemoryReader().add("NDVI", numbers, times=DAYS[:5], scale=0.0001), res=2, colours=(-0.08, 0.92)
    ).header

    assert (header["dtype"], header["scale"], header["quantised"], header["mean"]) == ("uint8", 0.005, True, True)


@pytest.mark.parametrize(("resampling", "is_mean"), [("nearest", False), ("bilinear", True)])
def test_means_are_reported(resampling, is_mean):
    reader = make_reader()
    services = services_of(reader)
    (layer,) = services.catalogue.layers
    layer = dataclasses.replace(layer, resampling=resampling)
    services = dataclasses.replace(served.make_services(served.make_collection(layer)), readers={"made": reader})

    payload = extract_cube(CubeRequest(layer="NDVI", tile=tile_of(reader)), services)

    assert decode_cube(zlib.decompress(payload.body, 31)).header["mean"] is is_mean


def test_a_tile_without_a_value_or_flag_is_nothing():
    reader = make_reader(np.full((3, SIDE, SIDE), NODATA, dtype="uint8"))

    assert extract_cube(CubeRequest(layer="NDVI", tile=tile_of(reader)), services_of(reader)).body == b""


def test_tile_outside_the_layer_is_empty_and_reads_nothing():
    reader = make_reader()
    quad = load_tile_matrix_set("WebMercatorQuad", folder=Path())
    grid = quad.tile_grid(quad.matrix("11"), row=0, column=0)
    tile = CubeTile(tile_matrix_set="WebMercatorQuad", matrix="11", column=0, row=0, grid=grid)

    payload = extract_cube(CubeRequest(layer="NDVI", tile=tile), services_of(reader))

    assert (payload.body, reader.windows) == (b"", [])


def test_work_ends_between_two_dates_when_the_client_leaves():
    reader, answers = make_reader(), iter([True, True, False])

    with pytest.raises(ClientGone):
        extract(reader, is_active=lambda: next(answers, False))

    assert len(reader.windows) == 3


def test_cube_is_cached_by_its_etag():
    reader = make_reader()
    services, asked = services_of(reader), CubeRequest(layer="NDVI", tile=tile_of(reader))
    first = extract_cube(asked, services)
    reader.windows.clear()

    second = extract_cube(asked, services)

    assert (second.body, second.etag, reader.windows) == (first.body, first.etag, [])


def test_source_that_fails_at_one_date_fails_the_cube_and_nothing_is_cached():
    class Failing(MemoryReader):
        def read_window(self, variable, *, index, level, window, step=1):
            if index == 7:
                raise SourceUnavailable("the file is gone")
            return super().read_window(variable, index=index, level=level, window=window, step=step)

    reader = Failing().add("NDVI", NUMBERS, times=DAYS)
    services, asked = services_of(reader), CubeRequest(layer="NDVI", tile=tile_of(reader))

    with pytest.raises(SourceUnavailable, match="layer NDVI"):
        extract_cube(asked, services)
    assert isinstance(find_cube(asked, services), CubeTarget)


def test_more_cells_to_read_than_a_cube_may_take_are_refused_before_reading():
    reader = make_reader(random_numbers(1, side=64, times=4))
    tile = tile_of(reader)
    small = dataclasses.replace(tile, grid=dataclasses.replace(tile.grid, width=4, height=4))
    services = services_of(reader, limits=Limits(max_cube_values=100))

    with pytest.raises(LimitExceeded) as refused:
        extract_cube(CubeRequest(layer="NDVI", tile=small), services)

    between_outer_centres = 64 - 64 // 4 + 1
    assert (refused.value.needed, refused.value.allowed) == (4 * between_outer_centres**2, 100 * MAX_READ_CELLS)
    assert reader.windows == []


def test_another_style_is_another_entity_of_values_that_are_steps_of_it():
    numbers = np.random.default_rng(9).random((2, SIDE, SIDE)).astype("float32")
    reader = MemoryReader().add("NDVI", numbers, times=DAYS[:2])
    asked = CubeRequest(layer="NDVI", tile=tile_of(reader))

    first, second = (extract_cube(asked, services_of(reader, colours=(0.0, high))).etag for high in (1.0, 2.0))

    assert first != second
