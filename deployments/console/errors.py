"""What leaves the command line: lines on stdout, and from an error to a sentence on stderr and an exit code.

No traceback unless asked for; no secret in any of it, and nothing on which a terminal would act.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

FAILED, USAGE, STOPPED = 1, 2, 130

_BEFORE_THE_START = frozenset(
    {
        "UsageError",
        "WrongNameError",
        "NoLedgerError",
        "SettingsError",
        "PolicyFileError",
        "EndpointsError",
        "DocumentError",
        "PrefectFileError",
    }
)
_AT_RUN_TIME = frozenset(
    {"LedgerError", "ReverError", "DeskError", "OwnFaultError", "BootstrapError", "UpError", "RunStoppedError"}
)


STOPPED_WORDS = "stopped. What was under way is settled by the next run."
STOPPED_BEFORE = "stopped. Nothing was under way."


class RunStoppedError(Exception):
    """A run was stopped before its end, by Ctrl-C or a signal."""


class UsageError(Exception):
    """What was asked for on the command line cannot be: the sentence says what was found and what is right."""


@contextmanager
def said_plainly(*, debug: bool) -> Iterator[None]:
    """Turn whatever ends a command into its sentence and its exit code (`typer.Exit`)."""
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
        say("stopped.")
        code = STOPPED
    except Exception as error:  # noqa: BLE001 - the outermost frame: an unforeseen error becomes one line here too
        if debug:
            _write("".join(traceback.format_exception(error)))
        code, words = explained(error)
        say(words)
    else:
        return
    raise typer.Exit(code)


def explained(error: Exception) -> tuple[int, str]:
    """The exit code and the sentence of an error.

    The expected classes are told by name, so that saying a wrong setting needs no import of ledger or client.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & _BEFORE_THE_START:
        return USAGE, str(error)
    if kinds & _AT_RUN_TIME:
        return FAILED, str(error)
    if isinstance(error, OSError) and error.strerror:
        name = f" ({error.filename})" if error.filename else ""
        return FAILED, f"the system refused: {error.strerror}{name}."
    # Kind and place only: the text of an unforeseen error may quote a shopper's address.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return FAILED, f"a fault of this software: {type(error).__name__} at {place}. --debug shows the traceback."


def out(text: str) -> None:
    """Print lines to stdout: no secret in them, and nothing on which a terminal would act. So every command prints."""
    print(_clean(text), flush=True)


def say(words: str) -> None:
    """Write a sentence to stderr, without any secret."""
    _write("".join(f"rever-returns: {line}\n" for line in words.split("\n")))


def _write(text: str) -> None:
    sys.stderr.write(_clean(text))


def _clean(text: str) -> str:
    from deployments.console.redacting import redacted
    from tasks.printable import printable_lines

    return printable_lines(redacted(text))
