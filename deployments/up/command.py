"""`rever-returns up`: start all parts, say where they are, keep them alive, and end them all."""

import fcntl
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from deployments.console.errors import STOPPED, UsageError, print_out
from deployments.up.desk import Desk, has_key, own_desk, sandbox_desk
from deployments.up.page import page
from deployments.up.parts import Parts
from deployments.up.ports import free_ports
from deployments.up.shared import shared
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
    """Run until Ctrl-C or SIGTERM; answers the exit code. `sandbox` None: one is started where no key is set.

    Raises `UsageError` or `SettingsError` where nothing was begun, `UpError` where a part failed.
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
    """Refuse to start what could only fail: elsewhere than on this machine a ledger is made by its own command."""
    from tasks.ledger import Ledger
    from tasks.settings import load_settings

    settings = load_settings()
    if not settings.loopback and not Ledger.exists(settings.ledger_url.get_secret_value()):
        raise UsageError(
            "there is no ledger at REVER_LEDGER_URL. A new account: rever-returns ledger create. Else correct the"
            " address, mount its disk, or restore a backup (docs/ledger.md)."
        )


def _supervise(desk: Desk, parts: Parts, logs: Path, workers: int) -> int:
    began, told = time.monotonic(), list[int]()
    supervisor = Supervisor(logs, _say)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        _say("Starting Prefect's server, which takes it some ten seconds ...")
        supervisor.start(parts.first())
        _say("Setting it up ...")
        supervisor.run(parts.bootstrap())
        _say("Starting what executes runs ...")
        supervisor.start(parts.executors(workers))
        _say(page(desk, parts, logs, workers=workers, seconds=time.monotonic() - began))
        supervisor.watch()
    except StoppedError:
        _say("Ending: what executes runs first ... (Ctrl-C again kills what is left)")
        return STOPPED if told[0] == signal.SIGINT else 0
    finally:
        supervisor.end()
        _say("Ended.")


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep a second `up` out of the folder: it would make the data of the first anew under its feet."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # one of an earlier version may be open to others, and its files with it
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


def _say(words: str) -> None:
    print_out(words)
