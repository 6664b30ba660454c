"""Nearest cells of swaths and curvilinear grids, compared with a tree over all cells."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from chronotile.readers.cf import nearest_cells
from chronotile.readers.cf.geolocation import StoredPositions, find_geolocation
from chronotile.readers.cf.nearest_cells import ThinnedPositions, find_nearest, index_cells, unit_vectors
from tests.readers.made_swaths import GEOLOCATIONS, SMOOTH, orbit, swath_fields

WINDOWS, SIDE = 50, 20
"""50 windows of 20 by 20 points."""


def windows_on(vectors, index):
    """Return windows (y, x, 3) of points around random cells, on planes that touch the sphere."""
    rng = np.random.default_rng(3)
    cells = vectors[np.isfinite(vectors[..., 0])]
    offsets = (np.mgrid[:SIDE, :SIDE] - SIDE / 2) * index.side * 0.37
    for centre in cells[rng.integers(0, len(cells), WINDOWS)]:
        across = np.cross(centre, rng.normal(size=3))
        across /= np.linalg.norm(across)
        plane = centre + offsets[0][..., None] * across + offsets[1][..., None] * np.cross(centre, across)
        yield plane / np.linalg.norm(plane, axis=-1, keepdims=True)


def search_cells(longitudes, latitudes):
    """Return points (n, 3), the cells of the index, the cells of a tree, distances to these, and all vectors."""
    cells = StoredPositions(longitudes, latitudes)
    vectors, index = unit_vectors(longitudes, latitudes), index_cells(cells)
    windows = list(windows_on(vectors, index))
    numbers = np.concatenate([find_nearest(cells, index, window).ravel() for window in windows])
    points, flat = np.concatenate(windows).reshape(-1, 3), vectors.reshape(-1, 3)
    usable = np.flatnonzero(np.isfinite(flat[:, 0]))
    distances, nearest = cKDTree(flat[usable]).query(points)
    return points, numbers, usable[nearest], distances, vectors


def distances_to_neighbours(vectors, axis):
    """Return the (y, x) least and greatest distance of each cell to its neighbours along an axis."""
    steps = np.linalg.norm(np.diff(vectors, axis=axis), axis=-1)
    width = [(1, 1) if side == axis else (0, 0) for side in (0, 1)]
    padded = np.pad(steps, width, constant_values=np.nan)
    before, after = np.delete(padded, -1, axis=axis), np.delete(padded, 0, axis=axis)
    return np.fmin(before, after), np.fmax(before, after)


@pytest.mark.parametrize("name", GEOLOCATIONS)
def test_nearest_cell_equals_the_cell_of_a_tree(name):
    points, numbers, expected, distances, vectors = search_cells(*GEOLOCATIONS[name])

    reached = numbers >= 0
    chosen = vectors.reshape(-1, 3)[numbers[reached]]
    assert points.shape == (WINDOWS * SIDE * SIDE, 3)
    assert reached.mean() > 0.5
    np.testing.assert_array_less(
        np.linalg.norm(chosen - points[reached], axis=-1), distances[reached] + 1e-14, err_msg=str(expected[:3])
    )


@pytest.mark.parametrize("name", GEOLOCATIONS)
def test_points_belong_to_cells_within_half_a_diagonal(name):
    _points, numbers, expected, distances, vectors = search_cells(*GEOLOCATIONS[name])
    (least_down, most_down), (least_across, most_across) = (distances_to_neighbours(vectors, axis) for axis in (0, 1))

    reached = numbers >= 0
    least = np.hypot(least_down, least_across).ravel()[expected[~reached]] / 2
    most = np.hypot(most_down, most_across).ravel()[numbers[reached]] / 2
    assert not (distances[reached] > 1.06 * most).any()
    assert not (distances[~reached] < 0.99 * least).any()


@pytest.mark.parametrize("name", SMOOTH)
def test_no_hole_lies_between_four_cells(name):
    cells = StoredPositions(*SMOOTH[name])
    vectors = unit_vectors(*SMOOTH[name])
    middles = vectors[:-1, :-1] + vectors[1:, :-1] + vectors[:-1, 1:] + vectors[1:, 1:]
    middles /= np.linalg.norm(middles, axis=-1, keepdims=True)

    assert (find_nearest(cells, index_cells(cells), middles) >= 0).all()


def test_gap_between_two_sides_has_no_cells():
    cells = StoredPositions(*GEOLOCATIONS["two sides"])
    track = unit_vectors(*orbit(angles=np.linspace(-3, 3, 20)))

    assert (find_nearest(cells, index_cells(cells), track) == -1).all()


def test_first_of_two_cells_at_one_position_is_found():
    longitudes, latitudes = np.meshgrid(np.arange(70) / 10, np.arange(50) / 10)
    longitudes, latitudes = np.concatenate([longitudes] * 2), np.concatenate([latitudes] * 2)
    cells = StoredPositions(longitudes, latitudes)

    numbers = find_nearest(cells, index_cells(cells), unit_vectors(longitudes[:50], latitudes[:50]))

    np.testing.assert_array_equal(numbers, np.arange(50 * 70).reshape(50, 70))


def test_points_off_the_earth_have_no_cell():
    cells = StoredPositions(*orbit())
    points = unit_vectors(*orbit())[:2, :2].copy()
    points[0, 0] = np.nan

    assert find_nearest(cells, index_cells(cells), points).tolist() == [[-1, 1], [70, 71]]


@pytest.mark.parametrize("most", [0, 1 << 20], ids=["in strips", "in memory"])
def test_thinned_cells_are_every_nth_row_and_mth_column(most, monkeypatch):
    monkeypatch.setattr(nearest_cells, "MAX_STORED", most)
    monkeypatch.setattr(nearest_cells, "STRIP_CELLS", 1000)
    longitudes, latitudes = orbit(rows=101)

    thinned = ThinnedPositions(StoredPositions(longitudes, latitudes), (4, 2)).read(slice(3, 26), slice(2, 35))

    np.testing.assert_array_equal(thinned, (longitudes[12:101:4, 4:70:2], latitudes[12:101:4, 4:70:2]))


def test_thinned_cells_read_each_position_once(monkeypatch):
    monkeypatch.setattr(nearest_cells, "STRIP_CELLS", 1000)
    longitudes, latitudes = orbit(rows=101)
    fields = swath_fields(longitudes, latitudes)
    reads = []

    def record_reads(field):
        return replace(field, part=lambda picks: reads.append(field.name) or field.load()[picks])

    geolocation = find_geolocation(fields.fields["v"], fields)
    geolocation = replace(
        geolocation, latitude=record_reads(geolocation.latitude), longitude=record_reads(geolocation.longitude)
    )

    thinned = ThinnedPositions(geolocation, (4, 2)).read(slice(0, 26), slice(0, 35))

    np.testing.assert_allclose(thinned[1], latitudes[:101:4, :70:2])
    assert sorted(reads) == ["lat", "lon"]


def test_index_of_many_rows_is_small():
    cells = StoredPositions(*orbit(0, 90, rows=320_000, angles=[-0.001, 0.001]))

    assert index_cells(cells).nbytes == 20 * 320_000 // 32
