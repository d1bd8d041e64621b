"""What a run that archives reports: how many returns and rows, and how large the ledger is before and after."""

from dataclasses import dataclass
from typing import Any

from tasks.archive_ledger import LedgerArchiving
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.reporting.report import Mode, RunReport

KIB = 1024


def archive_lines(done: LedgerArchiving) -> list[str]:
    """What moves or has moved, in lines."""
    plan, moved = done.plan, done.moved
    rows = plan.rows if moved is None else moved.rows
    told = ", ".join(f"{many:,} {name}" for name, many in rows.items() if many and name != "returns")
    many = plan.returns if moved is None else moved.returns
    verb = "would move" if moved is None else "moved"
    lines = [
        f"  over since:  {clock_time(done.cut)} or longer",
        f"  {verb}: {counted(many, 'return')} of {plan.of:,}" + (f" ({told})" if told else ""),
        f"  ledger now:  {_size(plan.size)}, {plan.per_return:,.0f} bytes per return",
    ]
    if moved is None:
        after = f"{_size(plan.size - plan.moved)}, {plan.per_return_after:,.0f} bytes per return (estimated)"
        return [*lines, f"  ledger then: {after}", f"  to:          {done.folder}"]
    lines[2] = lines[2].replace("ledger now: ", "ledger was: ")
    lines.append(f"  ledger is:   {_size(done.size)}, {done.per_return:,.0f} bytes per return")
    paid = "; ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(moved.paid.items()))
    lines += [f"  refunded:    {paid} for these returns"] if paid else []
    if moved.names:
        lines.append(f"  archives:    {', '.join(moved.names)} in {done.folder}, {_size(moved.bytes)}")
    return [*lines, *(f"  note:        {note}" for note in notes(done))]


def notes(done: LedgerArchiving) -> list[str]:
    """What is to be known beside the figures."""
    return [*(done.moved.left_behind if done.moved else ()), *([done.not_smaller] if done.not_smaller else ())]


def _size(number: int) -> str:
    return f"{number / KIB:,.0f} KiB" if number < KIB * KIB else f"{number / KIB / KIB:,.1f} MiB"


@dataclass
class ArchiveReport(RunReport):
    """The account of a run of `archive-ledger`."""

    mode: Mode = Mode.PLAN
    done: LedgerArchiving | None = None

    thing = "return"

    @property
    def title(self) -> str:
        """The flow and its mode."""
        return f"{self.flow} ({self.mode})"

    @property
    def acts(self) -> bool:
        """Whether the run may move rows."""
        return self.mode is Mode.ACT

    def take(self, done: LedgerArchiving) -> None:
        """Enter what was moved, or would be."""
        self.done = done
        self.seen = done.plan.returns if done.moved is None else done.moved.returns
        self.notes += notes(done)

    def results(self) -> list[str]:
        """The figures."""
        return [] if self.done is None else archive_lines(self.done)

    def figures(self) -> list[tuple[str, str]]:
        """The figures as names and values, for the run's page."""
        pairs = (line.strip().split(":", 1) for line in self.results() if not line.strip().startswith("note:"))
        return [(name.capitalize(), value.strip()) for name, value in pairs]

    def result(self) -> str:
        """The figures in one line."""
        if self.done is None:
            return self.counted
        plan, moved = self.done.plan, self.done.moved
        after = plan.per_return_after if moved is None else self.done.per_return
        verb = "would move" if moved is None else "moved"
        return (
            f"{verb} {self.counted} of {plan.of:,}; {plan.per_return:,.0f} bytes per return before, {after:,.0f} after"
        )

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return super().as_json() | ({} if self.done is None else {"archive": archive_json(self.done)})


def archive_json(done: LedgerArchiving) -> dict[str, Any]:
    """The figures as JSON: sizes in bytes, amounts as text."""
    plan, moved = done.plan, done.moved
    return {
        "cut": done.cut.isoformat(timespec="seconds"),
        "folder": str(done.folder),
        "returns": plan.returns if moved is None else moved.returns,
        "of": plan.of,
        "rows": dict(plan.rows if moved is None else moved.rows),
        "size_before": plan.size,
        "size_after": plan.size - plan.moved if moved is None else done.size,
        "archives": [] if moved is None else moved.names,
        "refunded": {} if moved is None else {currency: f"{amount:f}" for currency, amount in moved.paid.items()},
    }
