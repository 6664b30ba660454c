"""The log of a process on standard error: one line per message, as text or as JSON (docs/reference/monitoring.md)."""

import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

import orjson

from chronotile.core.printable import printable

LogFormat = Literal["text", "json"]

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
TIME = "%Y-%m-%dT%H:%M:%S"

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the current request, in the event loop and in the threads that work for it."""


class TextFormatter(logging.Formatter):
    """Writes a message as one line with its time in UTC, followed by separate lines of a traceback."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 -- logging's name
        """Return the time in ISO 8601."""
        moment = datetime.fromtimestamp(record.created, UTC)
        return f"{moment.strftime(datefmt or TIME)}.{moment.microsecond // 1000:03d}Z"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's name
        """Return the line; line breaks in names are escaped."""
        return printable(super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """Writes a message as one JSON object; named arguments become additional members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a message; values that JSON does not have are written as text."""
        members: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if isinstance(record.args, dict):
            members |= {str(name): value for name, value in record.args.items()}
        elif (request_id := REQUEST_ID.get()) is not None:
            members["id"] = request_id
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(members, default=str).decode()


def configure_logging(level: str, log_format: LogFormat = "text") -> None:
    """Log to standard error, one line per message."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter(TEXT))
    # No line contains these, and each would be determined for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("pygeoapi").setLevel(logging.WARNING)
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)  # this server logs the errors of GDAL
