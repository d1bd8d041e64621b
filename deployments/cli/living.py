"""The commands that run until they are stopped, around Prefect."""

from typing import Annotated

import typer

from deployments.cli.app import Debug, app
from deployments.console.errors import errors_as_sentences


@app.command()
def up(
    *,
    sandbox: Annotated[
        bool | None,
        typer.Option("--sandbox/--no-sandbox", help="Start a local REVER to work on; if not said, when no key is set."),
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
    """Run the desk in Prefect on 127.0.0.1: server, receiver, fast lane and worker, in one terminal, until Ctrl-C."""
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
    """Execute the runs of the work pool rever-fast-lane in this warm process, until Ctrl-C."""
    with errors_as_sentences(debug=debug):
        from deployments.lane.command import run_lane

        run_lane(name=name, at_once=at_once, grace_s=grace, debug=debug)
