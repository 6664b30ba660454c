"""Servers that list dates in one index concurrently, or are killed during it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from chronotile.archive.dated_collections import dated_collections
from chronotile.archive.index.dates import reason_to_list
from chronotile.archive.index.fill import IndexStore
from chronotile.archive.live_archive import LiveArchive
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.model.items import ItemSearch
from tests.running import until
from tests.scenes import Scene, make_dataset, save_netcdf

DAYS = tuple(map(str, np.datetime64("2001-01-01") + np.arange(2_000)))
LISTER = """
import sys, threading
from functools import partial
from pathlib import Path
from chronotile.archive.dated_collections import DatedCollections
from chronotile.archive.index import background
from chronotile.archive.index.background import BackgroundFill
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.fill import IndexStore
from chronotile.archive.index.sources import SourceAccess
from chronotile.archive.live_archive import LiveArchive
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.web.places import AllowedPlaces

data, folder = map(Path, sys.argv[1:])
background.REST = 0.0  # no requests wait

def open_store():
    return IndexStore(items=open_items(None, folder), passes=open_passes(None, folder))

live = LiveArchive.open(data)
access = SourceAccess(prefixes=AllowedPlaces(), documents=DocumentReader())
filling = BackgroundFill(lambda: [], access, open_store, dates=DatedCollections(lambda: live.archive))
filling.start()
print("started", flush=True)
sys.stdin.read()
filling.close()
"""


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    save_netcdf(make_dataset(Scene(days=DAYS, width=2, height=2)), folder / "made.nc")
    return folder


@pytest.fixture
def store(tmp_path, closed_at_end):
    folder = tmp_path / "index"
    return closed_at_end(IndexStore(items=open_items(None, folder), passes=open_passes(None, folder)))


@pytest.fixture
def start(data, tmp_path, at_end):
    """Return `start()`: a process that lists the dates until its standard input ends; killed at the end."""

    def start_one():
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", LISTER, data, tmp_path / "index"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        at_end.callback(process.communicate)
        at_end.callback(process.kill)
        assert process.stdout.readline() == b"started\n"
        return process

    return start_one


def listed(store):
    """Return the ids of all items, oldest first."""
    ids, cursor = [], None
    while True:
        search = ItemSearch(limit=1_000, sort=(("datetime", False),), cursor=cursor)
        page = store.items.search(search)
        ids += [each.ref.id for each in page.items]
        if page.next is None:
            return ids
        cursor = page.next


@pytest.mark.slow
def test_next_server_lists_the_dates_that_a_killed_one_did_not(data, store, start):
    killed = 0
    for least in (1, 600, 1_200):
        process = start()
        until(lambda least=least: len(store.items.times("made")) >= least)
        process.kill()
        process.wait()
        killed += len(store.items.times("made")) < len(DAYS)
    start()

    until(lambda: store.passes.last_since("made") is not None)

    assert killed > 0
    assert listed(store) == list(DAYS)
    assert is_up_to_date(data, store)


@pytest.mark.slow
def test_two_servers_list_each_date_once(data, store, start):
    start()
    start()

    until(lambda: store.passes.last_since("made") is not None)

    assert listed(store) == list(DAYS)
    assert is_up_to_date(data, store)


def is_up_to_date(data, store):
    live = LiveArchive.open(data)
    try:
        (dated,) = dated_collections(live.archive)
        return reason_to_list(dated, store) is None
    finally:
        live.archive.close()
