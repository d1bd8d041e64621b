"""The report of a backtest: for a terminal, as JSON, as rows of a CSV file, as HTML, and as a page in Prefect's UI.

No shopper in any of it: a return is named by its id and its order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from tasks.policy.backtest.backtest import Backtest, RuleUse, Totals
from tasks.policy.backtest.differences import Change, Difference, Purse
from tasks.policy.facts import counted
from tasks.reporting.printable import code, markdown, printable
from tasks.reporting.report import RunReport
from tasks.reporting.report_page import linked

MOST_SHOWN = 50
"""Differences that a page or a terminal lists, the largest first; the files have all."""

COLUMNS = (
    "process_id",
    "order",
    "store",
    "currency",
    "goods",
    "current",
    "candidate",
    *(change.column for change in Change),
    "days",
    "current_at",
    "candidate_at",
    "really_paid",
    "really_at",
    "rules",
    "why",
)
"""The columns of the CSV file of differences."""


_CHANGES = MappingProxyType(
    {
        Change.EARLIER: "the candidate pays earlier",
        Change.LATER: "the candidate pays later",
        Change.MORE: "the candidate pays more",
        Change.LESS: "the candidate pays less",
        Change.HELD: "the candidate holds",
        Change.OTHER_WAY: "the candidate pays another way",
    }
)


@dataclass
class BacktestReport(RunReport):
    """The account of a backtest. `candidate` is the file that was tried, `span` the window in words."""

    found: Backtest | None = None
    candidate: str = ""
    span: str = ""

    thing: ClassVar[str] = "return"

    @property
    def page(self) -> str:
        """The result as markdown, for Prefect's UI."""
        return "\n".join(_page(self.found, self)) + "\n" if self.found else ""

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints. Amounts are decimal strings, times ISO 8601."""
        return {**super().as_json(), "candidate": self.candidate, "span": self.span, **_json(self.found)}

    def results(self) -> list[str]:
        """The sums, the rules and the largest differences."""
        return list(_lines(self.found)) if self.found else []

    def result(self) -> str:
        """How much differs, in a few words."""
        if self.found is None:
            return self.counted
        said = [f"{self.counted} replayed, {counted(len(self.found.differences), 'difference')}"]
        for purse, totals in self.found.money.items():
            parts = [f"{purse.shown(amount)} {change}" for change, amount in _changed(totals)]
            said += [", ".join(parts)] if parts else []
        return "; ".join(said)


def heading(purse: Purse) -> str:
    """What stands above the sums of a currency, or of the goods that are worth it."""
    return f"{purse.currency}, goods in exchange" if purse.goods else purse.currency


def _changed(totals: Totals) -> Iterator[tuple[Change, Decimal]]:
    return ((change, totals.changes[change]) for change in Change if totals.changes.get(change))


def sums(purse: Purse, totals: Totals) -> Iterator[tuple[str, str]]:
    """What is said of one currency: what, and the amount."""
    if not purse.goods:
        yield "really done, by the ledger", purse.shown(totals.ledger)
        if totals.by_hand:
            yield "paid by hand, as people said", purse.shown(totals.by_hand)
        yield "refunds that REVER shows", purse.shown(totals.rever)
    yield "the current policy, replayed", purse.shown(totals.current)
    yield "the candidate, replayed", purse.shown(totals.candidate)
    for change, amount in _changed(totals):
        yield _CHANGES[change], purse.shown(amount)


def stood(use: RuleUse) -> str:
    """How a rule stood, in words."""
    if use.never and not use.unknown:
        return "never"
    said = [f"fired {use.fired}", f"decisive {use.decisive}"]
    said += [f"outranked {use.outranked}"] if use.outranked else []
    said += [f"unknown {use.unknown} (needs {', '.join(use.needs)})"] if use.unknown else []
    return ", ".join(said)


def in_words(one: Difference) -> str:
    """What differs for a return, without its name."""
    said = [f"{one.purse.shown(amount)} {change}" for change, amount in one.changes.items()]
    moved = f", by {counted(abs(one.days), 'day')}" if one.days else ""
    by = f" by {', '.join(one.rules)}" if one.rules else ""
    pays = f"current {one.purse.shown(one.current)}, candidate {one.purse.shown(one.candidate)}"
    really = "" if one.purse.goods else f", really {one.purse.shown(one.really)}"
    return f"{' and '.join(said)}{moved}{by}: {pays}{really}{f'. {one.why}' if one.why else ''}"


def difference_rows(found: Backtest) -> list[dict[str, str]]:
    """A row for each difference, the largest first."""
    return [_row(one) for one in found.differences]


def _row(one: Difference) -> dict[str, str]:
    return {
        "process_id": one.process_id,
        "order": one.order,
        "store": one.store,
        "currency": one.purse.currency,
        "goods": "yes" if one.purse.goods else "",
        "current": f"{one.current:f}",
        "candidate": f"{one.candidate:f}",
        **{change.column: _plain(one.changes.get(change)) for change in Change},
        "days": "" if one.days is None else str(one.days),
        "current_at": _time(one.current_at),
        "candidate_at": _time(one.candidate_at),
        "really_paid": "" if one.purse.goods else f"{one.really:f}",
        "really_at": _time(one.really_at),
        "rules": "; ".join(one.rules),
        "why": one.why,
    }


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"


def _time(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")


def _json(found: Backtest | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "until": _time(found.until),
        "money": [
            {
                "currency": purse.currency,
                "goods": purse.goods,
                "ledger": str(totals.ledger),
                "by_hand": str(totals.by_hand),
                "rever": str(totals.rever),
                "current": str(totals.current),
                "candidate": str(totals.candidate),
                **{change.column: str(amount) for change, amount in _changed(totals)},
            }
            for purse, totals in found.money.items()
        ],
        "rules": [
            {
                "rule": use.name,
                "policy": "candidate" if use.candidate else "current",
                "fired": use.fired,
                "decisive": use.decisive,
                "outranked": use.outranked,
                "unknown": use.unknown,
                "needs": dict(use.needs),
            }
            for use in found.rules
        ],
        "differences": difference_rows(found),
        "cannot_be_known": list(found.unknown),
        "left_out": dict(found.left_out),
    }


def rules_by_policy(found: Backtest) -> Mapping[str, list[RuleUse]]:
    """The rules of each policy that has any."""
    both = {
        "the candidate": [use for use in found.rules if use.candidate],
        "the current policy": [use for use in found.rules if not use.candidate],
    }
    return {name: uses for name, uses in both.items() if uses}


def _lines(found: Backtest) -> Iterator[str]:
    for purse, totals in found.money.items():
        yield f"  {heading(purse)}:"
        yield from (f"    {what + ':':32} {amount}" for what, amount in sums(purse, totals))
    for policy, uses in rules_by_policy(found).items():
        yield f"  rules of {policy}, in returns:"
        yield from (f"    {use.name}: {stood(use)}" for use in uses)
    yield f"  {counted(len(found.differences), 'difference')}{':' if found.differences else ''}"
    yield from (f"    {one.order or one.process_id}  {in_words(one)}" for one in found.differences[:MOST_SHOWN])
    if len(found.differences) > MOST_SHOWN:
        yield f"    and {len(found.differences) - MOST_SHOWN} more (--csv or --html has all)"
    yield "  what cannot be known:"
    yield from (f"    {words}" for words in found.unknown)
    yield from (f"  left out: {name}: {why}" for name, why in found.left_out.items())


def _page(found: Backtest, report: BacktestReport) -> Iterator[str]:
    yield "### A candidate policy over past returns\n"
    tried = f"{markdown(report.candidate)} beside the policy in force, {markdown(report.span)}"
    yield f"{tried}. {report.counted} replayed.\n"
    for purse, totals in found.money.items():
        yield f"#### {markdown(heading(purse))}\n"
        yield from ("| | |", "| --- | --- |")
        yield from (f"| {what} | {markdown(amount)} |" for what, amount in sums(purse, totals))
        yield ""
    for policy, uses in rules_by_policy(found).items():
        yield f"#### Rules of {policy}, in returns\n"
        yield from (f"- {code(use.name)}: {markdown(stood(use))}" for use in uses)
        yield ""
    yield f"#### {counted(len(found.differences), 'difference').capitalize()}\n"
    for one in found.differences[:MOST_SHOWN]:
        yield f"- {linked(one.process_id, report.back_office, one.order)}: {markdown(in_words(one))}"
    if len(found.differences) > MOST_SHOWN:
        yield f"- and {len(found.differences) - MOST_SHOWN} more; files that `csv` and `html` name have all"
    yield "\n#### What cannot be known\n"
    yield from (f"- {markdown(words)}" for words in found.unknown)
    if found.left_out:
        yield "\n#### Left out\n"
        yield from (f"- {markdown(name)}: {markdown(why)}" for name, why in list(found.left_out.items())[:MOST_SHOWN])


@cache
def _template() -> Template:
    loader = PackageLoader("tasks.reporting", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_clean).get_template(
        "backtest.html"
    )


def _clean(value: object) -> object:
    """A text without what would turn the direction of writing; whatever it is, HTML in it is escaped."""
    return printable(value) if type(value) is str else value


def backtest_html(found: Backtest, report: BacktestReport) -> str:
    """The backtest as one HTML file that stands by itself: no script, nothing asked for from anywhere."""
    return _template().render(
        candidate=report.candidate,
        span=report.span,
        counted=report.counted,
        money=[(heading(purse), list(sums(purse, totals))) for purse, totals in found.money.items()],
        rules=list(rules_by_policy(found).items()),
        differences=[_html_row(one) for one in found.differences],
        unknown=found.unknown,
        left_out=list(found.left_out.items()),
    )


def _html_row(one: Difference) -> dict[str, str]:
    return {
        "order": one.order,
        "process_id": one.process_id,
        "store": one.store,
        "what": ", ".join(f"{one.purse.shown(amount)} {change}" for change, amount in one.changes.items()),
        "days": "" if one.days is None else str(one.days),
        "rules": ", ".join(one.rules),
        "current": one.purse.shown(one.current),
        "candidate": one.purse.shown(one.candidate),
        "really": "" if one.purse.goods else one.purse.shown(one.really),
        "why": one.why,
    }
