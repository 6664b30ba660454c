"""The checker of house rules finds violations of each rule in small packages, and limits its list of exceptions."""

import pytest

from tools import house

CONTRACTS = "[importlinter:contract:a]\nlayers =\n    (base)\n"
LONG = "x = 1\n" * 60


@pytest.fixture
def broken(tmp_path):
    """Return `broken(files)`: the violations in a small package with these files, by path."""

    def found(files):
        for path, text in ({".importlinter": CONTRACTS, "CHANGELOG.md": "- Short.\n"} | files).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return {(rule, file.removeprefix("server/chronotile/")) for rule, file, _ in house.broken_rules(tmp_path)}

    return found


def of(text, name="one.py"):
    """Return a package of one module."""
    return {f"server/chronotile/{name}": text + LONG}


def test_small_good_package_has_no_faults(broken):
    told = 'class A:\n    width: int\n    """In pixels."""\n\n\n'
    text = told + 'def _long(x):\n    """Say."""\n    y = x\n    z = y\n    return z\n'

    assert broken(of(text)) == set()


def test_long_modules_and_functions_are_faults(broken):
    body = "    x = 1\n"
    files = of(f"def at_most():\n{body * 49}\n") | {
        "server/chronotile/large.py": "x = 1\n" * 401,
        "server/chronotile/full.py": '"""Doc.\n\nMore.\n"""\n\n# comment\n' + "x = 1\n" * 400,
        "server/chronotile/long.py": f"class A:\n    def of(self):\n    {body * 50}".replace("\n    x", "\n        x")
        + LONG,
    }

    assert broken(files) == {("module-lines", "large.py"), ("function-lines", "long.py")}


def test_handler_that_raises_again_may_catch_everything(broken):
    assert broken(of("try:\n    x = 1\nexcept BaseException:\n    x = 2\n    raise\n")) == set()


def test_handler_that_may_return_is_a_broad_except(broken):
    body = "    if x:\n        return 1\n    raise\n"
    function = "".join(f"    {line}\n" for line in f"try:\n    x = 1\nexcept Exception:\n{body}".splitlines())
    assert broken(of(f"def read():\n{function}")) == {("broad-except", "one.py")}


@pytest.mark.parametrize("handler", ["except:", "except Exception:", "except (ValueError, BaseException) as error:"])
def test_all_exceptions_are_not_caught(broken, handler):
    assert broken(of(f"try:\n    x = 1\n{handler}\n    x = 2\n")) == {("broad-except", "one.py")}


def test_imports_in_functions_make_circles_and_those_for_types_do_not(broken):
    files = of("def f():\n    from chronotile.two import x\n") | of("import chronotile.one\n", "two.py")
    files |= of("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from chronotile.four import x\n", "three.py")

    assert broken(files | of("import chronotile.three\n", "four.py")) == {("circle", "one.py")}


def test_short_private_functions_and_names_need_no_docstrings(broken):
    short = 'def _short():\n    """Say it."""\n    return 1\n'
    named = 'class A:\n    cell_width: int\n    """The width of its cell."""\n'

    assert broken(of(short) | of(named, "two.py")) == {("docstring", "one.py"), ("attribute-docstring", "two.py")}


def test_entries_of_the_changelog_are_short(broken):
    entry = "- " + "a" * 100 + "\n  " + "b" * 30 + "\n"

    assert broken({"CHANGELOG.md": entry}) == {("changelog", "CHANGELOG.md")}


def test_no_list_names_the_processes(broken):
    files = of(LONG) | {
        f"server/chronotile/jobs/processes/{name}.py": LONG for name in ("trend", "anomaly", "histogram")
    }
    files[".importlinter"] = CONTRACTS.replace("(base)", "(trend) | (anomaly) | (histogram)")

    assert broken(files) == {("process-names", ".importlinter")}


def test_exceptions_are_counted_and_go_when_nothing_needs_them(tmp_path, broken):
    broken(of("try:\n    x = 1\nexcept Exception:\n    x = 2\n"))
    file = "server/chronotile/one.py"

    assert house.faults(tmp_path, f"# why\nbroad-except {file} 1 it is the outermost\n") == []
    assert house.faults(tmp_path, "") == [
        f"{file}: line 3 catches all exceptions; name the expected ones (broad-except; 1 found, 0 excepted)"
    ]
    assert house.faults(tmp_path, f"broad-except {file} 2 two\n") == [
        f"{file}: 1 of 2 exceptions of broad-except are needed; write that number or remove the line"
    ]
    assert len(house.faults(tmp_path, f"broad-except {file} 1 one\ncircle {file} 1 gone\n")) == 1


def test_exceptions_are_written_as_read(tmp_path, broken):
    broken(of("try:\n    x = 1\nexcept Exception:\n    x = 2\n"))

    assert house.faults(tmp_path, "\n".join(house.as_exceptions(tmp_path))) == []


def test_folder_of_tests_has_the_name_of_a_package_a_module_or_a_subject(broken):
    folders = ("tests/a", "tests/a/b", "tests/docs/pages", "tests/unknown", "tests/a/unknown")
    files = {f"{folder}/test_x.py": "x = 1\n" for folder in folders} | {"tests/test_x.py": "x = 1\n"}

    assert broken(of("x = 1\n", "a/__init__.py") | of("x = 1\n", "a/b.py") | files) == {
        ("test-folder", "tests/unknown"),
        ("test-folder", "tests/a/unknown"),
    }
