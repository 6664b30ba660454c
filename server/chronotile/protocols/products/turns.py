"""Threads for downloads: taken for one part at a time, those of other servers apart from those of this machine."""

from collections.abc import Callable, Collection
from typing import TypeVar, cast

from chronotile.protocols.common.state import ServerState

Result = TypeVar("Result")


class Turns:
    """Runs the parts of one request's work.

    Args:
        state: Of the application.
        hosts: Servers to which it sends requests; each holds its share of the threads.
    """

    def __init__(self, state: ServerState, hosts: Collection[str]) -> None:
        here = state.limiters.downloads
        self._limiter = state.elsewhere.get(here.name, here) if hosts else here
        self._hosts = hosts

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run something short in a thread.

        Raises:
            ServerBusy: Too much is waiting already.
        """
        return cast("Result", await self._limiter.run(work, sources=self._hosts))
