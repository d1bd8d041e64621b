"""The command group `labels`: the labels of returns, and their files. What the commands do is imported by them."""

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.groups import Debug, Json, NoPrefect, OneReturn, What
from deployments.console.errors import FAILED, errors_as_sentences, print_out

labels = typer.Typer(no_args_is_help=True, help="Labels of returns, and their files: docs/labels.md.")


@labels.command("show")
def _show(what: What, *, as_json: Json = False, debug: Debug = False) -> None:
    """List the parcels of a return. Carrier, tracking, since when each is where it is, whether its file is kept."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.label_files import shown_labels

        print_out(shown_labels(what, as_json=as_json))


@labels.command("get")
def _get(
    what: What,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="A new file, or a folder: then one file a parcel.")],
    debug: Debug = False,
) -> None:
    """Write the label's file of a return, for your eyes alone. What is not kept is asked from REVER. Exit 1 if none."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.label_files import got_labels

        text, came = got_labels(what, out)
        print_out(text)
        if not came:
            raise typer.Exit(FAILED)


@labels.command("prune")
def _prune(*, debug: Debug = False) -> None:
    """Delete files of labels older than REVER_LABELS_KEPT. Runs of generate-labels do it as well."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.label_files import pruned_labels

        print_out(pruned_labels())


@labels.command("register")
def _register(
    order: OneReturn,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The label: pdf, png or jpg. Left out: it has no file.")
    ] = None,
    *,
    carrier: Annotated[str, typer.Option(help="As the store's settings at REVER name it, such as DHL.")],
    tracking: Annotated[str, typer.Option(metavar="NUMBER", help="The parcel's number.")] = "",
    url: Annotated[str, typer.Option(metavar="URL", help="The carrier's page of it, with https://.")] = "",
    provider: Annotated[str, typer.Option(help="Through whom it was made; OPS stands for by hand.")] = "OPS",
    method: Annotated[str, typer.Option(help="How the goods come back by it. Left out: as the return says.")] = "",
    act: Annotated[bool, typer.Option("--act", help="Send it; without it, only a plan is made.")] = False,
    no_prefect: NoPrefect = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Register at REVER a label that was made by hand. Once, for a return that waits for one: `run register-label`."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.run import run_with_options

        values = {
            "process_id": order,
            "file": file,
            "carrier": carrier,
            "tracking_id": tracking or None,
            "tracking_url": url or None,
            "provider": provider,
            "return_method": method or None,
            "mode": "act" if act else "plan",
        }
        raise typer.Exit(
            run_with_options("register-label", values, as_json=as_json, debug=debug, prefect=not no_prefect)
        )


@labels.command("reissue")
def _reissue(
    what: OneReturn,
    *,
    why: Annotated[str, typer.Option(help="Why, in a few words that name no shopper.")],
    parcel: Annotated[
        str, typer.Option(help="Whose label: the parcel's number or tracking number, where there are several.")
    ] = "",
    by: Annotated[str, typer.Option(help="Who asks for it, for the audit.")] = "",
    act: Annotated[bool, typer.Option("--act", help="Order the new label; without it, only a plan is made.")] = False,
    no_prefect: NoPrefect = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Order a new label for one that expired or was lost. Once for each label: `run reissue-label`."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.run import run_with_options

        values = {"process_id": what, "reason": why, "mode": "act" if act else "plan"}
        values |= {name: it for name, it in (("parcel", parcel), ("by", by)) if it}
        prefect = not no_prefect
        raise typer.Exit(run_with_options("reissue-label", values, as_json=as_json, debug=debug, prefect=prefect))
