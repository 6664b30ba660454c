"""Servers that hang hold few threads, and are tried again by themselves."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from chronotile.archive.index.documents import DocumentReader
from chronotile.core.errors import SourceUnavailable
from chronotile.readers.kinds import open_source
from chronotile.readers.remote import gates as remote_gates
from chronotile.readers.remote import gates as remote_http
from chronotile.readers.remote import requests as remote_requests
from chronotile.readers.remote.gates import (
    FIRST_CLOSED_S,
    MAX_CLOSED_S,
    MAX_LATE,
    MAX_SERVERS,
    MAX_WAITING,
    SILENT_S,
    Gate,
    GateClosed,
    Gates,
    HttpClient,
    TooLate,
    Undecided,
)
from chronotile.readers.remote.requests import BUSY, Away, ask_document, ask_part, list_folders, place_of, retry
from tests.clock import Clock
from tests.faulty_source import Fault, faulty_source
from tests.readers.remote_scenes import SCENE, numbers_of, write_here
from tests.running import PATIENCE_S
from tests.scenes import make_spec


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def gate(clock):
    return Gate(clock)


def fail(gate):
    with suppress(TooLate), gate.passing():
        raise TooLate


def close(gate):
    for _ in range(MAX_LATE):
        fail(gate)


def is_open(gate):
    try:
        with gate.passing():
            return True
    except GateClosed:
        return False


def test_answers_of_any_kind_keep_it_open(gate):
    for _ in range(10 * MAX_LATE):
        with suppress(OSError), gate.passing():
            raise OSError("503")

    assert is_open(gate)


def test_requests_without_an_answer_in_time_close_it(gate):
    close(gate)

    assert not is_open(gate)


def test_checks_of_the_gate_do_not_count_as_requests(gate, clock):
    for _ in range(10):
        gate.require_open()
    close(gate)
    with pytest.raises(GateClosed, match="did not respond to the last requests"):
        gate.require_open()

    clock.now_s += MAX_CLOSED_S

    gate.require_open()
    assert is_open(gate)
    gate.require_open()


def test_answer_between_failures_resets_their_count(gate):
    for _ in range(MAX_LATE - 1):
        fail(gate)
    is_open(gate)
    for _ in range(MAX_LATE - 1):
        fail(gate)

    assert is_open(gate)


def test_unsent_request_neither_closes_the_gate_nor_counts_as_an_answer(gate):
    for _ in range(MAX_LATE - 1):
        fail(gate)
    for _ in range(10 * MAX_LATE):
        with suppress(Undecided), gate.passing():
            raise Undecided
    was_open = is_open_to_one_that_is_not_sent(gate)
    fail(gate)

    assert (was_open, is_open(gate)) == (True, False)


def is_open_to_one_that_is_not_sent(gate):
    try:
        with suppress(Undecided), gate.passing():
            raise Undecided
    except GateClosed:
        return False
    return True


def test_one_request_is_tried_after_a_while_and_opens_it(gate, clock):
    close(gate)
    clock.now_s += FIRST_CLOSED_S

    with gate.passing():
        assert not is_open(gate)
    assert is_open(gate)
    with gate.passing():
        assert is_open(gate)


def test_each_try_that_fails_closes_it_for_longer_up_to_a_bound(gate, clock):
    close(gate)
    for _ in range(20):
        clock.now_s += MAX_CLOSED_S
        fail(gate)
    clock.now_s += MAX_CLOSED_S / 2 - 0.01
    was_open = is_open(gate)
    clock.now_s += MAX_CLOSED_S / 2 + 0.01

    assert (was_open, is_open(gate)) == (False, True)


def test_a_silent_server_holds_a_bounded_number_of_threads(gate, clock):
    with ExitStack() as waiting:
        for _ in range(MAX_WAITING):
            waiting.enter_context(gate.passing())
        clock.now_s += SILENT_S - 0.01
        before = is_open(gate)
        clock.now_s += SILENT_S

        assert before
        assert not is_open(gate)
        gate.hear()
        assert is_open(gate)


def test_a_slow_server_that_sends_something_is_not_silent(gate, clock):
    with ExitStack() as waiting:
        for _ in range(5 * MAX_WAITING):
            clock.now_s += SILENT_S - 0.01
            gate.hear()
            waiting.enter_context(gate.passing())


def test_fewer_requests_than_the_bound_may_wait_for_a_silent_server(gate, clock):
    with gate.passing():
        clock.now_s += 10 * SILENT_S

        assert is_open(gate)


def test_gates_are_bounded(clock):
    gates = Gates(clock)
    first = gates.of("https://a.example")
    for number in range(MAX_SERVERS):
        gates.of(f"https://{number}.example")

    assert gates.of("https://a.example") is not first


@pytest.fixture
def near(tmp_path):
    """A store that works."""
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "a").write_bytes(b"near")
    with faulty_source(tmp_path / "near") as one:
        yield one


@pytest.fixture
def far(tmp_path):
    """A store that blocks until it is released."""
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a").write_bytes(b"far")
    with faulty_source(tmp_path / "far") as one:
        yield one


@pytest.fixture
def patient(monkeypatch, clock):
    """Requests have all the time there is; gates have a clock of the test."""
    client = HttpClient(connect_s=PATIENCE_S, request_s=10 * PATIENCE_S)
    monkeypatch.setattr(remote_requests, "http_client", lambda: client)
    monkeypatch.setattr(remote_requests, "gates", remote_gates.Gates(clock))
    yield clock
    client.close()


def ask(source):
    return retry(lambda: ask_part(place_of(source.url_of("a")), 0, 3, None)[0], None)


@pytest.mark.slow
def test_a_store_that_blocks_holds_its_share_of_threads_and_others_go_on(near, far, patient):
    with ThreadPoolExecutor(MAX_WAITING + 1) as threads:
        far.switch(Fault.HANG, times=MAX_WAITING)
        blocked = [threads.submit(ask, far) for _ in range(MAX_WAITING)]
        far.wait_until_hanging(count=MAX_WAITING)
        patient.now_s += SILENT_S

        refused = [threads.submit(ask, far) for _ in range(20)]
        answered = [threads.submit(ask, near) for _ in range(20)]

        assert [type(each.exception()) for each in refused] == [Away] * 20
        assert [each.result() for each in answered] == [b"nea"] * 20
        assert not any(each.done() for each in blocked)
        assert far.count() == MAX_WAITING
        far.cut_all()
        assert all(each.exception() is None or isinstance(each.exception(), Away) for each in blocked)
        assert ask(far) == b"far"


@pytest.mark.slow
def test_a_store_that_was_dead_is_read_again_by_itself(far, monkeypatch, clock):
    client = HttpClient(connect_s=PATIENCE_S, request_s=0.2)
    monkeypatch.setattr(remote_requests, "http_client", lambda: client)
    monkeypatch.setattr(remote_requests, "gates", remote_gates.Gates(clock))
    monkeypatch.setattr(remote_requests, "AGAIN_WITHIN_S", 0.0)
    far.switch(Fault.HANG)
    for _ in range(MAX_LATE):
        with pytest.raises(Away, match="in time"):
            ask(far)
    count = far.count()

    with pytest.raises(Away, match="did not respond to the last requests"):
        ask(far)
    assert far.count() == count
    far.heal()
    clock.now_s += FIRST_CLOSED_S
    client.close()
    patient = HttpClient(connect_s=PATIENCE_S, request_s=PATIENCE_S)
    monkeypatch.setattr(remote_requests, "http_client", lambda: patient)
    assert ask(far) == b"far"
    patient.close()


@pytest.mark.slow
def test_waiting_for_a_connection_to_a_busy_server_does_not_close_its_gate(far, monkeypatch, clock):
    monkeypatch.setattr(remote_http, "MAX_CONNECTIONS", 1)
    client = HttpClient(connect_s=PATIENCE_S, request_s=10 * PATIENCE_S, wait_s=0.01)
    monkeypatch.setattr(remote_requests, "http_client", lambda: client)
    monkeypatch.setattr(remote_requests, "gates", remote_gates.Gates(clock))
    with ThreadPoolExecutor(1) as threads:
        far.switch(Fault.HOLD, times=1)
        held = threads.submit(ask, far)
        far.wait_until_hanging()
        for _ in range(2 * MAX_LATE):
            with pytest.raises(Away, match=BUSY):
                ask(far)
        far.release()

        assert held.result() == b"far"
    assert far.count() == 1
    assert ask(far) == b"far"
    client.close()


@pytest.fixture
def bucket(far, monkeypatch, clock):
    """Serve the files of the blocking store as `s3://bucket`."""
    (far.folder / "bucket").mkdir()
    (far.folder / "bucket" / "a").write_bytes(b"{}")
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in ({"AWS_ENDPOINT_URL_S3": far.url} | keys).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(remote_requests, "gates", remote_gates.Gates(clock))
    return far


OF_BUCKET = {
    "document": lambda: retry(lambda: ask_document(place_of("s3://bucket/a"), 100), None),
    "folders": lambda: list_folders("s3://bucket/folder"),
    "catalogue": lambda: DocumentReader(wait=lambda _seconds: None).read("s3://bucket/a"),
}


@pytest.mark.slow
@pytest.mark.parametrize("call", OF_BUCKET.values(), ids=OF_BUCKET)
def test_blocking_bucket_uses_only_its_share_of_threads(call, bucket, clock):
    with ThreadPoolExecutor(MAX_WAITING) as threads:
        bucket.switch(Fault.HOLD)
        held = [threads.submit(call) for _ in range(MAX_WAITING)]
        bucket.wait_until_hanging(count=MAX_WAITING)
        clock.now_s += SILENT_S

        for _ in range(3):
            with pytest.raises((Away, SourceUnavailable)):
                call()
        assert bucket.count() == MAX_WAITING
        bucket.release()
        assert all(each.exception(PATIENCE_S) is None or isinstance(each.exception(), OSError) for each in held)


@pytest.mark.slow
def test_reads_of_chunks_in_a_bucket_whose_requester_pays_count_too(bucket, monkeypatch, clock):
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    name = write_here("zarr-v3", bucket.folder / "bucket", SCENE, chunks=(1, SCENE.height, SCENE.width))
    reader = open_source(make_spec("zarr", f"s3://bucket/{name}"))
    numbers_of(reader)
    chunk = f"bucket/{name}/0/NDVI/c/0/0/0"
    with ThreadPoolExecutor(MAX_WAITING) as threads:
        bucket.switch(Fault.HOLD, chunk)
        held = [threads.submit(numbers_of, reader) for _ in range(MAX_WAITING)]
        bucket.wait_until_hanging(chunk, count=MAX_WAITING)
        clock.now_s += SILENT_S

        with pytest.raises(Away, match="other requests wait for it"):
            OF_BUCKET["document"]()
        bucket.release()
        for each in held:
            assert each.result(PATIENCE_S).tolist() == SCENE.numbers(0).tolist()
