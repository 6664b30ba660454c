"""Subscribers are notified by HTTP; failed messages are sent again and finally reported in the log of the job."""

import pytest

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.job import Execution, Subscriber, WebhookMessage
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.job_outbox import JobOutbox
from chronotile.jobs.queue.notifier import LEASE_S, LOST_S, PER_HOST, WAITS_S, Notifier
from chronotile.jobs.queue.outbox import CallbackQueue
from chronotile.jobs.queue.table import JobTable


class Web:
    """The server of the subscriber."""

    url = "https://subscriber.example.org"

    def __init__(self, simulation):
        self.asked = []
        self.answers = {
            "/ok": lambda: None,
            "/broken": lambda: refuse("the answer was 500 Internal Server Error"),
            "/hangs": lambda: simulation.sleep(3600),
        }

    def send(self, url, body, *, headers):
        """Record the message and answer by the path."""
        self.asked.append((url, body.decode(), headers))
        self.answers[f"/{url.rpartition('/')[2]}"]()


def refuse(words):
    raise SourceUnavailable(words)


@pytest.fixture
def web(simulation):
    return Web(simulation)


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(None, tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def table(engine, simulation):
    return JobTable(engine, clock=simulation.clock, archive="a")


def write(job, callback):
    """Return the message of these tests."""
    return WebhookMessage(body=f"{job.id} {callback.status} {job.message}".encode(), headers={"X-Base": callback.base})


@pytest.fixture
def make_teller(table, engine, simulation, web):
    def make(write=write, of=CallbackQueue):
        callbacks = of(engine, clock=simulation.clock, archive="a")
        outbox = JobOutbox(table, callbacks, write=write)
        return Notifier(outbox, send=web.send, runtime=simulation.runtime("notifier"))

    return make


@pytest.fixture
def start(simulation):
    """Return `start(teller)`, which runs a notifier."""

    def tell(teller):
        with teller:
            simulation.sleep(1e6)

    return lambda teller: simulation.start("notifier", tell, teller)


@pytest.fixture
def done(table, web):
    """Return `done("/ok")`, which ends a job with an unsent message and returns its id."""

    def end(path, *, url=web.url):
        subscriber = Subscriber(urls={"successful": f"{url}{path}"}, base="https://maps.example.org")
        execution = Execution(process="echo", inputs={})
        id_ = table.submit(execution, user=None, max_open=100, subscriber=subscriber).id
        table.claim("one", lease_s=30)
        table.succeed(id_, "one", {})
        return id_

    return end


def texts(table, id_):
    return [text for _at, text in table.log(id_)]


def test_subscriber_is_notified_once(make_teller, done, web, table):
    id_, teller = done("/ok"), make_teller()

    assert (teller.send_next(), teller.send_next()) == (True, False)

    assert web.asked == [(f"{web.url}/ok", f"{id_} successful is done", {"X-Base": "https://maps.example.org"})]
    assert texts(table, id_) == []


def test_failing_subscriber_is_notified_again_and_given_up_in_the_log(make_teller, done, web, table, simulation):
    id_, teller = done("/broken"), make_teller()

    for wait_s in WAITS_S:
        assert (teller.send_next(), teller.send_next()) == (True, False)
        simulation.now_s += wait_s
    assert texts(table, id_) == []
    assert teller.send_next()
    simulation.now_s += 1e6

    assert not teller.send_next()
    assert len(web.asked) == len(WAITS_S) + 1
    (line,) = texts(table, id_)
    assert line == (
        "its subscriber was not notified that it is done: the answer was 500 Internal Server Error; it was tried 5 "
        "times"
    )


def test_subscriber_that_answers_again_is_notified(make_teller, done, web, simulation):
    done("/broken")
    teller = make_teller()
    teller.send_next()
    web.answers["/broken"] = web.answers["/ok"]
    simulation.now_s += WAITS_S[0]

    assert (teller.send_next(), teller.send_next()) == (True, False)
    assert len(web.asked) == 2


def lose(_job, _callback):
    raise SourceUnavailable("the file of this result is gone")


def break_down(_job, _callback):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("fails", "words"), [(lose, "the file of this result is gone"), (break_down, "unexpected error; see the log")]
)
def test_message_that_cannot_be_written_is_not_sent(make_teller, done, web, table, simulation, fails, words):
    id_, teller = done("/ok"), make_teller(fails)

    for wait_s in (*WAITS_S, 0):
        teller.send_next()
        simulation.now_s += wait_s

    assert web.asked == []
    assert [words in line for line in texts(table, id_)] == [True]


def test_progress_of_a_job_that_waits_again_is_not_sent(make_teller, table, web):
    subscriber = Subscriber(urls={"running": f"{web.url}/ok"}, base="")
    id_ = table.submit(Execution(process="echo", inputs={}), user=None, max_open=1, subscriber=subscriber).id
    table.claim("one", lease_s=30)
    table.release(id_, "one", message="waits")

    assert make_teller().send_next()
    assert web.asked == []


def test_all_subscribers_are_notified_and_a_host_that_hangs_delays_no_other(make_teller, start, done, web, simulation):
    for _ in range(10):
        done("/hangs")
    ids = [done("/ok", url="https://other.example.org") for _ in range(10)]

    start(make_teller())
    simulation.run(lambda: len(web.asked) == len(ids) + PER_HOST, within_s=10)

    told = [(url, body.split()[0]) for url, body, _headers in web.asked]
    assert [url for url, _id in told].count(f"{web.url}/hangs") == PER_HOST
    assert sorted(id_ for url, id_ in told if url == "https://other.example.org/ok") == sorted(ids)


def test_notifier_waits_for_an_unavailable_table(make_teller, start, caplog, done, web, simulation):
    back_at = simulation.now_s + 60

    class Away(CallbackQueue):
        def take(self, **how):
            return super().take(**how) if simulation.now_s >= back_at else refuse("the table is away")

    done("/ok")
    start(make_teller(of=Away))
    simulation.pass_s(59)
    before = list(web.asked)

    simulation.run(lambda: web.asked, within_s=1 + LOST_S)

    assert before == []
    assert "subscribers cannot be notified: the table is away" in caplog.messages


def test_message_of_a_killed_process_is_sent_by_another(make_teller, start, done, web, simulation):
    done("/hangs")
    start(make_teller())
    simulation.run(lambda: web.asked)
    simulation.kill("notifier")
    web.answers["/hangs"] = web.answers["/ok"]
    teller = make_teller()
    assert not teller.send_next()

    simulation.now_s += LEASE_S

    assert (teller.send_next(), teller.send_next()) == (True, False)
    assert len(web.asked) == 2
