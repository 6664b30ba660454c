"""Settings of the serving process, tested in separate processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from chronotile.app.process_setup import server_options
from chronotile.http.error_headers import RETRY_AFTER_S
from tests.running import PATIENCE_S

HOLES = """
import resource
from pathlib import Path
from chronotile.app.process_setup import give_back_freed_memory, keep_freed_memory, share_one_heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

share_one_heap()
keep_freed_memory()
blocks = [bytearray(60_000) for _ in range(2_000)]
del blocks[::2]
full = resident()
give_back_freed_memory()
print(full - resident(), sum(map(len, blocks)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc_trim and /proc")
def test_memory_freed_between_used_blocks_returns_to_the_system():
    ran = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)

    given_back, kept = map(int, ran.stdout.split())
    assert kept == 60_000_000
    assert given_back > 40_000_000


SET_ASIDE = """
import gc
import weakref
from chronotile.app.process_setup import freeze_garbage_collection

class Node:
    pass

def ring():
    node = Node()
    node.itself = node
    return weakref.ref(node)

gc.disable()
stays = [Node() for _ in range(50_000)]
before = ring()
freeze_garbage_collection()
looked_through = len(gc.get_objects())
held = Node()
held.itself = held
freeze_garbage_collection()
frozen = weakref.ref(held)
del held
freeze_garbage_collection()
print(looked_through < 50_000, len(stays), before() is None, frozen() is None)
"""


@pytest.mark.slow
def test_permanent_objects_are_not_traversed_and_garbage_is_still_found():
    ran = subprocess.run([sys.executable, "-c", SET_ASIDE], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["True", "50000", "True", "True"]


HANGING = """
import logging
import threading
from chronotile.app.process_setup import end_within

logging.basicConfig(format="%(message)s")
threading.Thread(target=threading.Event().wait).start()
end_within(0.2)
"""


@pytest.mark.slow
def test_process_with_hanging_threads_ends_and_reports_it():
    ran = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )

    assert ran.returncode == 1
    assert ran.stderr.startswith("running work did not end within 0.2 s")


SWALLOWED = """
import gc, signal
from chronotile.app.process_setup import end_well_when_stopped, exit_on_signal
end_well_when_stopped()
exit_on_signal()
gc.callbacks.append(lambda *_: (gc.callbacks.clear(), signal.raise_signal(signal.SIGTERM)))
gc.collect()
print("goes on", flush=True)
exit_on_signal()
print("stays")
"""


@pytest.mark.slow
def test_a_signal_whose_exception_is_swallowed_ends_the_process_later():
    ran = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, "goes on\n")


HANGS = """
import sys
from pathlib import Path
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from chronotile.app.process_setup import leave_hanging_threads

folder = tempfile.TemporaryDirectory()
print(folder.name)
pool = ThreadPoolExecutor(1)
pool.submit(print, "done")
if sys.argv[1] == "hangs":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
leave_hanging_threads(3)
print("nothing hangs")
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["hangs", "end"])
def test_process_with_a_hanging_thread_ends_immediately_after_all_else_ended(threads):
    command = [sys.executable, "-c", HANGS, threads]

    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_S)

    folder, *said = ran.stdout.split("\n")
    assert (ran.returncode, said) == ((3, ["done", ""]) if threads == "hangs" else (0, ["done", "nothing hangs", ""]))
    assert not Path(folder).exists()


def test_connections_of_refused_clients_stay_open_until_their_retry():
    """The fault: both were 5 s, so that the next request of many met the end of its connection."""
    assert server_options()["timeout_keep_alive"] >= 2 * int(RETRY_AFTER_S)
