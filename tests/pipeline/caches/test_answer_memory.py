"""The budget of large answers: concurrent ones stay within it and start in order of arrival."""

import threading

import pytest

from chronotile.core.errors import ClientGone, LimitExceeded, ServerBusy
from chronotile.pipeline.caches import answer_memory
from chronotile.pipeline.caches.answer_memory import MOST_WAITING, SMALL_BYTES, AnswerMemory

LARGE = SMALL_BYTES + 1
GENEROUS_S = 60


class Answers:
    """Answers computed in separate threads, each ended by a signal of the test."""

    def __init__(self, memory):
        self.memory = memory
        self.begun = []
        self.failed = []
        self._threads = []
        self._changed = threading.Condition()

    def begin(self, name, size):
        end = threading.Event()

        def make():
            try:
                with self.memory.taking(size, alternative="request less"):
                    self._note(self.begun, name)
                    end.wait(GENEROUS_S)
            except ServerBusy:
                self._note(self.failed, name)

        thread = threading.Thread(target=make, daemon=True)
        self._threads.append(thread)
        thread.start()
        return end

    def _note(self, names, name):
        with self._changed:
            names.append(name)
            self._changed.notify_all()

    def until(self, is_so):
        with self._changed:
            assert self._changed.wait_for(is_so, GENEROUS_S)

    def join(self):
        for thread in self._threads:
            thread.join(GENEROUS_S)
            assert not thread.is_alive()


def until_waiting(memory, count):
    """Wait until a number of answers wait, by polling."""
    deadline = threading.Event()
    for _ in range(GENEROUS_S * 100):
        if memory.waiting == count:
            return
        deadline.wait(0.01)
    raise AssertionError(f"{memory.waiting} wait, not {count}")


def test_answers_run_concurrently_within_the_budget():
    memory = AnswerMemory(5 * LARGE)
    answers = Answers(memory)

    ends = [answers.begin(name, 2 * LARGE) for name in "ab"]
    answers.until(lambda: len(answers.begun) == 2)
    third = answers.begin("c", 2 * LARGE)
    until_waiting(memory, 1)

    assert (memory.taken_bytes, sorted(answers.begun)) == (4 * LARGE, ["a", "b"])
    for end in (*ends, third):
        end.set()
    answers.join()
    assert (memory.taken_bytes, memory.waiting, answers.begun[2:]) == (0, 0, ["c"])


def test_large_answer_is_not_overtaken_by_later_ones():
    memory = AnswerMemory(4 * LARGE)
    answers = Answers(memory)
    first = answers.begin("first", 3 * LARGE)
    answers.until(lambda: answers.begun == ["first"])
    whole = answers.begin("whole", 4 * LARGE)
    until_waiting(memory, 1)
    later = answers.begin("later", LARGE)  # it would fit
    until_waiting(memory, 2)

    first.set()
    answers.until(lambda: len(answers.begun) == 2)
    whole.set()
    later.set()
    answers.join()

    assert answers.begun == ["first", "whole", "later"]


def test_small_answers_never_wait():
    memory = AnswerMemory(LARGE)

    with memory.taking(LARGE, alternative=""), memory.taking(SMALL_BYTES, alternative=""):
        assert memory.taken_bytes == LARGE


def test_answer_larger_than_the_budget_is_refused_with_an_alternative():
    with pytest.raises(LimitExceeded, match="ask for tiles") as refused:
        AnswerMemory(LARGE).taking(2 * LARGE, alternative="ask for tiles", locator="width").__enter__()

    told = refused.value
    assert (told.allowed, told.needed, told.locator) == (LARGE, 2 * LARGE, "width")


def test_answer_behind_too_many_is_refused_immediately():
    memory = AnswerMemory(LARGE)
    answers = Answers(memory)
    ends = [answers.begin(0, LARGE)]
    answers.until(lambda: answers.begun == [0])
    for number in range(MOST_WAITING):
        ends.append(answers.begin(number + 1, LARGE))
        until_waiting(memory, number + 1)

    with pytest.raises(ServerBusy):
        memory.taking(LARGE, alternative="").__enter__()

    for end in ends:
        end.set()
    answers.join()
    assert answers.begun == list(range(MOST_WAITING + 1))


def test_waits_are_bounded():
    memory = AnswerMemory(LARGE, patience_s=0)

    with memory.taking(LARGE, alternative=""), pytest.raises(ServerBusy):
        memory.taking(LARGE, alternative="").__enter__()

    assert (memory.taken_bytes, memory.waiting) == (0, 0)


def test_large_answers_return_their_pages_before_their_bytes_are_counted_as_free():
    taken = []
    memory = AnswerMemory(3 * LARGE, on_end=lambda: taken.append(memory.taken_bytes))

    for size in (LARGE, SMALL_BYTES, 2 * LARGE):
        with memory.taking(size, alternative="request less"):
            pass

    assert taken == [LARGE, 2 * LARGE]


def test_an_answer_that_fails_gives_its_memory_back():
    memory = AnswerMemory(LARGE)

    with pytest.raises(OSError, match="damaged"), memory.taking(LARGE, alternative=""):
        raise OSError("damaged")

    assert memory.taken_bytes == 0


def test_without_a_budget_nothing_is_counted():
    memory = AnswerMemory()

    with memory.taking(1 << 60, alternative=""):
        assert memory.taken_bytes == 0


def test_refusals_are_counted_and_logged_once_in_a_while(caplog):
    now_s = [0.0]
    memory = AnswerMemory(LARGE, patience_s=0, clock=lambda: now_s[0])

    with memory.taking(LARGE, alternative=""):
        for pause_s in (0, 1, answer_memory.LOG_S):
            now_s[0] += pause_s
            with pytest.raises(ServerBusy):
                memory.taking(LARGE, alternative="").__enter__()

    assert memory.refused == 3
    assert [record.args[1] for record in caplog.records] == [1, 3]


def test_client_that_leaves_is_removed_from_the_queue(monkeypatch):
    monkeypatch.setattr(answer_memory, "LOOK_S", 0.01)
    memory = AnswerMemory(LARGE, patience_s=GENEROUS_S)
    answers = iter([True, True, False])

    with memory.taking(LARGE, alternative=""), pytest.raises(ClientGone):
        memory.taking(LARGE, alternative="", is_active=lambda: next(answers)).__enter__()

    assert (memory.taken_bytes, memory.waiting, memory.refused) == (0, 0, 0)
