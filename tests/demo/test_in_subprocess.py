"""The demo archive made in a separate process."""

import pytest

from chronotile.core.errors import InvalidParameter
from chronotile.demo import DemoPlan, make_demo
from chronotile.demo.in_subprocess import make_demo_in_subprocess


@pytest.mark.slow
def test_folder_of_others_is_refused_as_by_make_demo(tmp_path):
    (tmp_path / "demo.yaml").touch()

    with pytest.raises(InvalidParameter, match="not a demo archive"):
        make_demo_in_subprocess(tmp_path, progress=lambda *_: None)


@pytest.mark.slow
def test_archive_is_made_once(tmp_path):
    plan = DemoPlan(size_px=100, first_day="2023-01-01", dekads=12, levels=2, picture_days=("2024-06-01",))
    told = []

    made = make_demo_in_subprocess(
        tmp_path / "demo", progress=lambda what, share: told.append((what, share)), plan=plan
    )

    assert made == make_demo(tmp_path / "demo", plan=plan)
    assert [share for _what, share in told] == sorted(share for _what, share in told)
    assert make_demo_in_subprocess(tmp_path / "demo", progress=None, plan=plan) == made
