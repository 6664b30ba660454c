"""Files that processes share, and the state that each caches."""

from chronotile.readers.caches import disk as module
from chronotile.readers.caches.disk import DiskCache


def test_files_removed_by_others_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_TOUCHED", 10)
    monkeypatch.setattr(module, "TOUCH_S", 0.0)
    files = DiskCache(tmp_path, 1 << 20, end=".cube")
    for number in range(100):
        files.touch(f"removed-{number}")

    assert len(files._touched) <= 10
