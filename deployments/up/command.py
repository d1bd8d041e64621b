"""`rever-returns up`: start all parts, print where they are, keep them alive, and end them all."""

import fcntl
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from types import FrameType

from deployments.console.errors import STOPPED, UsageError, print_out
from deployments.prefect_server import CLIENT_AUTH, SERVER_AUTH
from deployments.up.desk import DeskEnvironment, free_ports, has_key, own_desk, sandbox_desk, shared
from deployments.up.parts import Parts
from deployments.up.supervisor import StoppedError, Supervisor

FOLDER = ".up"


def run_up(
    *,
    sandbox: bool | None,
    workers: int,
    prefect_port: int,
    receiver_port: int,
    sandbox_port: int,
    on_postgres: bool = False,
) -> int:
    """Run until Ctrl-C or SIGTERM, and return the exit code. `sandbox` None starts one if no key is set.

    Raises `UsageError` or `SettingsError` if nothing was begun, `UpError` if a part failed.
    """
    own = has_key() if sandbox is None else not sandbox
    if own and not has_key():
        raise UsageError("REVER_API_KEY is not set, and --no-sandbox was said: set the key, or leave --no-sandbox out.")
    folder = Path.cwd() / FOLDER
    with _only_one(folder):
        ports = free_ports(prefect=prefect_port, receiver=receiver_port, sandbox=None if own else sandbox_port)
        addresses = shared() if on_postgres else None
        desk = own_desk(ports, folder, addresses) if own else sandbox_desk(folder / "sandbox", ports, addresses)
        if own:
            _check_ledger()
        return _supervise(desk, Parts(desk, ports), _logs(folder), workers)


def _check_ledger() -> None:
    """Refuse to start without a ledger, unless REVER is this machine: only there the first run makes one."""
    from tasks.ledger import Ledger
    from tasks.settings import load_settings

    settings = load_settings()
    if not settings.loopback and not Ledger.exists(settings.ledger_url.get_secret_value()):
        raise UsageError(
            "there is no ledger at REVER_LEDGER_URL. A new account: rever-returns ledger create. Else correct the"
            " address, mount its disk, or restore a backup (docs/ledger.md)."
        )


def _supervise(desk: DeskEnvironment, parts: Parts, logs: Path, workers: int) -> int:
    began, signals = time.monotonic(), list[int]()
    supervisor = Supervisor(logs, print_out)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signals.append(number)
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        print_out("Starting Prefect's server, which takes it some ten seconds ...")
        supervisor.start(parts.first())
        print_out("Setting it up ...")
        supervisor.run(parts.bootstrap())
        print_out("Starting what executes runs ...")
        supervisor.start(parts.executors(workers))
        print_out(page(desk, parts, logs, workers=workers, seconds=time.monotonic() - began))
        supervisor.watch()
    except StoppedError:
        print_out("Ending: what executes runs first ... (Ctrl-C again kills what is left)")
        return STOPPED if signals[0] == signal.SIGINT else 0
    finally:
        supervisor.end()
        print_out("Ended.")


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep a second `up` out of the folder: it would delete the data of the first."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # an earlier version may have left it open to others
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"`rever-returns up` runs in this folder already ({folder} is locked).") from None
        yield


def _logs(folder: Path) -> Path:
    logs = folder / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    for old in logs.glob("*.log"):
        old.unlink()
    return logs


def page(desk: DeskEnvironment, parts: Parts, logs: Path, *, workers: int, seconds: float) -> str:
    """The page that is printed once all has started: addresses, where things are kept, and what to do next."""
    rows = [("Prefect", parts.prefect, "every run and its steps, the forms of the flows, schedules, holds")]
    if desk.receives:
        rows += [("receiver", parts.webhooks, "takes REVER's webhooks; /health and /metrics beside it")]
    if desk.sandbox:
        rows += [("sandbox", parts.sandbox_url, "a local REVER with returns in every state; /_sandbox/audit judges")]
    rows += [("fast lane", "", "runs process-return at once")]
    rows += [
        ("worker", "", "runs all other flows") if workers == 1 else (f"{workers} workers", "", "run all other flows")
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    table = [f"  {name:<{widths[0]}}  {address:<{widths[1]}}  {what}" for name, address, what in rows]
    head = f"The desk is up, after {seconds:.0f} s."
    end = ["", "Ctrl-C ends it all.", ""]
    kept = [*_kept(desk, logs), "", *_log_in(desk)]
    return "\n".join(["", head, "", *table, "", *kept, "", *_next(desk, parts), *end])


def _kept(desk: DeskEnvironment, logs: Path) -> list[str]:
    lines = [f"  logs      {logs}"]
    if desk.sandbox:
        lines += [f"  all else  {desk.folder} (made anew at each start: a new sandbox knows nothing of the last)"]
    where = desk.password or f"what you have set as {SERVER_AUTH} or {CLIENT_AUTH}"
    return [*lines, f"  password  {where}"]


def _log_in(desk: DeskEnvironment) -> list[str]:
    """How to log in. The password itself is never printed, so that no terminal's history and no log has it."""
    whole = f"the one line of {desk.password}" if desk.password else "it, whole"
    return [
        f"Prefect's UI asks for a password, once a browser: type {whole} (user:password).",
        "In another terminal, with what it needs to be let in:",
        f"  set -a; . {quote(str(desk.variables))}; set +a",
    ]


def _next(desk: DeskEnvironment, parts: Parts) -> list[str]:
    if not desk.sandbox:
        lines = ["Schedules carry out what is due at this account (mode=act). `rever-returns stop` stops all effects."]
        return lines if desk.receives else [*lines, "No receiver: REVER_WEBHOOK_SECRETS is not set."]
    return [
        "Next:",
        f"  1. {parts.prefect}, Deployments: the flows run by schedule; run one by hand, with its form.",
        "  2. In that other terminal:",
        "         rever-returns holds                # what waits for a person, once a flow",
        "                                            # has run with mode=act: until then there is no ledger",
        f"         rever-returns webhook send --url '{parts.webhooks}'   # an event, signed as REVER signs it",
        f"  3. A warehouse's file, with its mapping.yaml, into a folder of {desk.env['REVER_INSPECTIONS']}:",
        "     within ten minutes it is taken (docs/inspections.md).",
        f"  4. What forms read: labels made by hand in {desk.env['REVER_LABEL_FILES']} (docs/labels.md),",
        f"     lists of returns in {desk.env['REVER_RETURN_FILES']} (docs/import-returns.md).",
    ]
