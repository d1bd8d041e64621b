"""What `rever-returns policy shadow` prints: what the candidate decides otherwise, as the ledger keeps it.

REVER is not asked. Only the candidate that stands in the policy file now counts; what is kept of others is not told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from deployments.cli.ledger import opened_ledger
from tasks.ledger import ShadowRow, shadow_rows
from tasks.policy.backtest.differences import Change, Purse
from tasks.policy.clocks import clock_time
from tasks.policy.policy_file import PolicyFileError, read_policy
from tasks.policy.shadow import Said, read_candidate
from tasks.reporting.csv_file import check_target, write_csv
from tasks.reporting.printable import columns, json_text, plain_words, printable
from tasks.reporting.report_parts import ShadowTally, changes_words
from tasks.settings import load_settings

CSV_COLUMNS = (
    *("process_id", "store", "order", "currency", "goods"),
    *(change.column for change in Change),
    *("live", "candidate", "live_rule", "candidate_rule", "live_why", "candidate_why", "since", "until"),
)
"""A row for each return and currency. `goods` is yes where the amounts are of goods, not money."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the ledger keeps of the candidate; `file` is empty where the policy file names none."""

    policy: str
    file: str = ""
    digest: str = ""
    rows: tuple[ShadowRow, ...] = ()


def shadow_text(*, as_json: bool, csv: Path | None) -> str:
    """The differences, as a table or a JSON object; with `csv` also written to that file.

    Raises `PolicyFileError` with what is wrong with the policy file or the candidate, and `NoLedgerError`.
    """
    if csv is not None:
        check_target(csv)
    found = _found()
    if csv is not None:
        write_csv(csv, CSV_COLUMNS, [line for row in found.rows for line in _csv(row)])
    return json_text(_json(found)) if as_json else _text(found)


def _found() -> Found:
    settings = load_settings()
    policy = str(settings.policy or "")
    candidate = read_candidate(read_policy(settings.policy))
    if candidate is None:
        return Found(policy)
    if candidate.policies is None:
        raise PolicyFileError(candidate.problems)
    with opened_ledger(settings, read_only=True) as ledger:
        rows = ledger.read(shadow_rows, candidate.digest)
    return Found(policy, candidate.name, candidate.digest, tuple(rows))


def _text(found: Found) -> str:
    if not found.file:
        where = f"{found.policy} names none" if found.policy else "no policy file is set (REVER_POLICY)"
        return f"No candidate decides in shadow: {where}. A line `shadow: candidate.yaml` in that file names one."
    now, before = _parted(found)
    head = f"{found.file} beside {found.policy}, by what runs with mode=act have seen:"
    sums = [", ".join(tally.changes()) or "no return" for tally in (now, before)]
    lines = [head, f"  otherwise:         {sums[0]}", f"  by now the same:   {sums[1]}"]
    return "\n".join([*map(printable, lines), *_table(found.rows)])


def _parted(found: Found) -> tuple[ShadowTally, ShadowTally]:
    """The differences that stand, and those that are over."""
    both = (ShadowTally(found.file, found.digest), ShadowTally(found.file, found.digest))
    for row in found.rows:
        both[row.until is not None].count(1, [row.differs])
    return both


def _table(rows: Sequence[ShadowRow]) -> Iterator[str]:
    if not rows:
        return
    head = ("RETURN", "STORE", "ORDER", "SINCE", "UNTIL", "THE CANDIDATE")
    cells = [head, *(tuple(map(printable, _cells(row))) for row in rows)]
    titles, *lines = columns(cells, left=len(head), gap="  ")
    yield from ("", titles)
    for line, row in zip(lines, rows, strict=True):
        yield line
        for who, said in (("live:     ", row.differs.live), ("candidate:", row.differs.candidate)):
            yield printable(plain_words(f"    {who} {said.words}: {said.why}"))


def _cells(row: ShadowRow) -> tuple[str, ...]:
    differs = row.differs
    return (
        *(differs.process_id, differs.store, differs.order),
        *(clock_time(row.since), clock_time(row.until) if row.until else "", changes_words(differs)),
    )


def _json(found: Found) -> dict[str, Any]:
    """The object of `--json`. Amounts are decimal strings, times are of UTC; `until` is null while they differ."""
    now, before = _parted(found)
    return {
        "file": found.file or None,
        "candidate": found.digest or None,
        "otherwise": {"returns": len(now.differing), "changes": now.as_json()["changes"]},
        "the_same_by_now": {"returns": len(before.differing), "changes": before.as_json()["changes"]},
        "returns": [
            {
                "process_id": row.differs.process_id,
                "store": row.differs.store,
                "order": row.differs.order,
                "since": row.since.astimezone(UTC).isoformat(),
                "until": row.until.astimezone(UTC).isoformat() if row.until else None,
                "looked_at": row.looked_at.astimezone(UTC).isoformat(),
                "changes": {
                    purse.name: {kind.value: format(amount, "f") for kind, amount in changes.items()}
                    for purse, changes in row.differs.changes.items()
                },
                "live": _said(row.differs.live),
                "candidate": _said(row.differs.candidate),
            }
            for row in found.rows
        ],
    }


def _said(said: Said) -> dict[str, Any]:
    return {
        "decision": said.decision.value,
        "rule": said.rule,
        "why": said.why,
        "currency": said.currency,
        "amounts": {method: format(amount, "f") for method, amount in said.amounts.items()},
        "held": None if said.held is None else format(said.held, "f"),
        "label": said.label or None,
    }


def _csv(row: ShadowRow) -> Iterator[dict[str, str]]:
    differs = row.differs
    for purse, changes in differs.changes.items() or [(Purse(""), {})]:
        yield {
            "process_id": differs.process_id,
            "store": differs.store,
            "order": differs.order,
            "currency": purse.currency,
            "goods": "yes" if purse.goods else "no",
            **{kind.column: format(changes[kind], "f") if kind in changes else "" for kind in Change},
            "live": differs.live.decision.value,
            "candidate": differs.candidate.decision.value,
            "live_rule": differs.live.rule,
            "candidate_rule": differs.candidate.rule,
            "live_why": differs.live.why,
            "candidate_why": differs.candidate.why,
            "since": row.since.astimezone(UTC).isoformat(),
            "until": row.until.astimezone(UTC).isoformat() if row.until else "",
        }
