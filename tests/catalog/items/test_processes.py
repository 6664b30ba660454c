"""Several processes that use one index: each sees all of an item or none of it, independent of the others' failures."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from chronotile.core.model.items import ItemSearch
from tests.catalog.items.conftest import make_item
from tests.running import until

HERE = make_item("a").bbox
EVERY = 40
"""Items that a writer puts together."""

KILLED = """
import sys
from pathlib import Path
from chronotile.catalog.items import index as indexes, writing
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.preparing import BATCH
from tests.catalog.items.conftest import make_item

def stop(*arguments):
    print("in the midst", flush=True)
    sys.stdin.read()

url, folder, step = sys.argv[1:]
setattr(writing, step.removeprefix("add "), stop)
index = open_items(url or None, Path(folder))
if step.startswith("add "):
    index.add("s2", [make_item(f"new {number}") for number in range(2 * BATCH)])
index.put("s2", [make_item("a", at="2024-06-01"), make_item("new", at="2024-06-01")])
"""

WRITER = """
import sys
from pathlib import Path
from chronotile.catalog.items.opening import open_items
from tests.catalog.items.conftest import make_item

url, folder, name = sys.argv[1:]
index = open_items(url or None, Path(folder))
for number in range(1, 11):
    at = f"2024-05-{number:02}"
    index.put("s2", [make_item(f"{name}-{each}", at=at, properties={"turn": number}) for each in range(40)])
index.remove("s2", [f"{name}-{each}" for each in range(20)])
index.close()
"""


@pytest.fixture
def start(url, tmp_path, at_end):
    """Return `start(program, argument)`: a Python process with the index's place as arguments; ended at the end."""

    def start_one(program, argument):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", program, url or "", tmp_path, argument]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        at_end.callback(process.communicate)
        at_end.callback(process.kill)
        return process

    return start_one


@pytest.mark.slow
@pytest.mark.parametrize("step", ["_insert", "finish", "write_forms", "add finish"])
def test_item_of_a_killed_process_is_absent(index, start, step):
    index.put("s2", [make_item("a")])
    before, state = index.covering("s2", HERE), index.state("s2")
    process = start(KILLED, step)
    assert process.stdout.readline() == b"in the midst\n"
    assert index.covering("s2", HERE) == before

    process.kill()
    process.wait()

    # A database server may notice the death of a client late.
    assert until(lambda: index.put("s2", [make_item("b")]).added) == 1
    assert [ref.id for ref in index.covering("s2", HERE)] == ["a", "b"]
    assert index.covering("s2", HERE)[0] == before[0]
    assert index.state("s2").counter == state.counter + 1
    assert len(index.times("s2")) == 1
    assert index.check() == ()


@pytest.mark.slow
def test_writers_and_readers_in_processes_see_whole_batches(index, start):
    writers = [start(WRITER, name) for name in ("x", "y")]

    seen = set()
    while any(writer.poll() is None for writer in writers):
        found = index.search(ItemSearch(limit=1000))
        refs = index.covering("s2", HERE)
        assert set(index.assets([ref.number for ref in refs])) <= {ref.number for ref in refs}
        by_turn = {}
        for item in found.items:
            by_turn.setdefault((item.ref.id[0], item.document.split(b'"turn"')[1]), []).append(item.ref.id)
        seen |= {len(ids) for ids in by_turn.values()}

    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {EVERY, EVERY // 2}
    assert sorted(ref.id for ref in index.covering("s2", HERE)) == sorted(
        f"{name}-{each}" for name in "xy" for each in range(20, 40)
    )
    assert len(index.times("s2")) == 1
    assert index.check() == ()


FILLER = """
import sys
from pathlib import Path
from chronotile.catalog.items.opening import open_items
from tests.catalog.items.conftest import make_item

url, folder, turn = sys.argv[1:]
index = open_items(url or None, Path(folder))
for batch in range(100):
    ids = [f"{batch}-{each}" for each in range(100)]
    index.put("s2", [make_item(id_, properties={"turn": 0}) for id_ in ids])
    index.put("s2", [make_item(id_, properties={"turn": 1}) for id_ in ids[:10]])
    index.remove("s2", ids[90:])
print("done", flush=True)
index.close()
"""
"""Write 10,000 items in batches of 100; in each, ten are replaced and ten removed."""


@pytest.mark.slow
def test_a_copy_that_follows_the_changes_is_whole_though_writers_are_killed(index, start):
    copy, cursor = {}, index.changes_after(None).cursor

    def follow(cursor):
        page = index.changes_after(cursor, limit=150)
        for change in page.changes:
            if change.kind == "removed":
                copy.pop(change.id, None)
            else:
                copy[change.id] = change.item.document
        return page.cursor

    for killed_at in (500, 3000, None):
        process = start(FILLER, "")
        while process.poll() is None:
            cursor = follow(cursor)
            if killed_at is not None and len(copy) >= killed_at:
                process.kill()
                process.wait()
        pages = [index.search(ItemSearch(limit=10_000))]
        while pages[-1].next is not None:
            pages.append(index.search(ItemSearch(limit=10_000, cursor=pages[-1].next)))
        there = {item.ref.id: item.document for page in pages for item in page.items}
        batches = Counter(id_.partition("-")[0] for id_ in there)
        assert set(batches.values()) <= {90, 100}
        while (newer := follow(cursor)) != cursor:
            cursor = newer
        assert copy == there

    assert process.returncode == 0
    assert len(copy) == 9_000
    assert index.check() == ()
