"""Overviews that differ from their native level, in sources of each kind: no protocol gives a wrong value of them.

CHRONOTILE_TEST_FULL=1 takes every member with several seeds; `tests.agreement.levels_many` counts values.
"""

from itertools import product

import numpy as np
import pytest

from tests.agreement.levels_asked import compare_all
from tests.odd_archives.levels import MEMBERS, make_member
from tests.sampling import IS_FULL

SEEDS = range(4 if IS_FULL else 1)
FOUND = (
    ("tif: external mask before internal overviews", 20091),
    ("tif: external mask before external overviews", 30053),
)
"""Members of random runs that had wrong values."""
QUICK = ("tif: internal mask after internal overviews-0",)


@pytest.mark.quick_cases(*QUICK)
@pytest.mark.parametrize(("name", "seed"), [*product(MEMBERS, SEEDS), *FOUND])
def test_unlike_level_gives_no_wrong_value(tmp_path, name, seed):
    member = make_member(tmp_path, name, seed)

    compared = compare_all(member, np.random.default_rng(seed))

    assert compared.wrong.total() == 0, (compared.wrong, compared.count)
    assert min(compared.count.values()) > 0
