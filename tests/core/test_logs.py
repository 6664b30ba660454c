"""The form of log lines."""

import json
import logging
import subprocess
import sys

import pytest

from chronotile.core.logs import REQUEST_ID, JsonFormatter


@pytest.fixture
def line_of():
    """Return `line_of(message, *arguments, **options)`: the members of the line of a warning."""

    def write(message: str, *arguments: object, error: BaseException | None = None) -> dict[str, object]:
        about = (type(error), error, error.__traceback__) if error else None
        record = logging.LogRecord("chronotile.a", logging.WARNING, __file__, 1, message, arguments, about)
        text = JsonFormatter().format(record)
        assert "\n" not in text
        return json.loads(text)

    return write


def test_line_has_time_level_logger_and_message(line_of):
    members = line_of("%d of\n%d", 1, 2)

    assert members.pop("time").endswith("Z")
    assert members == {"level": "warning", "logger": "chronotile.a", "message": "1 of\n2"}


def test_named_arguments_are_members(line_of):
    members = line_of("status=%(status)d", {"status": 200, "layer": "NDVI"})

    assert (members["message"], members["status"], members["layer"]) == ("status=200", 200, "NDVI")


def test_error_is_a_member(line_of):
    try:
        raise ValueError("no such date")
    except ValueError as caught:
        members = line_of("failed", error=caught)

    assert members["exception"].endswith("ValueError: no such date")


def test_log_line_of_a_request_has_its_id(line_of):
    token = REQUEST_ID.set("a-1")
    try:
        assert line_of("cannot be read")["id"] == "a-1"
    finally:
        REQUEST_ID.reset(token)

    assert "id" not in line_of("cannot be read")


@pytest.mark.slow
@pytest.mark.parametrize(("form", "begin"), [("json", '{"time":"'), ("text", "2")])
def test_process_logs_in_the_form_that_is_configured(form, begin):
    code = (
        "import logging; from chronotile.core.logs import configure_logging as c; "
        f"c('info', {form!r}); logging.info('up')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.startswith(begin)
    assert "up" in done.stderr
