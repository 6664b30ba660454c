"""Work is told when the client leaves."""

import asyncio

from starlette.requests import Request

from chronotile.protocols.common.state import while_wanted


def test_a_client_that_leaves_wants_nothing_any_more():
    async def leave() -> list[bool]:
        messages: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        async with while_wanted(Request({"type": "http"}, messages.get)) as is_wanted:
            told = [is_wanted()]
            for kind in ("http.request", "http.disconnect"):
                await messages.put({"type": kind})
            for _ in range(5):  # others have their turn
                await asyncio.sleep(0)
            return [*told, is_wanted()]

    assert asyncio.run(leave()) == [True, False]


def test_messages_without_end_leave_others_their_turn():
    async def answer() -> bool:
        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async with while_wanted(Request({"type": "http"}, receive)) as is_wanted:
            await asyncio.to_thread(lambda: None)
            return is_wanted()

    assert asyncio.run(answer())
