"""JSON of many lists, taken apart."""

import gc

import orjson
import pytest

from chronotile.core.model.geometry.json_text import load_json


@pytest.fixture
def looks():
    """Return the record of garbage collections."""
    noted = []

    def note(phase, _about):
        noted.append(phase)

    gc.callbacks.append(note)
    yield noted
    gc.callbacks.remove(note)


def test_garbage_collector_is_paused_while_lists_are_built(looks):
    text = orjson.dumps([[]] * 200_000)

    assert len(load_json(text)) == 200_000
    assert len(looks) < 10


def test_garbage_collector_is_resumed_after_any_text():
    with pytest.raises(orjson.JSONDecodeError):
        load_json(b"[[")

    assert gc.isenabled()
