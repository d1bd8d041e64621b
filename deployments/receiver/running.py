"""Run the receiver in this process until it is told to end."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import uvicorn
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments.receiver.announcing import Announcer
from deployments.receiver.app import PATH, Receiver, create_app
from deployments.receiver.connections import MOST, GuardedConnection
from deployments.receiver.dispatcher import Dispatcher
from deployments.receiver.inbox import Inbox
from deployments.receiver.ledger_look import LedgerLook
from deployments.receiver.metrics import Metrics
from deployments.receiver.prefect_runs import PrefectRuns
from deployments.receiver.rever_look import ReverLook
from tasks.desk import utc_now
from tasks.settings import Settings, SettingsError, load_settings

HOST, PORT = "127.0.0.1", 8766
_GRACE_S = 5


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to us: its own way ends the process by the signal, and not cleanly."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


def serve_receiver(port: int = PORT) -> None:
    """Take webhooks in until SIGINT or SIGTERM. Raises `SettingsError`, `LedgerError` or OSError: nothing was begun."""
    settings = load_settings()
    _check(settings)
    with (
        closing(Inbox.open(settings.inbox_url.get_secret_value())) as inbox,
        closing(LedgerLook(settings)) as ledger,
        socket.create_server((HOST, port), backlog=MOST) as listening,
    ):
        # asyncio does it only for sockets that name their protocol; without it an answer waits 40 ms for the sender.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(_greeting(listening.getsockname()[1]), flush=True)
        # What Prefect does not take is offered again by the dispatcher, which sees to other things meanwhile.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            asyncio.run(_serve(settings, inbox, ledger, listening))


async def _serve(settings: Settings, inbox: Inbox, ledger: LedgerLook, listening: socket.socket) -> None:
    # A client each: what one waits for must not hold up the others.
    metrics, announcer, health = Metrics(), Announcer(PrefectRuns()), PrefectRuns()
    rever = ReverLook(settings)
    dispatcher = Dispatcher(
        inbox, PrefectRuns(), ledger.runs_began, metrics, announcer, utc_now, standings=rever.standings
    )
    secrets, hosts = settings.webhook_secrets, settings.webhook_hosts
    receiver = Receiver(inbox, secrets, dispatcher, announcer, metrics, utc_now, health.reachable, hosts)
    config = uvicorn.Config(
        create_app(receiver),
        access_log=False,
        log_config=None,
        ws="none",
        http=GuardedConnection,
        limit_concurrency=MOST,
        proxy_headers=False,  # nothing here depends on them, and so nobody can tell us anything by them
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
    )
    server = _Server(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)
    await server.serve(sockets=[listening])
    await health.close()
    await rever.close()


def _check(settings: Settings) -> None:
    problems = []
    if not settings.webhook_secrets:
        problems.append(
            "REVER_WEBHOOK_SECRETS is not set: nothing that comes in could be verified. It is the secret your REVER"
            " account manager gave you with the webhook."
        )
    if not PREFECT_API_URL.value():
        problems.append(
            "PREFECT_API_URL is not set: say where the Prefect server answers that the runs are offered to,"
            " http://127.0.0.1:4200/api for one of your own."
        )
    if problems:
        raise SettingsError(problems)


def _greeting(port: int) -> str:
    return "\n".join(
        (
            f"REVER's webhooks are taken in at http://{HOST}:{port}{PATH}, and {PATH}/EVENT",
            f"  health   http://{HOST}:{port}/health",
            f"  metrics  http://{HOST}:{port}/metrics",
            "Ctrl-C ends it.",
        )
    )
