"""Series of a cell while a writer replaces chunks of its Zarr store."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import tensorstore
import zarr
from numcodecs import Delta

from chronotile.core.errors import SourceUnavailable
from chronotile.readers.zarr.source import open_zarr
from tests.looked_at import settle
from tests.scenes import Scene, write_zarr

SCENE = Scene()
LAYOUTS = {
    "folder per date": {"version": 3},
    "one folder": {"version": 2},
    "zarr-python": {"version": 2, "filters": [Delta("u1")]},
}


@dataclass
class Writer:
    """Replaces all chunks of a store, at most `max_writes` times."""

    folder: Path
    layout: dict[str, object]
    max_writes: int
    written: int = field(default=0, init=False)

    def __post_init__(self):
        self.spec = write_zarr(self.folder / "0", SCENE, **self.layout)
        settle(self.folder)

    def write(self):
        if self.written == self.max_writes:
            return
        self.written += 1
        made = Path(write_zarr(self.folder / f"{self.written}", self.scene, **self.layout).href)
        for chunk in [*(made / "0/NDVI").rglob("*")]:
            if chunk.is_file() and chunk.name[-1].isdecimal():
                chunk.replace(self.spec.href / chunk.relative_to(made))

    @property
    def scene(self):
        return replace(SCENE, shift=self.written)


@dataclass(frozen=True)
class Numbers:
    """Result of a read of tensorstore."""

    numbers: np.ndarray

    def read(self):
        return self

    def result(self):
        return self.numbers


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function: its writer then writes between two dates of each series."""

    def interrupt(writer):
        def read(read_part, selection):
            times, *cell = selection
            if not cell:  # coordinates
                return read_part(selection)
            earlier = read_part((slice(times.start, times.start + 2), *cell))
            writer.write()
            return np.concatenate([earlier, read_part((slice(times.start + 2, times.stop), *cell))])

        of_tensorstore, of_zarr = tensorstore.TensorStore.__getitem__, zarr.Array.get_orthogonal_selection

        def select(array, selection):
            return Numbers(read(lambda part: of_tensorstore(array, part).read().result(), selection))

        def select_with_zarr(array, selection, **rest):
            return read(lambda part: of_zarr(array, part, **rest), selection)

        monkeypatch.setattr(tensorstore.TensorStore, "__getitem__", select)
        monkeypatch.setattr(zarr.Array, "get_orthogonal_selection", select_with_zarr)

    return interrupt


def read_series(writer):
    return open_zarr(writer.spec).read_cell("NDVI", indexes=range(5), row=7, column=3).numbers


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_series_has_one_version_of_replaced_chunks(tmp_path, interrupt, layout):
    writer = Writer(tmp_path, layout, max_writes=1)
    interrupt(writer)

    series = read_series(writer)

    assert writer.written == 1
    np.testing.assert_array_equal(series, writer.scene.cube()[:, 7, 3])


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_series_whose_chunks_always_change_is_unavailable(tmp_path, interrupt, layout):
    writer = Writer(tmp_path, layout, max_writes=5)
    interrupt(writer)

    with pytest.raises(SourceUnavailable, match="are being written; try again later") as raised:
        read_series(writer)

    assert type(raised.value) is SourceUnavailable


def test_series_is_read_while_chunks_are_added_to_the_folder(tmp_path, interrupt):
    writer = Writer(tmp_path, {"version": 2}, max_writes=5)
    added = Path(writer.spec.href) / "0/NDVI/9.0.0"
    writer.write = added.touch
    interrupt(writer)

    np.testing.assert_array_equal(read_series(writer), SCENE.cube()[:, 7, 3])
    assert added.exists()
