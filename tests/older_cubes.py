"""Serving cubes in the format before: the native cells in the group `0`, or in `series` where there are no maps."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chronotile.optimise import run
from chronotile.optimise.options import Options, Report
from chronotile.readers.zarr.commit import Commit


def optimise_in_format_1(sources: Sequence[str], target: Path, options: Options, **more: Any) -> Report:
    """Write a cube as the release before did; what is appended later keeps its format by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "Commit", partial(Commit, format=1))
        return run.optimise(sources, target, options, **more)
