"""The command groups `ledger`, `inbox`, `policy`, `facts`, `inspections`, `returns`, `payouts` and `webhook`.

Imports are where they are needed.

Exit codes as everywhere: 0 done and sound, 1 something is wrong or could not be done, 2 wrong usage.
"""

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.ready_policies import PolicyKind
from deployments.console.errors import FAILED, UsageError, errors_as_sentences, print_out

care = typer.Typer(no_args_is_help=True, help="Care for the ledger: check, backup, restore, forget.")

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
What = Annotated[
    str,
    typer.Argument(
        metavar="RETURN",
        help="Its id, an order number, a hold's id, a tracking number or the shopper's e-mail; - reads it from stdin.",
    ),
]
OneReturn = Annotated[
    str, typer.Argument(metavar="RETURN", help="Its id, an order number, a hold's id or a tracking number.")
]
By = Annotated[str, typer.Option(help="Who says so, for the audit.")]


@care.command()
def check(*, debug: Debug = False) -> None:
    """Check the ledger for contradictions. Units, sums, claims, counters, audit. Exit 1 if there are any."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import checked

        lines, sound = checked()
        print_out("\n".join(lines))
        if not sound:
            raise typer.Exit(FAILED)


@care.command()
def create(*, by: By, debug: Debug = False) -> None:
    """Make the ledger of this account, once. It starts stopped: first, reconcile reads what was paid before."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import created

        print_out(created(by))


@care.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the copy.")], *, debug: Debug = False
) -> None:
    """Copy the ledger as it is now, while runs go on. PostgreSQL: use pg_dump."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import backed_up

        print_out(backed_up(file))


@care.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy made by `ledger backup`.")],
    *,
    by: By,
    debug: Debug = False,
) -> None:
    """Put a backup in the ledger's place, stopped. First reconcile reads what REVER shows, then a person starts."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import restored_from

        print_out(restored_from(file, by))


@care.command("mark-restored")
def mark_restored(*, by: By, debug: Debug = False) -> None:
    """Say that the ledger was restored by other means. By pg_restore, a copied file, a machine's snapshot."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import marked_restored

        print_out(marked_restored(by))


@care.command("caught-up")
def caught_up(
    stores: Annotated[list[str], typer.Argument(metavar="STORE", help="The stores whose effects may go again.")],
    *,
    by: By,
    why: Annotated[str, typer.Option(help="What was looked at instead.")],
    debug: Debug = False,
) -> None:
    """Say that stores have caught up with a restore. For where reconcile cannot read every return; then `start`."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import let_go_again

        print_out(let_go_again(stores, by, why))


@care.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    *,
    form: Annotated[str, typer.Option("--format", help="csv or jsonl.")] = "csv",
    debug: Debug = False,
) -> None:
    """Write the whole ledger as files, without personal data."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import exported

        print_out("\n".join(exported(folder, form)))


@care.command()
def forget(
    process_id: Annotated[
        str,
        typer.Argument(metavar="[RETURN]", help="A return of the shopper, by its id, order number, hold or tracking."),
    ] = "",
    *,
    email: Annotated[str, typer.Option(help="The shopper's e-mail; - reads it from stdin, unlogged.")] = "",
    by: By,
    debug: Debug = False,
) -> None:
    """Remove what identifies a shopper. For an erasure request; amounts, ids and the audit stay."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import forgotten

        print_out(forgotten(process_id, email, by))


@care.command()
def archive(
    *,
    older_than: Annotated[
        str, typer.Option(metavar="DAYS", help="Returns that were over and last touched so long ago: 400d.")
    ],
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder. Left out: REVER_ARCHIVES, or beside the ledger.")
    ] = None,
    act: Annotated[bool, typer.Option("--act", help="Move it. Left out: say what would move.")] = False,
    by: By = "ledger archive",
    debug: Debug = False,
) -> None:
    """Move the history of returns over long ago to files. What was paid stays known, unit by unit."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import archived

        print_out("\n".join(archived(older_than, to, act=act, by=by)))


@care.command()
def archives(
    *,
    moved_to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Say that the archives are in this folder now.")
    ] = None,
    debug: Debug = False,
) -> None:
    """List the ledger's archives, and whether they are there."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ledger_care import archives_told

        print_out("\n".join(archives_told(moved_to)))


webhook = typer.Typer(no_args_is_help=True, help="Try the webhook receiver.")


inbox = typer.Typer(help="Events of REVER's that no run has acted on.")


@inbox.callback(invoke_without_command=True)
def _list(
    context: typer.Context,
    *,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the events that wait, and those that were closed without a run in the last 30 days, with the reason."""
    if context.invoked_subcommand is None:
        with errors_as_sentences(debug=debug):
            from deployments.receiver.inbox_care import inbox_text

            print_out(inbox_text(as_json=as_json))


@inbox.command("drop")
def _drop(
    process_id: OneReturn,
    *,
    by: Annotated[str, typer.Option(help="Who drops its events.")],
    why: Annotated[str, typer.Option(help="Why.")],
    debug: Debug = False,
) -> None:
    """Close the events of a return. No run is started for them any more; schedules still look at the return."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.find import ids_named
        from deployments.receiver.inbox_care import drop_events, has_events

        ids = (process_id,) if has_events(process_id) else ids_named(process_id)
        several = [each for each in ids if has_events(each)]  # of an order's returns the inbox may know one alone
        for each in several or ids:
            print_out(drop_events(each, by=by, why=why))


@webhook.callback()
def _root() -> None:
    """Keep `send` a command of its own, though it is the only one."""


@webhook.command()
def send(
    *,
    event: Annotated[str, typer.Option(help="created, shipped, completed, cancelled or unknown.")] = "created",
    process_id: Annotated[
        str, typer.Option(help="The return's id. Empty: an invented one, which REVER never uses.")
    ] = "",
    url: Annotated[
        str, typer.Option(help="Where to; {event} stands for the event.")
    ] = "http://127.0.0.1:8766/webhooks/rever/{event}",
    secret_from: Annotated[
        str, typer.Option(help="The variable (environment or .env) that holds the secret; - reads it from stdin.")
    ] = "REVER_WEBHOOK_SECRETS",  # noqa: S107 - a variable's name
    debug: Debug = False,
) -> None:
    """Sign and send an example of a webhook, and print the answer. Exit 1 if it was not accepted."""
    with errors_as_sentences(debug=debug):
        from deployments.receiver.example import send_example

        line, taken = send_example(event, process_id, url, secret_from)
        print_out(line)
        if not taken:
            raise typer.Exit(FAILED)


policy = typer.Typer(no_args_is_help=True, help="Look after the policy file: docs/policy.md.")


@policy.command("new")
def _new_policy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")] = Path("policy.yaml"),
    *,
    kind: Annotated[PolicyKind, typer.Option(help="Which of the three ready ones.")] = PolicyKind.STANDARD,
    debug: Debug = False,
) -> None:
    """Begin a policy file with one of three ready policies. An existing file is never overwritten."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.ready_policies import new_policy

        print_out(new_policy(kind, file))


@policy.command("check")
def _check_policy(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The file; left out, the one that REVER_POLICY names."),
    ] = None,
    *,
    debug: Debug = False,
) -> None:
    """Say what a policy file does, or all that is wrong with it. Exit 2 if anything is wrong. It changes nothing."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.policy import check_policy

        check_policy(file)


@policy.command("explain")
def _explain_policy(what: What, *, debug: Debug = False) -> None:
    """Say what the file's rules decide about a return now. With each rule, whether it matched, and by which facts."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.find import rules_text

        print_out(rules_text(what))


@policy.command("shadow")
def _shadow(
    *,
    as_json: Json = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the differences to this file too.")] = None,
    debug: Debug = False,
) -> None:
    """List what the policy in shadow decides differently. With the amounts; does not contact REVER."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.shadow import shadow_text

        print_out(shadow_text(as_json=as_json, csv=csv))


@policy.command("backtest")
def _backtest_policy(
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The policy file to try.")],
    *,
    since: Annotated[
        str | None, typer.Option("--from", metavar="WHEN", help="Returns that began then or later: a date, or a time.")
    ] = None,
    before: Annotated[str | None, typer.Option("--to", metavar="WHEN", help="Returns that began before this.")] = None,
    stores: Annotated[
        list[str] | None, typer.Option("--store", metavar="STORE", help="A store; may be repeated. Left out: all.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the returns from a file instead, as JSON of REVER's API.")
    ] = None,
    as_json: Json = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all differences to a CSV file.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result to an HTML file.")] = None,
    debug: Debug = False,
) -> None:
    """Try a policy file on past returns. Compares with the one in force and what was really done; changes nothing."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.run import run_with_options

        values = {
            "candidate": candidate,
            "started_since": since,
            "started_before": before,
            "stores": stores,
            "export": export,
            "csv": csv,
            "html": html,
        }
        raise typer.Exit(run_with_options("backtest-policy", values, as_json=as_json, debug=debug))


facts = typer.Typer(no_args_is_help=True, help="Tables of what REVER does not tell: docs/policy.md.")


@facts.callback()
def _facts() -> None:
    """Keep `check` a command of its own, though it is the only one."""


@facts.command("check")
def _check_facts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table of products (sku) or orders (order_id).")],
    *,
    debug: Debug = False,
) -> None:
    """Say what a table of facts tells, or what is wrong with it. By row and column, exit 2; REVER is not asked."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.policy import check_facts

        print_out(check_facts(file))


inspections = typer.Typer(no_args_is_help=True, help="Files of what a warehouse inspected: docs/inspections.md.")

InputFile = Annotated[Path, typer.Argument(metavar="FILE", help="CSV in any of its forms, XLSX, XLS or ODS.")]
MappingFile = Annotated[Path, typer.Option("--mapping", metavar="M", help="What the file's columns and words mean.")]
RefusedFile = Annotated[
    Path | None,
    typer.Option("--refused", metavar="OUT", help="A new file for the rows that come back; .xlsx makes a workbook."),
]


NewMapping = Annotated[Path | None, typer.Option("--mapping", metavar="OUT", help="A new file for the mapping.")]
EveryRow = Annotated[bool, typer.Option("--all", help="List every row.")]
NoPrefect = Annotated[bool, typer.Option("--no-prefect", help="Run without Prefect: quicker.")]


@inspections.command("guess")
def _guess(
    file: InputFile,
    *,
    mapping: NewMapping = None,
    debug: Debug = False,
) -> None:
    """Guess what the columns and words of a file mean. Says how sure each guess is; does not contact REVER."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.inspections import guessed_mapping

        print_out(guessed_mapping(file, mapping))


@inspections.command("check")
def _check_inspections(
    file: InputFile,
    *,
    mapping: MappingFile,
    refused: RefusedFile = None,
    every_row: EveryRow = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what would become of each row, by what REVER shows. Sends nothing; writes the rows that come back."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.inspections import check_file, checked_json, checked_text

        checked = check_file(file, mapping, refused)
        print_out(checked_json(checked) if as_json else checked_text(checked, every_row=every_row))


@inspections.command("import")
def _import(
    file: InputFile,
    *,
    mapping: MappingFile,
    refused: RefusedFile = None,
    act: Annotated[bool, typer.Option("--act", help="Send the reviews; without it, only a plan is made.")] = False,
    no_prefect: NoPrefect = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Send a file's inspections to REVER: `run import-inspections`. With --act, refused rows go to a file."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.run import run_with_options

        values = {"file": file, "mapping": mapping, "refused": refused, "mode": "act" if act else "plan"}
        prefect = not no_prefect
        raise typer.Exit(run_with_options("import-inspections", values, as_json=as_json, debug=debug, prefect=prefect))


returns = typer.Typer(no_args_is_help=True, help="Files of returns to be made at REVER: docs/import-returns.md.")


@returns.command("guess")
def _guess_returns(file: InputFile, *, mapping: NewMapping = None, debug: Debug = False) -> None:
    """Guess what the columns and words of a file mean. Says how sure each guess is; does not contact REVER."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.returns import guessed_returns_mapping

        print_out(guessed_returns_mapping(file, mapping))


@returns.command("check")
def _check_returns(
    file: InputFile,
    *,
    mapping: MappingFile,
    refused: RefusedFile = None,
    every_row: EveryRow = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what would become of each row, by what REVER shows. Sends nothing; writes the rows that come back."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.returns import check_returns, checked_returns_json, checked_returns_text

        checked = check_returns(file, mapping, refused)
        print_out(checked_returns_json(checked) if as_json else checked_returns_text(checked, every_row=every_row))


@returns.command("import")
def _import_returns(
    file: InputFile,
    *,
    mapping: MappingFile,
    refused: RefusedFile = None,
    act: Annotated[bool, typer.Option("--act", help="Make the returns; without it, only a plan is made.")] = False,
    no_prefect: NoPrefect = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make the returns that a file asks for: `run import-returns`. With --act, refused rows go to a file."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.run import run_with_options

        values = {"file": file, "mapping": mapping, "refused": refused, "mode": "act" if act else "plan"}
        prefect = not no_prefect
        raise typer.Exit(run_with_options("import-returns", values, as_json=as_json, debug=debug, prefect=prefect))


payouts = typer.Typer(no_args_is_help=True, help="Payment providers' payout files: docs/payouts.md.")


Statement = Annotated[Path | None, typer.Option(metavar="FILE", help="REVER's monthly statement of supplied expenses.")]
StatementMapping = Annotated[Path | None, typer.Option(metavar="M", help="What the statement's columns mean.")]
OrderReferences = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Which order a provider's reference is of: a table of reference and order."),
]
UsualDays = Annotated[
    str | None, typer.Option(metavar="DAYS", help="In how many days a refund usually is in a payout. Left out: 7.")
]
PayoutZone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Of times whose file does not say theirs, such as Europe/Madrid.")
]


def payout_files(typed: list[Path] | None) -> list[Path] | None:
    """The payout files, which a run takes as one text with commas. Raises `UsageError` for a name that has one."""
    if comma := next((file for file in typed or () if "," in str(file)), None):
        raise UsageError(f"{comma}: a file's name may have no comma here; rename it.")
    return typed


@payouts.callback()
def _payouts() -> None:
    """Keep `check` a command of its own, though it is the only one."""


@payouts.command("check")
def _check_payouts(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Of Stripe, Adyen, PayPal (STL) or Redsys.")
    ] = None,
    *,
    statement: Statement = None,
    mapping: StatementMapping = None,
    orders: OrderReferences = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="WHEN", help="Refunds paid then or later. Left out: where the files begin."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="WHEN", help="The last day, in it whole. Left out: where the files end."),
    ] = None,
    stores: Annotated[
        list[str] | None, typer.Option("--store", metavar="STORE", help="A store; may be repeated. Left out: all.")
    ] = None,
    days: UsualDays = None,
    zone: PayoutZone = None,
    as_json: Json = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all refunds and rows to a CSV file.")] = None,
    debug: Debug = False,
) -> None:
    """Compare payout files with the ledger and REVER, refund by refund. Nothing is corrected, held or sent."""
    with errors_as_sentences(debug=debug):
        from deployments.cli.run import run_with_options

        values = {
            "files": payout_files(files),
            "statement": statement,
            "mapping": mapping,
            "orders": orders,
            "since": since,
            "until": until,
            "stores": stores,
            "days": days,
            "zone": zone,
            "csv": csv,
        }
        raise typer.Exit(run_with_options("reconcile-payouts", values, as_json=as_json, debug=debug))
