"""Serving cubes in the previous format: the native cells in the group `0`, or in `series` without maps."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chronotile.optimise import planning
from chronotile.optimise.options import Options, Report
from chronotile.optimise.run import optimise
from chronotile.readers.zarr.commit import Commit


def optimise_in_format_1(sources: Sequence[str], target: Path, options: Options, **more: Any) -> Report:
    """Write a cube like the previous release; appended data keep its format automatically."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "Commit", partial(Commit, format=1))
        return optimise(sources, target, options, **more)
