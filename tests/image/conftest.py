"""The image that the tests of this folder run; `make image-test` alone runs them."""

import os
import shutil
from pathlib import Path

import pytest

from tests.image.bases import PROGRAMS, Store, build_volumes, node_base, python_base
from tests.image.containers import lack_of_mounts, mounted

CACHE = "CHRONOTILE_TEST_IMAGE"
"""The folder of bases and images; without it these tests are not collected."""
BUILD_S = 2400
ROOT = Path(__file__).parents[2]

collect_ignore_glob = [] if os.environ.get(CACHE) else ["test_*.py"]


def _lack() -> str | None:
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} absent (Debian: apt-get install debootstrap buildah)"
    return "only root can build and run an image here" if os.geteuid() else lack_of_mounts()


@pytest.fixture(scope="session")
def store():
    """Return the store of images."""
    if lack := _lack():
        pytest.skip(lack)
    store = Store(folder=Path(os.environ[CACHE]).absolute())
    store.folder.mkdir(parents=True, exist_ok=True)
    store.remove_containers()
    yield store
    store.remove_containers()


@pytest.fixture(scope="session")
def image(store, tmp_path_factory):
    """Return a new build of the Dockerfile's image."""
    bases = [f"--build-arg=PYTHON_IMAGE=localhost/{python_base(store)}"]
    bases += [f"--build-arg=NODE_IMAGE=localhost/{node_base(store)}"]
    options = ["--isolation=chroot", "--format=docker", "--pull-never", "--tag=chronotile:test", *bases]
    volumes = build_volumes(tmp_path_factory.mktemp("registries"))
    store.buildah("bud", *options, *volumes, ROOT, timeout_s=BUILD_S, output=False)
    with mounted(store, "chronotile:test") as image:
        yield image
    store.buildah("rmi", "--force", "chronotile:test")
    store.buildah("rmi", "--prune")
