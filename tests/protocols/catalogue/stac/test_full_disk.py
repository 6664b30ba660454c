"""Items can be removed if the disk of the index is full: on a small disk in a separate process."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.archive.index.write import ItemWriter
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.reserve import RESERVE, RESERVE_BYTES
from chronotile.core.web.places import AllowedPlaces
from tests.protocols.catalogue.stac.conftest import put, services_over
from tests.protocols.catalogue.stac.documents import scene
from tests.protocols.catalogue.stac.test_transactions import ITEMS, SCENES, SHOWN, TOKEN, written

ON_A_SMALL_DISK = (
    'mount -t tmpfs -o size=34m small "$1" && exec "$2" -m tests.protocols.catalogue.stac.test_full_disk "$1"'
)
NOTE = "".join(f"{number:x} " for number in range(30_000))
"""Text that makes an item large."""


@pytest.mark.client("unshare")
@pytest.mark.slow
def test_items_are_removed_from_an_index_on_a_full_disk(tmp_path):
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK]
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [*command, "sh", tmp_path, sys.executable], cwd=root, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(seen["added"]) > 20
    assert set(seen["removed"]) == {204}
    assert len(seen["removed"]) == len(seen["added"]) + 1
    assert seen["left"] == 0
    assert set(seen["again"]) == {201}
    assert seen["reserved"] == RESERVE_BYTES


def _main(folder):
    """Fill an index until the disk is full, remove all items, free the disk, add some; print the statuses."""
    (folder / "other").write_bytes(bytes(10 << 20))
    with closing(open_items(None, folder, archive="a")) as index:
        put(index, "scenes", [scene("there", day=1, cloud=5)])
        writer = ItemWriter(
            tokens=(TOKEN,), specs=lambda: {"scenes": SCENES}, items=lambda: index, prefixes=AllowedPlaces()
        )
        with TestClient(application(services_over(index), ServerOptions(items=writer))) as client:
            client.headers.update(SHOWN)
            added = []
            while client.post(ITEMS, json=written(f"{len(added)}", note=NOTE)).status_code == 201:
                added.append(201)
            names = ["there", *map(str, range(len(added)))]
            removed = [client.delete(f"{ITEMS}/{name}").status_code for name in names]
            left = client.get(ITEMS).json()["numberMatched"]
            (folder / "other").unlink()
            again = [client.post(ITEMS, json=written(f"{name}", note=NOTE)).status_code for name in range(10)]
            reserved = (folder / RESERVE).stat().st_size
    sys.stdout.write(
        json.dumps({"added": added, "removed": removed, "left": left, "again": again, "reserved": reserved})
    )


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
