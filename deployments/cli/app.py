"""The commands of `rever-returns`. Prefect, SQLAlchemy and the sandbox are imported by the commands that need them.

Exit codes: 0 the run came to its end, holds included; 1 it failed, was stopped, or met an error (a wrong key, an
unreachable ledger); 2 wrong usage, or settings that are missing or wrong, and nothing was begun; 130 a command other
than a run was ended by Ctrl-C.
"""

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Annotated

import typer

from deployments.cli.groups import (
    Debug,
    Json,
    OrderReferences,
    PayoutZone,
    Statement,
    StatementMapping,
    UsualDays,
    What,
    care,
    facts,
    inbox,
    inspections,
    payout_files,
    payouts,
    policy,
    returns,
    webhook,
)
from deployments.cli.labels import labels
from deployments.console.errors import FAILED, UsageError, errors_as_sentences, print_out
from flows.catalog import FLOWS

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="The returns desk: decides what is due for a return at REVER, does it once, and says why.",
    epilog="Settings: environment or .env, see docs/settings.md. Exit: 0 done, 1 failed, 2 wrong usage or settings.",
)

app.add_typer(care, name="ledger")
app.add_typer(webhook, name="webhook")
app.add_typer(inbox, name="inbox")
app.add_typer(policy, name="policy")
app.add_typer(facts, name="facts")
app.add_typer(inspections, name="inspections")
app.add_typer(returns, name="returns")
app.add_typer(payouts, name="payouts")
app.add_typer(labels, name="labels")


@app.callback(invoke_without_command=True)
def _root(
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if show_version:
        from importlib.metadata import version

        print(version("rever-returns"))
        raise typer.Exit


# click breaks a name at its hyphen, and then nobody can copy it; a text that begins with \b keeps its own lines.
_FLOWS = fill(f"FLOW is one of: {', '.join(FLOWS)}.", 76, break_on_hyphens=False)


@app.command(epilog=f"\b\n{_FLOWS}", context_settings={"help_option_names": []})
def run(
    ctx: typer.Context,
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="Which flow to run.")] = "",
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="The flow's parameters; lists are comma-separated."),
    ] = None,
    *,
    as_json: Json = False,
    every_row: Annotated[
        bool, typer.Option("--all", help="List every return, also those that wait or need no action.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the run's returns to a CSV file, one in a row.")
    ] = None,
    no_prefect: Annotated[
        bool,
        typer.Option("--no-prefect", help="Run the same functions without Prefect: quicker, and without a server."),
    ] = False,
    debug: Debug = False,
    show_help: Annotated[
        bool, typer.Option("--help", help="Show this message, or with a FLOW its parameters, and exit.")
    ] = False,
) -> None:
    """Run one flow in this process, with the settings in force."""
    with errors_as_sentences(debug=debug):
        if show_help and not flow:
            typer.echo(ctx.get_help())
            raise typer.Exit
        if not flow:
            raise UsageError(f"say which FLOW to run: one of {', '.join(FLOWS)}.")
        if show_help:
            from deployments.cli.run import flow_help

            print_out(flow_help(flow))
            raise typer.Exit
        from deployments.cli.run import Printed, run_one

        printed = Printed(as_json, every_row, csv)
        raise typer.Exit(run_one(flow, values or [], printed, prefect=not no_prefect, debug=debug))


@app.command()
def why(what: What, *, debug: Debug = False) -> None:
    """Explain a return. What REVER says, what was decided and sent, what it waits for, what is next."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.find import why_text

        print_out(why_text(what))


@app.command()
def find(what: What, *, as_json: Json = False, debug: Debug = False) -> None:
    """Find returns: the id, order, store, state and amount of each."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.find import find_text

        print_out(find_text(what, as_json=as_json))


@app.command()
def report(
    *,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="WHEN", help="A date (of each store), or a time. Left out: yesterday."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="WHEN", help="The last date, or a time. Left out: up to now.")
    ] = None,
    stores: Annotated[
        list[str] | None, typer.Option("--store", metavar="STORE", help="A store; may be repeated. Left out: all.")
    ] = None,
    as_json: Json = False,
    csv: Annotated[Path | None, typer.Option(metavar="DIR", help="A new folder for a CSV file of each table.")] = None,
    frames: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new folder for the rows as Parquet files: docs/frames.md.")
    ] = None,
    xlsx: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an Excel workbook.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one HTML page, to read or to print.")] = None,
    promise: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Days from arrival to payment that the store promises.")
    ] = None,
    orders: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What was sold by day, for return rates: docs/reports.md.")
    ] = None,
    rates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rates of exchange, to show sums converted too.")
    ] = None,
    payouts: Annotated[
        list[Path] | None,
        typer.Option("--payouts", metavar="FILE", help="A payout file to compare: docs/payouts.md. May be repeated."),
    ] = None,
    statement: Statement = None,
    mapping: StatementMapping = None,
    payout_orders: OrderReferences = None,
    payout_days: UsualDays = None,
    payout_zone: PayoutZone = None,
    send: Annotated[bool, typer.Option("--send", help="Send the totals where REVER_REPORT_URL says.")] = False,
    with_shoppers: Annotated[
        bool, typer.Option("--with-shoppers", help="Name the shoppers, in JSON, CSV, Excel and Parquet.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Report what was paid, what waits, how long it took. Per store and day, as tables and files; changes nothing."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.run import run_with_options

        values = {
            "since": since,
            "until": until,
            "stores": stores,
            "promise_days": promise,
            "payouts": payout_files(payouts),
            "statement": statement,
            "mapping": mapping,
            "payout_orders": payout_orders,
            "payout_days": payout_days,
            "payout_zone": payout_zone,
            "orders": orders,
            "rates": rates,
            "csv": csv,
            "frames": frames,
            "xlsx": xlsx,
            "html": html,
            "send": send,
            "with_shoppers": with_shoppers,
        }
        raise typer.Exit(run_with_options("daily-report", values, as_json=as_json, debug=debug))


@app.command()
def holds(*, as_json: Json = False, debug: Debug = False) -> None:
    """List what waits for a person, and the possible answers."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger import holds_text

        print_out(holds_text(as_json=as_json))


@app.command()
def stop(
    *,
    by: Annotated[str, typer.Option(help="Who stops: everybody will see it.")],
    why: Annotated[str, typer.Option(help="Why: everybody will see it.")],
    debug: Debug = False,
) -> None:
    """Stop all effects, also in runs that are under way. No refund, exchange or label starts; reads go on."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger import tell_prefect, throw_switch

        thrown = throw_switch(on=True, by=by, why=why)
        print_out(thrown.text)
        tell_prefect(thrown)


@app.command()
def start(
    *,
    by: Annotated[str, typer.Option(help="Who lets effects go again.")],
    why: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    debug: Debug = False,
) -> None:
    """Let effects go again after `stop`."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger import tell_prefect, throw_switch

        thrown = throw_switch(on=False, by=by, why=why)
        print_out(thrown.text)
        tell_prefect(thrown)


@app.command()
def resume(
    store: Annotated[str, typer.Argument(metavar="STORE", help="The store that is paused.")],
    *,
    by: Annotated[str, typer.Option(help="Who ends the pause, for the audit.")],
    why: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    debug: Debug = False,
) -> None:
    """End the pause of a store. A store is paused after five effects in a row with an unknown outcome."""
    with errors_as_sentences(debug=debug):
        from deployments.cli import ledger

        print_out(ledger.resume(store, by=by, why=why))


@app.command()
def bootstrap(
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done; exit 1 if anything.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the server to answer.")] = 60,
    file: Annotated[Path | None, typer.Option(help="A prefect.yaml of your own instead of the built-in one.")] = None,
    debug: Debug = False,
) -> None:
    """Set up the Prefect server at PREFECT_API_URL. Pools, limits, blocks, automations, deployments."""
    with errors_as_sentences(debug=debug):
        from deployments.console.logs import log_to_stderr

        log_to_stderr(debug=debug)
        from deployments.bootstrap.command import bootstrap_server

        raise typer.Exit(bootstrap_server(check=check, wait_s=wait, file=file))


@app.command()
def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    seed: Annotated[int, typer.Option(help="The same seed makes the same returns.")] = 7,
    returns: Annotated[int, typer.Option(min=0, help="How many returns to begin with.")] = 60,
    faults: Annotated[str, typer.Option(help="none, mixed, mixed:0.4, ambiguous-1, or OPERATION:NTH:FAULT.")] = "none",
    shops: Annotated[
        str, typer.Option(help="Comma-separated; at autopay REVER pays, atlas ships from six countries.")
    ] = "acme,nordic",
    more_shops: Annotated[
        int, typer.Option(min=0, max=99, help="So many shops more, as a large group has: shop-01, shop-02, ...")
    ] = 0,
    webhook_url: Annotated[
        str, typer.Option(help="Send webhooks there, signed with REVER_WEBHOOK_SECRETS; {event} stands for the event.")
    ] = "",
    debug: Debug = False,
) -> None:
    """Run a local REVER on 127.0.0.1 until Ctrl-C."""
    with errors_as_sentences(debug=debug):
        from deployments.receiver.example import signing_secret
        from rever_api.sandbox import Webhook, further, serve

        names = (*(name for part in shops.split(",") if (name := part.strip())), *further(more_shops))
        webhook = None
        if webhook_url:
            if (secret := signing_secret()) is None:
                raise UsageError("--webhook-url needs the secret to sign with: set REVER_WEBHOOK_SECRETS")
            webhook = Webhook(webhook_url, secret)
        try:
            serve(port=port, seed=seed, returns=returns, faults=faults, shops=names, webhook=webhook)
        except ValueError as problem:
            raise UsageError(str(problem)) from None
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
            taken = f"port {port} is taken, perhaps by another sandbox: choose one with --port; 0 takes a free one."
            raise UsageError(taken) from None


@app.command()
def receiver(
    *, port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8766, debug: Debug = False
) -> None:
    """Receive REVER's webhooks, until Ctrl-C. It listens on 127.0.0.1, and has a run look at each return."""
    with errors_as_sentences(debug=debug):
        from deployments.console.logs import log_to_stderr

        log_to_stderr(debug=debug)
        from deployments.receiver.app import serve_receiver

        serve_receiver(port)


@app.command()
def doctor(
    *,
    openapi: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="REVER's official OpenAPI document, to compare the endpoint table with."),
    ] = None,
    receiver: Annotated[
        str, typer.Option(metavar="URL", help="Where the webhooks' receiver is, if not at http://127.0.0.1:8766.")
    ] = "",
    credentials: Annotated[
        str, typer.Option(metavar="NAME", help="Look at the account of this credentials block of Prefect's.")
    ] = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what is broken, and what to do. Checks all the desk needs; writes nothing. Exit 1 if anything is broken."""
    with errors_as_sentences(debug=debug):
        from deployments.doctor.command import doctor_says

        text, sound = doctor_says(openapi, receiver_url=receiver, credentials=credentials, as_json=as_json)
        print_out(text)
        if not sound:
            raise typer.Exit(FAILED)


@app.command()
def settings(*, debug: Debug = False) -> None:
    """Print the settings in force. The key and passwords are masked."""
    with errors_as_sentences(debug=debug):
        from rever_api import Endpoints
        from tasks.policy.policy_file import read_policy
        from tasks.settings import load_settings, masked_settings

        found = load_settings()
        for name, value in masked_settings(found).items():
            print_out(f"{name}={value}")
        # The files that they name count as settings: one that is missing or wrong would stop every run.
        read_policy(found.policy)
        Endpoints.load(found.endpoints)
        from deployments.doctor.settings import env_warning

        if warning := env_warning():
            print(f"rever-returns: {warning}", file=sys.stderr)


@app.command()
def up(
    *,
    sandbox: Annotated[
        bool | None,
        typer.Option("--sandbox/--no-sandbox", help="Start a local REVER to work on. Default: if no key is set."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, max=20, help="Workers beside the fast lane.")] = 1,
    on_postgres: Annotated[
        bool,
        typer.Option(
            "--shared", help="Keep all on PostgreSQL and Redis (UP_POSTGRES_URL, UP_REDIS_URL): docs/scale.md."
        ),
    ] = False,
    prefect_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 4200,
    receiver_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8766,
    sandbox_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    debug: Debug = False,
) -> None:
    """Run the whole desk in Prefect, until Ctrl-C. Server, receiver, fast lane and worker, on 127.0.0.1."""
    with errors_as_sentences(debug=debug):
        from deployments.up.command import run_up

        ports = {"prefect_port": prefect_port, "receiver_port": receiver_port, "sandbox_port": sandbox_port}
        raise typer.Exit(run_up(sandbox=sandbox, workers=workers, on_postgres=on_postgres, **ports))


@app.command()
def lane(
    *,
    name: Annotated[str, typer.Option(help="How Prefect's UI names it. Empty: after this machine.")] = "",
    at_once: Annotated[int, typer.Option(min=1, max=100, help="Runs at the same time.")] = 10,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that runs under way get when it is stopped.")] = 60.0,
    debug: Debug = False,
) -> None:
    """Execute runs of the pool rever-fast-lane, until Ctrl-C. In one process that stays warm."""
    with errors_as_sentences(debug=debug):
        from deployments.console.logs import log_to_stderr
        from tasks.settings import load_settings

        load_settings()  # a wrong setting is an error now, not in the first run
        log_to_stderr(debug=debug)
        from deployments.lane.lane import run_lane

        run_lane(name=name, at_once=at_once, grace_s=grace)


def main(argv: Sequence[str] | None = None) -> None:
    """The entry point `rever-returns`. Always leaves by SystemExit, with one of the codes above."""
    if argv is None:  # this process is ours, and so is what it writes: ledger, inbox, exports, logs, and its children's
        os.umask(0o077)
    app(args=list(sys.argv[1:] if argv is None else argv), prog_name="rever-returns")
