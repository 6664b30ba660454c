import pytest

from tests import strict

SHARED_SKIP = f"import pytest\ndef test_it(): pytest.skip({strict.SHARED_ABSENT!r})"
SKIPS = {
    "call": "import pytest\ndef test_it(): pytest.skip('no reason')",
    "mark": "import pytest\n@pytest.mark.skip(reason='no reason')\ndef test_it(): pass",
    "module": "import pytest\npytest.skip('no reason', allow_module_level=True)",
    "import": "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): pass",
}
MARKED = "import pytest\n@pytest.mark.{mark}\ndef test_it(): pass"


@pytest.fixture
def run_tests(pytester, monkeypatch):
    def run(source, *, is_strict):
        monkeypatch.setenv("CHRONOTILE_TEST_STRICT", "1" if is_strict else "")
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess("-p", "tests.strict", "-rs", "-W", "ignore", "-p", "no:cacheprovider")

    return run


@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS)
def test_skip_passes_without_strict_mode(run_tests, source):
    outcomes = run_tests(source, is_strict=False).parseoutcomes()

    assert outcomes == {"skipped": 1}


@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS)
def test_skip_fails_in_strict_mode(run_tests, source):
    result = run_tests(source, is_strict=True)

    assert result.ret != 0
    assert "skipped" not in result.parseoutcomes()
    result.stdout.fnmatch_lines(["*skipped under CHRONOTILE_TEST_STRICT: *no*"])


def test_absent_shared_folder_may_skip_in_strict_mode(run_tests, monkeypatch, tmp_path):
    monkeypatch.setattr(strict, "SHARED", tmp_path / "absent")

    assert run_tests(SHARED_SKIP, is_strict=True).parseoutcomes() == {"skipped": 1}


def test_existing_shared_folder_is_no_excuse(run_tests, monkeypatch, tmp_path):
    monkeypatch.setattr(strict, "SHARED", tmp_path)

    assert run_tests(SHARED_SKIP, is_strict=True).parseoutcomes() == {"failed": 1}


def test_expected_failure_is_no_skip(run_tests):
    source = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it(): assert 0"

    assert run_tests(source, is_strict=True).parseoutcomes() == {"xfailed": 1}


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ("data", strict.SHARED_ABSENT),
        ("client", "gdalinfo, gdal_translate, gdalwarp absent*"),
        ("client('no-such-program')", "no-such-program absent*"),
        ("browser", "Chromium is absent*"),
    ],
)
def test_marked_test_is_skipped_with_the_reason_if_its_need_is_absent(run_tests, monkeypatch, tmp_path, mark, reason):
    monkeypatch.setattr(strict, "SHARED", tmp_path / "absent")
    monkeypatch.setenv("PATH", str(tmp_path))

    result = run_tests(MARKED.format(mark=mark), is_strict=False)

    assert result.parseoutcomes() == {"skipped": 1}
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}"])


@pytest.mark.parametrize("mark", ["data", "client", "browser"])
def test_marked_test_runs_if_its_need_is_met(run_tests, monkeypatch, tmp_path, mark):
    (tmp_path / "data").mkdir()
    for name in (*strict.GDAL_TOOLS, "chromium"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setattr(strict, "SHARED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert run_tests(MARKED.format(mark=mark), is_strict=True).parseoutcomes() == {"passed": 1}


@pytest.mark.data
def test_validator_distinguishes_a_good_document_from_a_bad_one(validate_ogc):
    good = '<ServiceExceptionReport xmlns="http://www.opengis.net/ogc" version="1.3.0"/>'

    assert validate_ogc(good) == []
    assert validate_ogc(good.replace("1.3.0", "9.9.9")) != []
