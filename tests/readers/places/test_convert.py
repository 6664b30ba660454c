"""The process that parses files from outside: its end, for any file."""

import os
import random
import signal

import orjson
import pytest

from chronotile.readers.places.convert import ABORTED, BROKEN, REFUSED, Conversion
from tests.odd_archives.uploads import mutated_upload, write_places
from tests.readers.places.forked import exit_code_of
from tests.sampling import IS_FULL, SEED

REFUSALS = {REFUSED, BROKEN, ABORTED, -signal.SIGXCPU, -signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV}
"""Exit codes that `isolated` words as refusals."""


def outcome(content, folder):
    """Return the type of the document that is answered, or the exit code."""
    code = exit_code_of(content, Conversion(max_vertices=1_000_000), folder)
    return orjson.loads((folder / "answer").read_bytes())["type"] if code == 0 else code


@pytest.mark.slow
@pytest.mark.every_case
@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_mutated_files_end_in_a_document_or_a_refusal(tmp_path, suffix):
    chance = random.Random(os.environ.get(SEED))
    paths = [write_places(tmp_path / f"fields{number}{suffix}", chance) for number in range(5)]

    outcomes = {
        outcome(mutated_upload(chance.choice(paths), chance), tmp_path) for _ in range(2_500 if IS_FULL else 20)
    }

    assert outcomes <= REFUSALS | {"FeatureCollection"}
