"""Requirements of the tests of the page "One Debian host"; `make production-test` alone runs them."""

import os
import shutil
from pathlib import Path

import pytest

from tests.image.containers import lack_of_mounts

CACHE = "CHRONOTILE_TEST_PRODUCTION"
"""The folder of the Debian root and of downloaded packages; without it these tests are not collected."""
PROGRAMS = ("debootstrap", "apt-config", "unshare", "nsenter", "npm")

collect_ignore_glob = [] if os.environ.get(CACHE) else ["test_*.py"]


@pytest.fixture(scope="session")
def cache():
    """Return the folder of everything that is downloaded."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} absent (Debian: apt-get install debootstrap)")
    if os.geteuid():
        pytest.skip("only root can make a Debian root")
    if lack := lack_of_mounts():
        pytest.skip(lack)
    folder = Path(os.environ[CACHE]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
