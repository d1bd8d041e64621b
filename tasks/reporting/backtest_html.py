"""A backtest as one HTML file that stands by itself: no script, nothing asked for from anywhere, no shopper in it."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from tasks.policy.backtest.backtest import Backtest
from tasks.policy.backtest.differences import Difference
from tasks.reporting.backtest_report import BacktestReport, heading, rules_by_policy, sums
from tasks.reporting.printable import printable


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
    """The page."""
    return _template().render(
        candidate=report.candidate,
        span=report.span,
        counted=report.counted,
        money=[(heading(purse), list(sums(purse, totals))) for purse, totals in found.money.items()],
        rules=list(rules_by_policy(found).items()),
        differences=[_row(one) for one in found.differences],
        unknown=found.unknown,
        left_out=list(found.left_out.items()),
    )


def _row(one: Difference) -> dict[str, str]:
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
