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
