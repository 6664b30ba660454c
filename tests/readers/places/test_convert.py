"""The process that parses files from outside: how it ends, whatever the file is."""

import os
import random
import signal

import orjson
import pytest

from chronotile.readers.places.convert import BROKEN, REFUSED, Conversion, format_of
from chronotile.readers.places.isolated import CPU_S, MAX_FEATURES, MAX_UNPACKED_BYTES, MEMORY_BYTES
from tests.odd_archives.uploads import mutated_upload, write_places
from tests.readers.places.forked import exit_code_of
from tests.sampling import IS_FULL, SEED

REFUSALS = {REFUSED, BROKEN, -signal.SIGXCPU, -signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV}
"""Exit codes that `isolated` words as refusals."""


def conversion_of(content):
    return Conversion(
        format=format_of(content),
        max_features=MAX_FEATURES,
        max_vertices=1_000_000,
        max_bytes=MAX_UNPACKED_BYTES,
        memory_bytes=MEMORY_BYTES,
        cpu_s=CPU_S,
        is_upload=True,
    )


def outcome(content, folder):
    """The type of the document that is answered, or the exit code."""
    code = exit_code_of(content, conversion_of(content), folder)
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
