"""Runs of pytest inside a test that leave the modules of this process alone."""

import sys
from collections.abc import Callable


class ModuleSnapshot:
    """Replaces `SysModulesSnapshot` of pytest's `pytester`, which clears `sys.modules` for a moment.

    If a thread imports `asyncio` at that moment, Python loads it a second time, fails since its submodules are loaded
    already, and removes it: every later test of the process fails. Here only modules of the inner run are removed.
    """

    def __init__(self, preserve: Callable[[str], bool] | None = None) -> None:
        self._saved = dict(sys.modules)

    def restore(self) -> None:
        """Put back replaced modules, and remove those from temporary folders of pytest."""
        for name, module in self._saved.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
        for name in sys.modules.keys() - self._saved.keys():
            if "pytest-of-" in (getattr(sys.modules[name], "__file__", None) or ""):
                del sys.modules[name]
