"""Files without a name, on a disk that may be full."""

import resource
from contextlib import contextmanager

import pytest

from chronotile.pipeline.encoders.scratch_files import IN_MEMORY_BYTES, DiskQuota, ScratchFile, UnfailingFile


@contextmanager
def room_for(size):
    """Lets no file of this process be larger, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(params=[0, IN_MEMORY_BYTES + 1], ids=["in memory", "on disk"])
def file(request):
    with ScratchFile(request.param) as made:
        yield made


@pytest.fixture
def on_disk():
    with ScratchFile(IN_MEMORY_BYTES + 1) as made:
        yield made


def test_file_contains_bytes_written_at_positions_and_at_the_end(file):
    file.write(b"abc")
    file.write(b"f", at=5)
    file.write(b"B", at=1)
    file.write(b"g")

    assert file.size == 7
    assert file.read(0, 100) == b"aBc\0\0fg"
    assert file.read(4, 2) == b"\0f"


@pytest.mark.parametrize(("size", "expected"), [(2, b"ab"), (5, b"abc\0\0")])
def test_file_has_the_requested_length(file, size, expected):
    file.write(b"abc")

    file.resize(size)

    assert (file.size, file.read(0, 100)) == (size, expected)


def test_files_have_no_more_room_together_than_there_is_until_one_is_closed():
    room = DiskQuota(1000)
    with ScratchFile(IN_MEMORY_BYTES + 1, room) as first, ScratchFile(IN_MEMORY_BYTES + 1, room) as second:
        first.write(bytes(600))
        first.write(bytes(100), at=0)
        with pytest.raises(OSError, match="No space left"):
            second.write(bytes(401))
        first.close()
        first.close()

        second.write(bytes(1000))
        with pytest.raises(OSError, match="No space left"):
            second.write(b"x")


def test_file_in_memory_takes_no_room_on_disk():
    with ScratchFile(IN_MEMORY_BYTES, DiskQuota(0)) as file:
        file.write(b"abc")

        assert file.read(0, 3) == b"abc"


def test_full_disk_fails_immediately_and_closing_does_not(on_disk):
    with room_for(1000):
        on_disk.write(bytes(1000))
        with pytest.raises(OSError, match="too large"):
            on_disk.write(b"x")
        on_disk.close()


def test_bytes_refused_by_a_full_disk_are_read_as_written(on_disk):
    unfailing = UnfailingFile(on_disk)
    unfailing.write(b"a" * 900)
    with room_for(1000):
        unfailing.write(b"b" * 200)
        unfailing.seek(899)
        unfailing.write(b"cc")
        unfailing.truncate(1200)
    read = bytearray(1200)
    unfailing.seek(0)

    assert unfailing.readinto(read) == 1200
    assert read == b"a" * 899 + b"cc" + b"b" * 199 + bytes(100)
    assert unfailing.seek(0, 2) == 1200


def test_failed_write_is_raised_by_check(on_disk):
    unfailing = UnfailingFile(on_disk)
    unfailing.check()

    with room_for(1):
        unfailing.write(b"ab")

    with pytest.raises(OSError, match="too large"):
        unfailing.check()
