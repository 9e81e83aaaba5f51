"""Lines of a log that no name in them can forge, or turn into commands for a terminal."""

from __future__ import annotations

import logging

from dboshub.workflows.engine.visible_text import visible


class LineFormatter(logging.Formatter):
    """Escapes what cannot be seen. A message is one line; lines of a traceback are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # a name of logging
        record.message = visible(record.message, keep=self.keep_in(record))
        return super().formatMessage(record)

    def keep_in(self, record: logging.LogRecord) -> str:
        """The control characters that the message of a record may have."""
        return ""

    def formatException(self, ei: object) -> str:  # noqa: N802
        return _indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    lines = (visible(line, keep="\t") for line in text.split("\n"))
    return "\n".join(f"  {line}" for line in lines)
