"""Expressions are parsed while other threads parse, and objects with finalizers are collected."""

import sys
import threading

import pytest

from chronotile.core.python_syntax import parse_python

TEXT = "+".join(f"a{number} * b{number}" for number in range(100))


class Finalized:
    def __init__(self):
        self.itself = self

    def __del__(self):
        sum(range(500))


@pytest.fixture
def frequent_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def test_threads_parse_at_the_same_time(frequent_switches):
    trees, errors = [], []

    def parse():
        try:
            trees.extend(parse_python(TEXT) for _ in range(50))
        except SystemError as error:
            errors.append(error)

    def collect():
        for _ in range(3000):
            Finalized()

    threads = [threading.Thread(target=work) for work in (parse, parse, parse, collect, collect)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(trees) == 150
