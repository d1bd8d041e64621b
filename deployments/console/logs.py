"""What is logged while a command runs: on stderr, without secrets, and without tracebacks unless asked for."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from deployments.console.redacting import redacted
from tasks.reporting.printable import printable, printable_lines

_PREFECT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Prefect's own start takes 9 to 17 s here; its default of 20 s would now and then give up on it.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # The temporary server is a process of its own, and now and then it logs the traceback of its own end.
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}


def log_to_stderr(*, debug: bool) -> None:
    """Set up logging for this process; call it before Prefect is imported. A person's own settings are kept."""
    for name, value in _PREFECT.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    for chatty in ("httpx", "httpcore", "asyncio", "alembic", "sqlalchemy", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.setLogRecordFactory(_factory(debug=debug))


def _of_prefect(logger: str) -> bool:
    return logger.startswith("prefect") and not logger.startswith(("prefect.flow_runs", "prefect.task_runs"))


def _factory(*, debug: bool) -> Callable[..., logging.LogRecord]:
    """Prefect logs a failed run's traceback by itself; the record is where it can be left out for every handler."""

    def record(*parts: Any, **named: Any) -> logging.LogRecord:
        made = logging.LogRecord(*parts, **named)
        if made.exc_info and not debug:
            made.exc_info = None
        elif made.exc_info:
            made.exc_text = printable_lines(redacted(logging.Formatter().formatException(made.exc_info)))
        text = made.getMessage()
        # Prefect itself logs texts of several lines; a line end in anybody else's would begin a line that is forged.
        clean = printable_lines(redacted(text)) if _of_prefect(made.name) else printable(redacted(text))
        if clean != text:
            made.msg, made.args = clean, ()
        return made

    return record
