"""Function cache with a limit in bytes; `functools.lru_cache` limits the number of results, however large they are."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar, TypeVarTuple

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

MAX_BYTES = 16 << 20


def cache_by_size(
    size_of: Callable[..., int], max_bytes: int = MAX_BYTES
) -> Callable[[Callable[[*Arguments], Result]], Callable[[*Arguments], Result]]:
    """Return a decorator for functions with hashable positional arguments: a thread-safe LRU cache of results.

    Args:
        size_of: Called with a result and the arguments; returns their approximate size in bytes.
        max_bytes: Limit for all results of the function. A larger single result is not cached.
    """

    def decorate(compute: Callable[[*Arguments], Result]) -> Callable[[*Arguments], Result]:
        results: OrderedDict[Hashable, tuple[Result, int]] = OrderedDict()
        lock, total = threading.Lock(), 0

        @wraps(compute)
        def get_or_compute(*arguments: *Arguments) -> Result:
            nonlocal total
            with lock:
                if (entry := results.get(arguments)) is not None:
                    results.move_to_end(arguments)
                    return entry[0]
            result = compute(*arguments)
            size = size_of(result, *arguments)
            with lock:
                if arguments not in results and size <= max_bytes:
                    results[arguments] = result, size
                    total += size
                while total > max_bytes:
                    total -= results.popitem(last=False)[1][1]
            return result

        return get_or_compute

    return decorate
