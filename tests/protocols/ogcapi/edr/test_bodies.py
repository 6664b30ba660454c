"""Queries are GET requests; their bodies are ignored."""

from dataclasses import dataclass, field, replace

import pytest

from chronotile.http.body_memory import BodyMemory
from chronotile.pipeline.services import Services
from tests.protocols import served

CENTRE = (605_000, 5_635_000)
QUERIES = {
    "position": {"coords": f"POINT({CENTRE[0]} {CENTRE[1]})", "crs": "EPSG:32631", "f": "csv"},
    "cube": {"bbox": "600000,5630000,610000,5640000", "crs": "EPSG:32631", "f": "csv"},
}
BODY = b" " * 100_000
"""Larger than the bytes that are not counted."""


@dataclass
class NotingReader(served.FormulaReader):
    """Reader that records the memory of bodies while it reads."""

    bodies: BodyMemory | None = None
    taken: list[int] = field(default_factory=list)

    def read_window(self, variable, *, index, level, window, step=1):
        self.taken.append(self.bodies.taken_bytes)
        return super().read_window(variable, index=index, level=level, window=window, step=step)

    def read_cell(self, variable, *, indexes, row, column):
        self.taken.append(self.bodies.taken_bytes)
        return super().read_cell(variable, indexes=indexes, row=row, column=column)


@dataclass
class ReloadedOnce:
    """Services that are replaced when a request follows their stores for the first time."""

    services: Services
    reloads: int = 0

    def has_grown(self, _collection):
        return False

    def follow(self, _collection):
        if not self.reloads:
            self.reloads += 1
            self.services = replace(self.services)


@pytest.fixture
def noting(make_client, tree_services):
    """A client of the tree, and the reader of its NDVI."""
    reader = NotingReader(tree_services.readers["s2"].info)
    client = make_client(replace(tree_services, readers={**tree_services.readers, "s2": reader}))
    reader.bodies = client.app.state.chronotile.bodies
    return client, reader


@pytest.mark.parametrize("query", QUERIES)
def test_a_body_takes_no_memory_while_the_answer_is_made(noting, query):
    """Regression: answers waited for memory that the body of the same request used."""
    client, reader = noting

    answer = client.request("GET", f"/ogcapi/collections/NDVI/{query}", params=QUERIES[query], content=BODY)

    assert answer.status_code == 200, answer.text
    assert reader.taken
    assert set(reader.taken) == {0}


@pytest.mark.parametrize("query", QUERIES)
def test_request_with_a_body_starts_again_after_a_reload(noting, query):
    client, _reader = noting
    state = client.app.state.chronotile
    state.live = ReloadedOnce(state.services)
    answer = client.request("GET", f"/ogcapi/collections/NDVI/{query}", params=QUERIES[query], content=BODY)

    assert (state.live.reloads, answer.status_code) == (1, 200)
