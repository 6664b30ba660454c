"""Memory that several processes write concurrently: a read returns the bytes of its key, or none."""

import mmap
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from chronotile.readers.caches.block_cache import SLOT_BYTES, WAYS, SharedBlockMemory, part_key, shareable_memory

ONE_SET = (WAYS + 1) * SLOT_BYTES
"""Size of memory with one set of slots."""

WRITER = """
import itertools
import sys
from chronotile.readers.caches.block_cache import SharedBlockMemory
from tests.readers.caches.test_shared_memory import KEYS, SIZE, part_of
memory = SharedBlockMemory(SIZE, int(sys.argv[1]))
for number, key in enumerate(itertools.cycle(KEYS), 1):
    memory.write(key, part_of(key))
    if number == len(KEYS):
        print("full", flush=True)
"""
SIZE = 4 * ONE_SET
KEYS = [part_key(bytes(range(16)), number) for number in range(200)]
"""Three times as many as there are slots."""

shared = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system shares no memory by descriptor")


def part_of(key: bytes, size: int = SLOT_BYTES) -> np.ndarray:
    """Return a part filled with its key."""
    return np.resize(np.frombuffer(key, dtype=np.uint8), size)


def found(memory: SharedBlockMemory, key: bytes, size: int = SLOT_BYTES) -> bool:
    """Return whether a key is stored; its part must be the right one."""
    part = np.empty(size, dtype=np.uint8)
    is_found = memory.read(key, part)
    assert not is_found or (part == part_of(key, size)).all()
    return is_found


@pytest.mark.parametrize("size", [1, 100, SLOT_BYTES])
def test_written_bytes_are_read(size):
    memory = SharedBlockMemory(ONE_SET)
    memory.write(KEYS[0], part_of(KEYS[0], size))

    assert found(memory, KEYS[0], size)
    assert not found(memory, KEYS[1], size)
    assert memory.usage() == (1, size)


def test_part_of_another_length_is_not_there():
    memory = SharedBlockMemory(ONE_SET)
    memory.write(KEYS[0], part_of(KEYS[0], 100))

    assert not memory.read(KEYS[0], np.empty(99, dtype=np.uint8))


def test_size_stays_within_the_limit():
    memory = SharedBlockMemory(SIZE)

    for key in KEYS:
        memory.write(key, part_of(key))

    entries, size = memory.usage()
    assert size == entries * SLOT_BYTES <= memory.max_bytes <= SIZE
    assert entries > memory.max_bytes // SLOT_BYTES * 0.8


def test_least_recently_used_entries_are_evicted():
    memory = SharedBlockMemory(ONE_SET)
    for key in KEYS[:WAYS]:
        memory.write(key, part_of(key))

    assert found(memory, KEYS[0])
    memory.write(KEYS[WAYS], part_of(KEYS[WAYS]))

    assert [found(memory, key) for key in (KEYS[0], KEYS[1], KEYS[WAYS])] == [True, False, True]


@pytest.mark.parametrize("size", [0, 1, SLOT_BYTES, 2 * SLOT_BYTES])
def test_memory_too_small_for_pieces_keeps_none(size):
    memory = SharedBlockMemory(size)
    memory.write(KEYS[0], part_of(KEYS[0]))

    assert not found(memory, KEYS[0])
    assert (memory.max_bytes, memory.usage()) == (0, (0, 0))


@shared
def test_garbage_is_not_read():
    descriptor = shareable_memory(SIZE)
    memory = SharedBlockMemory(SIZE, descriptor)
    for key in KEYS:
        memory.write(key, part_of(key))
    kept = [key for key in KEYS if found(memory, key)]
    header_bytes = os.fstat(descriptor).st_size - memory.max_bytes
    noise = np.random.default_rng(1)

    with mmap.mmap(descriptor, SIZE) as raw:
        for at in noise.integers(header_bytes, SIZE - 1, 2_000):
            raw[at] = int(noise.integers(256))

    assert len(kept) > 50
    assert sum(found(memory, key) for key in kept) < 5


@shared
@pytest.mark.parametrize("part", [slice(0, 16), slice(16, 24), slice(16, 20)], ids=["key", "rest", "checksum"])
def test_half_of_another_header_is_not_believed(part):
    descriptor = shareable_memory(ONE_SET)
    memory = SharedBlockMemory(ONE_SET, descriptor)
    for key in KEYS[:2]:
        memory.write(key, part_of(key))

    with mmap.mmap(descriptor, ONE_SET) as raw:
        raw[part] = raw[part.start + 32 : part.stop + 32]

    assert not found(memory, KEYS[0])
    assert not memory.read(KEYS[1], np.empty(SLOT_BYTES, dtype=np.uint8)) or found(memory, KEYS[1])


@shared
def test_smaller_limit_evicts_entries_and_the_rest_stays():
    descriptor = shareable_memory(SIZE)
    memory, other = SharedBlockMemory(SIZE, descriptor), SharedBlockMemory(SIZE, descriptor)
    for key in KEYS:
        memory.write(key, part_of(key))
    before = os.fstat(descriptor).st_blocks

    memory.shrink(SIZE // 2)

    assert os.fstat(descriptor).st_blocks <= before * 0.6
    assert sum(found(memory, key) for key in KEYS) * SLOT_BYTES <= memory.max_bytes <= SIZE // 2
    assert sum(found(other, key) for key in KEYS) >= sum(found(memory, key) for key in KEYS) > 10
    memory.shrink(SIZE)
    assert memory.max_bytes <= SIZE // 2


@shared
@pytest.mark.slow
def test_processes_that_write_and_are_killed_never_leave_a_wrong_piece():
    descriptor = shareable_memory(SIZE)
    memory = SharedBlockMemory(SIZE, descriptor)
    read = 0

    for _ in range(4):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(descriptor)], pass_fds=[descriptor], stdout=subprocess.PIPE
            )
            for _ in range(2)
        ]
        for writer in writers:
            assert writer.stdout.readline() == b"full\n"
        read += sum(found(memory, key) for _ in range(20) for key in KEYS)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.communicate()
        read += sum(found(memory, key) for key in KEYS)

    assert read > 500
