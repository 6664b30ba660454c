"""A run of pytest inside a test removes its test modules, and no others."""

import sys


def test_inner_run_removes_its_modules_and_keeps_imported_ones(pytester, monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    pytester.makepyfile(test_inner="import this\ndef test_passes(): pass")

    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)

    assert "test_inner" not in sys.modules
    assert "this" in sys.modules
