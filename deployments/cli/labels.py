"""The command group `labels`: the labels of returns. What the commands do is imported by them."""

import typer

from deployments.cli.groups import Debug, Json, What
from deployments.console.errors import errors_as_sentences, print_out

labels = typer.Typer(no_args_is_help=True, help="The labels of returns, and their parcels.")


@labels.callback()
def _labels() -> None:
    """Keep `show` a command of its own, though it is the only one."""


@labels.command("show")
def _show(what: What, *, as_json: Json = False, debug: Debug = False) -> None:
    """List the parcels of a return. Carrier, tracking number, and since when each is where it is."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.label_files import shown_labels

        print_out(shown_labels(what, as_json=as_json))
