"""Archives whose answers are audited."""

from tests.archive.conftest import open_at

__all__ = ["open_at"]
