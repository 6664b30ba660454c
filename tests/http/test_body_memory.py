"""Request bodies together use no more memory than their limit."""

from contextvars import copy_context

import pytest

from chronotile.core.errors import ServerBusy
from chronotile.core.model.geometry.json_text import MAX_PARSED_BYTES
from chronotile.core.turns import CLIENT
from chronotile.http.body_memory import COPIES, FREE_BYTES, MAX_BYTES, BodyMemory
from chronotile.pipeline.caches.answer_memory import AnswerMemory

MAX_BODY_BYTES = 32 << 20


def test_largest_body_is_accepted_alone_and_refused_during_another():
    memory = AnswerMemory(MAX_PARSED_BYTES - FREE_BYTES)
    bodies = BodyMemory(memory)
    first, second = bodies.open_account(), bodies.open_account()

    first.require(MAX_BODY_BYTES)
    with pytest.raises(ServerBusy):
        second.require(MAX_BODY_BYTES)
    first.free()
    second.require(MAX_BODY_BYTES)

    assert bodies.taken_bytes == MAX_BYTES
    assert memory.taken_bytes == MAX_BYTES - FREE_BYTES


def test_small_bodies_are_accepted_with_all_memory_reserved():
    bodies = BodyMemory()
    bodies.open_account().require(MAX_BODY_BYTES)

    bodies.open_account().require(65_536)


def test_a_body_that_does_not_arrive_delays_no_answer():
    memory = AnswerMemory(MAX_PARSED_BYTES - FREE_BYTES)

    BodyMemory(memory).open_account().reserve(MAX_BODY_BYTES)

    assert memory.taken_bytes == 0


def test_body_is_refused_while_another_reserves_all_memory():
    bodies = BodyMemory()
    first, second = bodies.open_account(), bodies.open_account()

    first.reserve(MAX_BODY_BYTES)
    with pytest.raises(ServerBusy):
        second.reserve(1 << 20)
    first.free()
    second.reserve(1 << 20)


def reserve_as(client, bodies):
    CLIENT.set(client)
    bodies.open_account().reserve(MAX_BODY_BYTES)


def test_a_reservation_of_one_client_refuses_no_other():
    bodies = BodyMemory()

    copy_context().run(reserve_as, "one", bodies)
    copy_context().run(reserve_as, "other", bodies)


def test_a_parsed_body_gives_back_its_reservation():
    bodies = BodyMemory()
    first = bodies.open_account()
    first.reserve(MAX_BODY_BYTES)
    first.require(MAX_BODY_BYTES)

    first.shrink(1 << 20)

    bodies.open_account().reserve(MAX_BODY_BYTES - (1 << 20))


def test_large_answers_leave_room_for_some_bodies():
    memory = AnswerMemory(1000)
    bodies = BodyMemory(memory)
    memory.hold(1000)

    bodies.open_account().require(FREE_BYTES // COPIES)
    with pytest.raises(ServerBusy):
        bodies.open_account().require(FREE_BYTES // COPIES)


def test_size_of_the_parsed_body_replaces_the_estimate():
    bodies = BodyMemory()
    room = bodies.open_account()

    room.require(1 << 20)
    room.require_parsed(1 << 20)
    assert bodies.taken_bytes == COPIES << 20
    room.require_parsed(10 << 20)
    assert bodies.taken_bytes == 10 << 20
    room.require_parsed(1 << 40)
    assert bodies.taken_bytes == MAX_PARSED_BYTES
    room.free()

    assert bodies.taken_bytes == 0


def test_parsed_body_releases_freed_memory():
    memory = AnswerMemory(MAX_PARSED_BYTES)
    bodies = BodyMemory(memory)
    room = bodies.open_account()
    room.require(MAX_BODY_BYTES)

    room.shrink(MAX_BODY_BYTES)
    assert bodies.taken_bytes == MAX_BODY_BYTES
    assert memory.taken_bytes == MAX_BODY_BYTES - FREE_BYTES
    room.shrink(MAX_BODY_BYTES)
    room.free()
    room.shrink(MAX_BODY_BYTES)  # the thread that parsed it was slower than the answer

    assert (bodies.taken_bytes, memory.taken_bytes) == (0, 0)


def test_a_refused_body_takes_nothing():
    bodies = BodyMemory()
    first, second = bodies.open_account(), bodies.open_account()
    first.require(MAX_BODY_BYTES)

    with pytest.raises(ServerBusy):
        second.require(1 << 20)
    second.free()

    assert bodies.taken_bytes == MAX_BYTES
