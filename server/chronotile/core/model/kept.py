"""Results of functions kept up to so many bytes: `functools.lru_cache` counts results, however large they are."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar, TypeVarTuple

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

MOST_BYTES = 16 << 20


def kept(
    size_of: Callable[..., int], max_bytes: int = MOST_BYTES
) -> Callable[[Callable[[*Arguments], Result]], Callable[[*Arguments], Result]]:
    """Return a decorator of functions with hashable positional arguments; those used last are kept, by any thread.

    Args:
        size_of: Is given a result and the arguments; returns about how many bytes they take.
        max_bytes: Of all results of the function.
    """

    def decorate(make: Callable[[*Arguments], Result]) -> Callable[[*Arguments], Result]:
        results: OrderedDict[Hashable, tuple[Result, int]] = OrderedDict()
        lock, total = threading.Lock(), 0

        @wraps(make)
        def get(*arguments: *Arguments) -> Result:
            nonlocal total
            with lock:
                if (found := results.get(arguments)) is not None:
                    results.move_to_end(arguments)
                    return found[0]
            result = make(*arguments)
            size = size_of(result, *arguments)
            with lock:
                if arguments not in results and size <= max_bytes:
                    results[arguments] = result, size
                    total += size
                while total > max_bytes:
                    total -= results.popitem(last=False)[1][1]
            return result

        return get

    return decorate
