"""Messages about jobs are stored with them: each is sent at least once, and only if it still holds."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chronotile.core.model.job import Callback, Execution, JobFault, Subscriber
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.outbox import EVERY_S, CallbackQueue

BASE = "https://maps.example.org"
URLS = {status: f"https://example.org/{status}" for status in ("running", "successful", "failed")}
FAULT = JobFault(type="about:blank", title="Source unavailable", detail="the file is gone", status=503)


@pytest.fixture
def open_callbacks(table, url, tmp_path, clock, at_end):
    """Return `open_callbacks()`, which opens the messages again, as another process would; the table exists."""

    def open_one():
        engine = open_engine(url, tmp_path)
        at_end.callback(engine.dispose)
        return CallbackQueue(engine, clock=clock, archive="a")

    return open_one


@pytest.fixture
def callbacks(open_callbacks):
    return open_callbacks()


@pytest.fixture
def take(callbacks):
    """Return `take()`, which returns the next message."""
    return lambda: callbacks.take(lease_s=60)


@pytest.fixture
def submit(table):
    """Return `submit()`, which returns the id of a job without unsent messages."""

    def accept(urls=URLS):
        subscriber = Subscriber(urls=urls, base=BASE)
        return table.submit(Execution(process="echo", inputs={}), user=None, max_open=100, subscriber=subscriber).id

    return accept


@pytest.fixture
def running(submit, table, take, callbacks):
    """Return a running job whose start was sent."""
    id_ = submit()
    table.claim("one", lease_s=1000)
    callbacks.set_sent(take())
    return id_


def test_start_of_a_job_is_sent_but_not_its_wait(submit, table, take, clock):
    id_ = submit()
    assert take() is None

    table.claim("one", lease_s=30)

    told = {"job": id_, "status": "running", "url": "https://example.org/running", "base": BASE, "tries": 1}
    assert take() == Callback(**told, updated=clock.now)
    assert take() is None


def test_progress_is_sent_at_intervals(running, table, take, callbacks, clock):
    clock.now += EVERY_S - 1
    table.report_progress(running, "one", progress=10, message="")
    assert take() is None
    clock.now += 1
    assert take().status == "running"
    table.report_progress(running, "one", progress=20, message="")
    assert take() is None


def test_delayed_progress_is_sent_immediately_when_due(running, table, take, clock):
    clock.now += 3 * EVERY_S

    table.report_progress(running, "one", progress=10, message="")

    assert take().tries == 1


def test_progress_reported_during_a_message_is_sent_later(running, table, take, callbacks, clock):
    clock.now += EVERY_S
    table.report_progress(running, "one", progress=10, message="")
    told = take()
    clock.now += 1
    table.report_progress(running, "one", progress=20, message="")

    callbacks.set_sent(told)

    clock.now += EVERY_S - 1
    assert take() is None
    clock.now += 1
    callbacks.set_sent(take())
    clock.now += 1e6
    assert take() is None


def test_job_that_waits_again_during_the_message_of_its_start_is_not_reported(submit, table, take, callbacks, clock):
    id_ = submit()
    table.claim("one", lease_s=1000)
    told = take()
    clock.now += 1
    table.release(id_, "one", message="waits")

    callbacks.set_sent(told)

    clock.now += 1e6
    assert take() is None


def test_only_the_owner_of_a_job_sends_messages(running, table, take, clock):
    clock.now += EVERY_S

    assert not table.report_progress(running, "another", progress=10, message="")
    assert not table.succeed(running, "another", {})

    assert take() is None


@pytest.mark.parametrize("status", ["successful", "failed"])
def test_end_of_a_job_is_sent_once_and_alone(running, table, take, callbacks, clock, status):
    clock.now += EVERY_S
    table.report_progress(running, "one", progress=99, message="")
    end = {"successful": lambda: table.succeed(running, "one", {}), "failed": lambda: table.fail(running, "one", FAULT)}

    end[status]()

    told = take()
    assert (told.job, told.status, told.url) == (running, status, URLS[status])
    callbacks.set_sent(told)
    clock.now += 1e6
    assert take() is None


def test_message_under_way_at_the_end_of_a_job_is_not_queued_again(running, table, take, callbacks, clock):
    clock.now += EVERY_S
    table.report_progress(running, "one", progress=99, message="")
    late = take()
    table.succeed(running, "one", {})

    callbacks.retry_later(late, wait_s=0)

    assert take().status == "successful"
    assert take() is None


def test_dismissed_job_sends_no_message(running, table, take, clock):
    clock.now += EVERY_S
    table.report_progress(running, "one", progress=99, message="")

    table.dismiss(running)

    assert take() is None


def test_message_without_a_subscriber_is_not_sent(submit, table, take):
    id_ = submit({"failed": URLS["failed"]})
    table.claim("one", lease_s=30)

    table.succeed(id_, "one", {})

    assert take() is None


def test_forgotten_job_sends_no_message(running, table, take):
    table.succeed(running, "one", {})

    table.forget([running])

    assert take() is None


def test_restarted_job_sends_its_start_again(running, table, take, clock):
    table.release(running, "one", message="waits")
    clock.now += EVERY_S

    table.claim("two", lease_s=30)

    assert take().status == "running"


def test_message_of_a_killed_sender_is_taken_by_another(running, table, open_callbacks, clock):
    table.succeed(running, "one", {})
    assert open_callbacks().take(lease_s=60).tries == 1
    another = open_callbacks()
    assert another.take(lease_s=60) is None

    clock.now += 60

    assert another.take(lease_s=60).tries == 2


def test_failed_message_is_sent_later(running, table, take, callbacks, clock):
    table.succeed(running, "one", {})
    callbacks.retry_later(take(), wait_s=30)
    clock.now += 29
    assert take() is None

    clock.now += 1

    assert take().tries == 2


def test_abandoned_message_is_never_sent(running, table, take, callbacks, clock):
    table.succeed(running, "one", {})

    callbacks.drop(take())

    clock.now += 1e6
    assert take() is None


def test_message_due_for_longest_is_sent_first(submit, table, take, clock):
    first, second = submit(), submit()
    table.claim("one", lease_s=30)
    clock.now += 1
    table.claim("two", lease_s=30)

    assert [take().job, take().job] == [first, second]


def test_messages_for_excluded_hosts_are_sent_later(submit, table, callbacks):
    for host in ("a.example.org", "b.example.org:8080"):
        submit({"running": f"https://{host}/"})
        table.claim("one", lease_s=30)

    assert callbacks.take(lease_s=60, without=["a.example.org", "b.example.org:8080"]) is None
    assert callbacks.take(lease_s=60, without=["a.example.org"]).url == "https://b.example.org:8080/"
    assert callbacks.take(lease_s=60).url == "https://a.example.org/"


def test_concurrent_senders_take_each_message_once(submit, table, open_callbacks):
    ids = [submit({"running": "https://example.org/"}) for _ in range(40)]
    for _ in ids:
        table.claim("one", lease_s=30)

    def take_all(callbacks):
        return [found.job for found in iter(lambda: callbacks.take(lease_s=60), None)]

    with ThreadPoolExecutor(4) as pool:
        taken = [id_ for found in pool.map(take_all, [open_callbacks() for _ in range(4)]) for id_ in found]

    assert sorted(taken) == sorted(ids)
