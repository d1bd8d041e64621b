"""`rever-returns webhook ...`: try a receiver. What is heavy is imported by who needs it."""

from typing import Annotated

import typer

from deployments.cli.errors import FAILED, said_plainly

webhook = typer.Typer(no_args_is_help=True, help="Try the webhook receiver.")


@webhook.callback()
def _root() -> None:
    """Keep `send` a command of its own, though it is the only one."""


@webhook.command()
def send(
    *,
    event: Annotated[str, typer.Option(help="created, shipped, completed, cancelled or unknown.")] = "created",
    process_id: Annotated[str, typer.Option(help="The return's id. Empty: one that REVER does not know.")] = "",
    url: Annotated[
        str, typer.Option(help="Where to; {event} stands for the event.")
    ] = "http://127.0.0.1:8766/webhooks/rever/{event}",
    secret_from: Annotated[
        str, typer.Option(help="The variable (environment or .env) that holds the secret; - reads it from stdin.")
    ] = "REVER_WEBHOOK_SECRETS",  # noqa: S107 - a variable's name
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Sign and send an example of a webhook, and say what was answered. Exit 1 where it was not taken."""
    with said_plainly(debug=debug):
        from deployments.cli.receiver import send_example

        line, taken = send_example(event, process_id, url, secret_from)
        print(line)
        if not taken:
            raise typer.Exit(FAILED)
