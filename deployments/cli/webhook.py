"""`rever-returns webhook ...` and `inbox`: try a receiver, and see what came in. What is heavy is imported by need."""

from typing import Annotated

import typer

from deployments.console.errors import FAILED, errors_as_sentences, print_out

webhook = typer.Typer(no_args_is_help=True, help="Try the webhook receiver.")


inbox = typer.Typer(help="What REVER told of and no run has looked at.")


@inbox.callback(invoke_without_command=True)
def _list(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """List the events that wait, and those that were closed without a run in the last 30 days, with the reason."""
    if context.invoked_subcommand is None:
        with errors_as_sentences(debug=debug):
            from deployments.cli.receiver import listed_inbox

            print_out(listed_inbox(as_json=as_json))


@inbox.command("drop")
def _drop(
    process_id: Annotated[str, typer.Argument(metavar="ID", help="The return's id.")],
    *,
    by: Annotated[str, typer.Option(help="Who drops its events.")],
    why: Annotated[str, typer.Option(help="Why.")],
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Close the events of a return: no run is offered for them any more. Schedules still look at the return."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.receiver import dropped

        print_out(dropped(process_id, by=by, why=why))


@webhook.callback()
def _root() -> None:
    """Keep `send` a command of its own, though it is the only one."""


@webhook.command()
def send(
    *,
    event: Annotated[str, typer.Option(help="created, shipped, completed, cancelled or unknown.")] = "created",
    process_id: Annotated[
        str, typer.Option(help="The return's id. Empty: an invented one, which REVER never gives.")
    ] = "",
    url: Annotated[
        str, typer.Option(help="Where to; {event} stands for the event.")
    ] = "http://127.0.0.1:8766/webhooks/rever/{event}",
    secret_from: Annotated[
        str, typer.Option(help="The variable (environment or .env) that holds the secret; - reads it from stdin.")
    ] = "REVER_WEBHOOK_SECRETS",  # noqa: S107 - a variable's name
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Sign and send an example of a webhook, and say what was answered. Exit 1 where it was not taken."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.receiver import send_example

        line, taken = send_example(event, process_id, url, secret_from)
        print_out(line)
        if not taken:
            raise typer.Exit(FAILED)
