"""`rever-returns run`: one flow in this process, its report on stdout, everything else on stderr."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

from deployments.console.errors import FAILED, USAGE, RunStoppedError, UsageError, explained, print_error, print_out
from deployments.console.logs import log_to_stderr
from deployments.free_port import LOOPBACK
from deployments.prefect_server import new_auth
from flows.catalog import FLOWS
from tasks.reporting.report import Mode, ReturnsReport, RunReport

_STOPPED = "stopped. What was under way is settled by the next run."
_STOPPED_BEFORE = "stopped. Nothing was under way."


def run_one(flow: str, pairs: Sequence[str], *, as_json: bool, prefect: bool, debug: bool = False) -> int:
    """Run `flow` and print its report, however the run ends. Returns the exit code: 1 where the run counts as failed.

    With `as_json` one object is printed in any case, and `failed` in it says what went wrong, if anything. Raises the
    error that ended the run, `RunStoppedError` where a person or a signal did.
    """
    begun: list[RunReport] = []
    values: dict[str, str] = {}
    try:
        values |= split_pairs(pairs)
        report = _ran(flow, values, begun, prefect=prefect, debug=debug)
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        acted = any(report.acts for report in begun)
        ended = _STOPPED if acted else _STOPPED_BEFORE
        stopped = None if isinstance(error, Exception) else RunStoppedError(ended)
        code, words = explained(error) if isinstance(error, Exception) else (FAILED, ended)
        report = begun[0] if begun else _never_begun(flow, values)
        report.broke_off = report.broke_off or words
        if as_json or (begun and code != USAGE):
            _print(report, as_json=as_json)
        if stopped is not None:
            raise stopped from None
        raise
    _print(report, as_json=as_json)
    if report.failed:
        print_error(report.failed_why)
    return FAILED if report.failed else 0


def _never_begun(flow: str, values: dict[str, str]) -> RunReport:
    """The report of a run that did not begin, in the shape that its flow's reports have."""
    if (module := sys.modules.get(FLOWS.get(flow, ""))) and "mode" not in module.Parameters.model_fields:
        return RunReport(flow)
    return ReturnsReport(flow, mode=Mode.ACT if values.get("mode") == Mode.ACT else Mode.PLAN)


def _ran(flow: str, values: dict[str, str], begun: list[RunReport], *, prefect: bool, debug: bool) -> RunReport:
    from tasks.settings import load_settings

    load_settings()  # what is wrong with them is said now, not once Prefect is up
    log_to_stderr(debug=debug)
    # Whoever prints meanwhile (a library, a notice of Prefect's) must not spoil the one object on stdout.
    with redirect_stdout(sys.stderr):
        from flows.run import BEGUN, RunFailedError, run_flow

        BEGUN.set(begun)
        try:
            if prefect:
                with _closed_server():
                    return run_flow(flow, values, prefect=True)
            return run_flow(flow, values, prefect=False)
        except RunFailedError as failed:
            return failed.report


def split_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """The values by name, as text, of `name=value` pairs. Raises `UsageError` for a wrong, double or empty pair.

    An empty value is refused because an unset shell variable (`max_amount=$CAP`) must not mean "no cap", nor
    `stores=$STORE` mean "all stores".
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageError(f"{pair!r} is no parameter: write name=value.")
        if not value.strip(" ,"):
            raise UsageError(f"{name} is given no value: say one, or leave {name} out.")
        if name in values:
            raise UsageError(f"{name} is given twice, as {values[name]!r} and as {value!r}: say it once.")
        values[name] = value
    return values


def _print(report: RunReport, *, as_json: bool) -> None:
    from tasks.reporting.printable import json_text

    print_out(json_text(report.as_json()) if as_json else "\n".join(report.lines()))


@contextmanager
def _closed_server() -> Iterator[None]:
    """Have the server that Prefect brings up for a run, where there is none, ask for a password that this run has.

    It listens on 127.0.0.1 for as long as the run takes, and any web page could command it meanwhile.
    """
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        PREFECT_SERVER_API_AUTH_STRING,
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
        temporary_settings,
    )

    if PREFECT_API_URL.value():
        yield
        return
    auth = new_auth()
    nobody = {PREFECT_SERVER_CORS_ALLOWED_ORIGINS: f"http://{LOOPBACK}"}
    with temporary_settings({PREFECT_API_AUTH_STRING: auth, PREFECT_SERVER_API_AUTH_STRING: auth, **nobody}):
        yield
