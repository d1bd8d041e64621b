"""Count decisions, outcomes and settlements into a run's report."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from sys import intern

from tasks.decide_returns import DecidedReturn
from tasks.effects.carry_out import ReturnResult
from tasks.effects.perform import Outcome, Result
from tasks.policy.comparison import Seen
from tasks.policy.decision import (
    Adopt,
    AskedEffect,
    Compensate,
    Decision,
    Hold,
    MakeLabel,
    Nothing,
    Wait,
    decision_name,
    left_to_another_run,
)
from tasks.policy.facts import counted
from tasks.policy.kinds import KINDS
from tasks.policy.record import Intent, IntentKind, PaidSeen
from tasks.reconcile import Compared
from tasks.reporting.report import ReturnsReport, Row
from tasks.settle_outcomes import Settled, Settlement


def count_decisions(report: ReturnsReport, decided: Iterable[DecidedReturn]) -> None:
    """Enter the first decision about each return in this run."""
    for item in decided:
        report.see(item.pending.store, 1)
        name = decision_name(item.decision)
        report.decisions[name] += 1
        if not isinstance(item.decision, Nothing | Wait):
            report.at(item.pending.store).decided[name] += 1
        amount, currency = _money(item.decision)
        amount = amount if item.pays is None else item.pays
        process = item.pending.process
        # A run may have a row for each of many thousand returns, which say the same of one another.
        store, why = intern(item.pending.store), intern(item.decision.why)
        before = report.rows.get(item.process_id)  # what was sent earlier may have been settled already
        report.rows[item.process_id] = Row(
            item.process_id,
            process.order_name,
            store,
            name,
            why,
            amount,
            intern(currency),
            outcome=before.outcome if before else "",
            done=report.acts and (isinstance(item.decision, Adopt) or (before is not None and before.done)),
            left=report.acts and _left(item.decision),
        )
        due = item.by_rules or item.decision
        if isinstance(due, Compensate):
            for refund in due.refunds:
                report.owe(store, refund.currency, refund.amount)
        if isinstance(item.decision, MakeLabel) and not report.acts:
            _count_label(report, store, f"{item.decision.provider}/{item.decision.carrier}")
        _count_hold(report, item)


def forget_waits(report: ReturnsReport, decided: Iterable[DecidedReturn]) -> None:
    """Take back that these returns wait, before what was decided about them anew is entered."""
    for item in decided:
        if (row := report.rows.get(item.process_id)) is not None:
            report.see(row.store, -1)
            report.decisions[row.decision] -= 1
    report.decisions += Counter()  # none is told that is not there any more


def count_carried(report: ReturnsReport, carried: Iterable[ReturnResult]) -> None:
    """Enter what was carried out, and what was decided on the way."""
    for item in carried:
        for outcome in item.outcomes:
            count_outcome(report, outcome)
        for decided in item.decisions:
            _count_hold(report, decided)
        if item.failure:
            report.fail(item.pending.store, [item.failure])
        if row := report.rows.get(item.pending.process_id):
            unknown = any(outcome.result is Result.UNKNOWN for outcome in item.outcomes)
            report.rows[row.process_id] = replace(row, left=unknown or not item.took_on)


def count_outcome(report: ReturnsReport, outcome: Outcome) -> None:
    """Enter one effect. Only refunds are money; an exchange is goods."""
    intent, store = outcome.claim.intent, outcome.claim.store
    report.count(store, str(outcome.result))
    if outcome.result is Result.DONE and KINDS[intent.kind].pays:
        _pay(report, store, intent, outcome.paid)
    if outcome.result is Result.DONE and intent.kind is IntentKind.LABEL:
        _count_label(report, store, intent.carrier)
    done = outcome.result in {Result.DONE, Result.COUNTED}
    _say(report, outcome.claim.process_id, store, intent, _words(outcome), done=done)


def count_settled(report: ReturnsReport, settled: Iterable[Settled]) -> None:
    """Enter what settling found of effects that were sent earlier, in this run or before it."""
    for item in settled:
        intent, store = item.intent.intent, item.intent.store
        if item.settlement is Settlement.DONE:
            report.count(store, "done")
            words = f"{_what(intent)}: found done at REVER"
            _say(report, item.intent.process_id, store, intent, words, done=True)
            if KINDS[intent.kind].pays:
                _pay(report, store, intent, item.paid)
            if intent.kind is IntentKind.LABEL:
                _count_label(report, store, intent.carrier)
        elif item.settlement is Settlement.HELD:
            report.count(store, "held")


def count_compared(report: ReturnsReport, compared: Mapping[str, Compared]) -> None:
    """Enter a comparison with REVER, store by store: the decisions, the totals of both sides per currency, and what
    differs.
    """
    for store, found in compared.items():
        report.fail(store, found.failures)
        count_decisions(report, found.decided.values())
        report.at(store).due.clear()
        report.at(store).decided.clear()
        report.at(store).seen = len(found.beside)
    report.due.clear()
    report.seen = sum(len(found.beside) for found in compared.values())
    rows = [row for found in compared.values() for rows in found.beside.values() for row in rows]
    differing = {process_id: how for found in compared.values() for process_id, how in found.differing.items()}
    for currency in sorted({row.currency for row in rows if row.ours or row.theirs}):
        ours = sum((row.ours for row in rows if row.currency == currency), Decimal(0))
        theirs = sum((row.theirs for row in rows if row.currency == currency), Decimal(0))
        on_its_way = sum((row.on_its_way for row in rows if row.currency == currency), Decimal(0))
        rest = f"; of REVER's {theirs - on_its_way:,} paid, {on_its_way:,} on its way" if on_its_way else ""
        report.notes.append(f"{currency}: our ledger {ours:,}, REVER {theirs:,}, difference {theirs - ours:,}{rest}")
    kinds = Counter(str(row.seen) for row in rows)
    report.notes.append(", ".join(f"{kinds[str(seen)]} {seen}" for seen in Seen if kinds[str(seen)]) or "no return")
    report.notes.append(f"{counted(len(differing), 'return')} {'differs' if len(differing) == 1 else 'differ'}")
    report.notes += [f"{process_id}: {how}" for process_id, how in differing.items()]


def forget_unknown(report: ReturnsReport, settled: Iterable[Settled], own: set[str]) -> None:
    """Take back from the count of unknown outcomes those of this run (`own` intent ids) that are settled by now."""
    for item in settled:
        if item.settlement in {Settlement.DONE, Settlement.COUNTED} and item.intent.intent.id in own:
            report.count(item.intent.store, "unknown", -1)


def _count_hold(report: ReturnsReport, item: DecidedReturn) -> None:
    hold = item.decided.hold
    if hold is not None and item.decided.new_hold:
        report.count(item.pending.store, "held")
    row = report.rows.get(item.process_id)
    if row and hold is not None:
        outcome = f"{row.outcome}; held" if row.outcome else "held"
        report.rows[row.process_id] = replace(row, outcome=outcome, hold_open=True)


def _pay(report: ReturnsReport, store: str, intent: Intent, seen: PaidSeen | None) -> None:
    """Count a done refund: what REVER says is paid of it, and the rest that is on its way."""
    paid = intent.amount if seen is None else seen.paid
    report.pay(store, intent.currency, paid)
    if paid != intent.amount:
        report.send_on(store, intent.currency, intent.amount - paid)


def _count_label(report: ReturnsReport, store: str, carrier: str) -> None:
    report.labels.setdefault(store, Counter())[carrier] += 1


def _money(decision: Decision) -> tuple[Decimal | None, str]:
    match decision:
        case Compensate(refunds=refunds) | Adopt(refunds=refunds) if refunds:
            return sum((refund.amount for refund in refunds), Decimal(0)), refunds[0].currency
        case Hold(amount=amount, currency=currency):
            return amount, currency
        case _:
            return None, ""


def _left(decision: Decision) -> bool:
    """Whether an effect is due that is still to be done: by this run, or where it may not, by another."""
    return isinstance(decision, Compensate | MakeLabel | AskedEffect) or left_to_another_run(decision)


def _say(report: ReturnsReport, process_id: str, store: str, intent: Intent, words: str, *, done: bool) -> None:
    """Add what came of one effect to the row of its return.

    It is made where there is none: the effect is of an earlier run, and the return may have ended since.
    """
    row = report.rows.get(process_id)
    if row is None:
        amount, currency = (intent.amount, intent.currency) if KINDS[intent.kind].pays else (None, "")
        row = Row(process_id, "", intern(store), intent.kind.value.replace("_", " "), "", amount, intern(currency))
    outcome = intern(f"{row.outcome}; {words}" if row.outcome else words)
    report.rows[process_id] = replace(row, outcome=outcome, done=row.done or done, left=row.left and not done)


def _what(intent: Intent) -> str:
    money = f" {intent.amount:,} {intent.currency} by {intent.method}" if intent.method else ""
    return f"{intent.kind}{money}"


def _words(outcome: Outcome) -> str:
    intent = outcome.claim.intent
    why = outcome.why
    if outcome.paid is not None and outcome.paid.paid != intent.amount:
        why = f"{intent.amount - outcome.paid.paid:,} {intent.currency} on its way"
    return f"{_what(intent)}: {outcome.result}" + (f" ({why})" if why else "")
