"""Dates of files' names, which an audit finds apart from the readers."""

import pytest

from chronotile.archive.open import open_archive
from chronotile.audit.archive import Audit, audit_archive
from chronotile.core.model.time.instants import system_clock
from tests.scenes import Scene, write_tif

SCENE = Scene(width=8, height=6)

NAMES = {
    "day": ("v_20240101", "v_20240111"),
    "instant": ("v_20240101T103200", "v_20240111T104700"),
    "time with a letter": ("v_20240101-S103200", "v_20240111-S104700"),
    "fraction of a second": ("v_20240101_t1032001", "v_20240111_t1047001"),
    "time of day without seconds": ("v_20240101_1032", "v_20240111_1047"),
    "time of day with a hyphen": ("v_2024-01-01_10-32", "v_2024-01-11_10-47"),
    "day of year": ("v_A2024001", "v_A2024011"),
    "day of year and time of day": ("v_A2024001.1032", "v_A2024011.1047"),
    "GOES": ("v_s20240011200204", "v_s20240021200204"),
    "Landsat": ("LC81980242024001LGN00_B4", "LC81980242024017LGN00_B4"),
    "days of year": ("A20240012024008.v", "A20240092024016.v"),
    "dekad": ("v_2024-01-d1", "v_2024-01-d2"),
    "dekad of the year": ("v_2024D17", "v_2024D18"),
    "ISO week": ("v_2024W05", "v_2024W06"),
    "ISO week with a hyphen": ("v_2020-W53", "v_2021-W01"),
    "month": ("v_202401", "v_202402"),
    "month with a hyphen": ("v_2024-01", "v_2024-02"),
    "quarter": ("v_2024Q1", "v_2024-Q2"),
    "year": ("v_yearly_2023", "v_yearly_2024"),
    "year before its word": ("v_2023_annual", "v_2024_annual"),
    "folders of months": ("2024/01/v", "2024/02/v"),
    "folders of days": ("20240101/v", "20240111/v"),
    "version like a month": ("v_201801_20240101", "v_201801_20240111"),
}


def audited(place):
    archive = open_archive(place, environment={}, clock=system_clock)
    found = Audit(seed=1)
    lines = list(audit_archive(archive, found, samples=10))
    count = sum(max(1, len(layer.times)) for layer in archive.services.catalogue.layers)
    archive.close()
    return lines, found, count


@pytest.mark.parametrize("kind", NAMES)
def test_each_date_in_a_name_is_audited(tmp_path, kind):
    for number, name in enumerate(NAMES[kind]):
        path = tmp_path / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tif(path, SCENE.numbers(number), SCENE)

    lines, found, count = audited(tmp_path)

    assert (lines, found.not_audited, count) == ([], [], 2)
    assert found.compared == found.total > 0


def test_share_counts_dates_that_are_left_out_nowhere_else(tmp_path):
    for number, day in enumerate(("20240101", "20240111")):
        write_tif(tmp_path / f"a_{day}.tif", SCENE.numbers(number), SCENE)
        write_tif(tmp_path / f"b_{day}.tif", SCENE.numbers(number), SCENE)
    archive = open_archive(tmp_path, environment={}, clock=system_clock)
    (tmp_path / "b_20240111.tif").write_bytes(b"II*\0")
    found = Audit(seed=1)
    list(audit_archive(archive, found, samples=10))
    archive.close()

    assert (len(found.layers), len(found.not_audited)) == (1, 1)
    assert found.compared == found.total == 2 * SCENE.width * SCENE.height
    assert "(100 %)" in found.summary()
