"""Work that several threads request concurrently and that only one thread does."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Flights(Generic[Key, Value]):
    """Results by key while they are computed; nothing is stored afterwards. Thread-safe."""

    def __init__(self) -> None:
        self._futures = dict[Key, Future[Value]]()
        self._lock = threading.Lock()

    def share(self, key: Key, work: Callable[[], Value]) -> Value:
        """Return the result of `work`, or of another thread that computes this key at the moment.

        Raises:
            Exception: The error of the work, raised in each waiting thread.
        """
        mine = Future[Value]()
        with self._lock:
            shared = self._futures.setdefault(key, mine)
        if shared is not mine:
            return shared.result()
        try:
            value = work()
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._futures[key]
        mine.set_result(value)
        return value
