"""What a command prints: lines on stdout, and for an error a sentence on stderr and an exit code.

No traceback unless asked for, no secret, and nothing on which a terminal acts.
"""

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

FAILED, USAGE, STOPPED = 1, 2, 130

_USAGE_ERRORS = (
    ("flows.run", "UsageError"),
    ("tasks.settings", "SettingsError"),
    ("tasks.ledger", "NoLedgerError"),
    ("tasks.desk", "WrongNameError"),
    ("tasks.policy.policy_file", "PolicyFileError"),
    ("tasks.files.table", "InputFileError"),
    ("rever_api", "EndpointsError"),
    ("rever_api.openapi", "DocumentError"),
)
_RUN_ERRORS = (
    ("tasks.database", "DatabaseError"),
    ("tasks.desk", "DeskError"),
    ("tasks.steps", "OwnFaultError"),
    ("rever_api", "ReverError"),
)
"""Where the expected errors of the layers below are defined: module and class.

An error of a class that was never imported cannot have been raised. So only modules that are loaded are looked at, and
printing a wrong setting does not wait for the import of ledger and client (half a second).
"""


class CommandError(Exception):
    """A command failed; the text is a sentence for a person. Exit code 1."""


class UsageError(CommandError):
    """What was asked for is not possible, and nothing was begun; the text says what is right. Exit code 2."""


class RunStoppedError(CommandError):
    """A run was stopped before its end, by Ctrl-C or a signal."""


@contextmanager
def errors_as_sentences(*, debug: bool) -> Iterator[None]:
    """Print the error that ends a command as a sentence, and leave by its exit code (`typer.Exit`)."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        # Whoever read our output (`| head`) has enough. What is left in the buffer goes nowhere, without a complaint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except KeyboardInterrupt:
        print_error("stopped.")
        code = STOPPED
    except Exception as error:  # noqa: BLE001 - the outermost frame: an unforeseen error becomes one line here too
        if debug:
            _write("".join(traceback.format_exception(error)))
        code, words = explained(error)
        print_error(words)
    else:
        return
    raise typer.Exit(code)


def explained(error: Exception) -> tuple[int, str]:
    """The exit code and the sentence of an error."""
    if isinstance(error, UsageError) or _is_one_of(error, _USAGE_ERRORS):
        return USAGE, str(error)
    if isinstance(error, CommandError) or _is_one_of(error, _RUN_ERRORS):
        return FAILED, str(error)
    if isinstance(error, OSError) and error.strerror:
        name = f" ({error.filename})" if error.filename else ""
        return FAILED, f"the system refused: {error.strerror}{name}."
    # Kind and place only: the text of an unforeseen error may quote a shopper's address.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return FAILED, f"a fault of this software: {type(error).__name__} at {place}. --debug shows the traceback."


def _is_one_of(error: Exception, kinds: Iterable[tuple[str, str]]) -> bool:
    loaded = (getattr(sys.modules.get(module), name, None) for module, name in kinds)
    return any(isinstance(kind, type) and isinstance(error, kind) for kind in loaded)


def print_out(text: str) -> None:
    """Print lines to stdout, without any secret and anything on which a terminal acts."""
    print(_clean(text), flush=True)


def print_error(words: str) -> None:
    """Write a sentence to stderr, without any secret."""
    _write("".join(f"rever-returns: {line}\n" for line in words.split("\n")))


def _write(text: str) -> None:
    sys.stderr.write(_clean(text))


def _clean(text: str) -> str:
    from deployments.console.redacting import redacted
    from tasks.reporting.printable import printable_lines

    return printable_lines(redacted(text))
