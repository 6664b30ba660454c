import pytest

from chronotile.app import process_setup

SOURCE = """
import os, signal, pytest
from chronotile.app.process_setup import end_well_when_stopped

before = signal.getsignal(signal.SIGTERM)

def test_command():
    end_well_when_stopped()
    {stop}

def test_next():
    assert signal.getsignal(signal.SIGTERM) == before
"""
STOP = "with pytest.raises(SystemExit): signal.raise_signal(signal.SIGTERM)"


@pytest.mark.parametrize(("stop", "outcomes"), [("", {"passed": 2}), (STOP, {"passed": 1})], ids=["none", "signal"])
def test_signal_during_a_command_ends_the_run(pytester, monkeypatch, stop, outcomes):
    monkeypatch.setattr(process_setup, "_end_signals", [])
    pytester.makepyfile(SOURCE.format(stop=stop))

    result = pytester.runpytest_inprocess("-p", "tests.ending", "-p", "no:cacheprovider", "-W", "ignore")

    assert result.parseoutcomes() == outcomes
    assert ("a signal to end the run was received" in result.stdout.str()) == bool(stop)
