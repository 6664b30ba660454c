"""A clock for functions with a clock as an argument."""


class Clock:
    """Seconds that only a test advances."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s
