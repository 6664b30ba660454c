"""Errors of process graphs, with codes of openEO."""

from chronotile.core.errors import ChronotileError


class ProcessFault(ChronotileError, status=400):
    """A graph that cannot be evaluated.

    Args:
        code: Code of an exception of the process (openEO processes 2.0), or of the API, such as `ProcessUnsupported`.
        message: One line: the argument, its value, and the accepted values.
        node: Id of the node; nodes of child graphs follow the node that calls them: `reduce/mean`.
    """

    def __init__(self, code: str, message: str, *, node: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = message
        self.node = node

    @property
    def message(self) -> str:
        """The sentence for the client, with the node."""
        return f"node {self.node!r}: {self.reason}" if self.node else self.reason

    def inside(self, node: str) -> "ProcessFault":
        """Return the error as an error of a node, or of a node in its child graph."""
        return ProcessFault(self.code, self.reason, node=f"{node}/{self.node}" if self.node else node)


def invalid(argument: str, reason: str) -> ProcessFault:
    """Return the error for an argument that a process does not accept."""
    return ProcessFault("ProcessParameterInvalid", f"{argument}: {reason}")


def shorten(value: object) -> str:
    """Return the text of a client's value for a message, at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
