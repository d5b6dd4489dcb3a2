"""The log: one JSON object a line, with nothing in it that a terminal would obey."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from bundle.wire import write_moment

if TYPE_CHECKING:
    from typing import TextIO

MAX_FIELD: Final = 2048
"""Characters of one member of a line: what comes from a medium may be long."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of ASCII: control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for ``record``, without its end."""
        document = {
            "at": write_moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "members", {}),
        }
        if record.exc_info:
            document["trace"] = self.formatException(record.exc_info)
        short = {name: _short(value) for name, value in document.items()}
        return json.dumps(short, default=str)


def set_up(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Send everything that is logged to ``stream`` as JSON lines."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


def _short(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_FIELD:
        return value[:MAX_FIELD] + "…"
    return value
