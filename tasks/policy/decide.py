"""The one decision for a return: money first, then its label."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from rever_api.models import ReturnProcess
from tasks.policy.case import Case
from tasks.policy.decision import Decision, Hold, MakeLabel, Nothing, Wait, left_to_another_run
from tasks.policy.facts import incomplete
from tasks.policy.record import Record
from tasks.policy.rules import archived, cancel, foreign, gates, on_its_way, payment, restored
from tasks.policy.rules.label import TAKEN_AS_SHOWN, decide_label
from tasks.policy.rules.reissue import label_or_reissue
from tasks.policy.store import StoreRules

__all__ = ["RULES", "decide", "decide_label", "incomplete", "label_or_reissue"]

Rule = Callable[[Case], Decision | None]

RULES: tuple[Rule, ...] = (
    gates.held_already,
    gates.outcome_open,
    gates.contradictory,
    gates.not_told,
    on_its_way.came_back,
    on_its_way.still_on_its_way,
    gates.stale_view,
    cancel.called_off,
    gates.status,
    payment.ended,
    gates.unknown_timing,
    gates.fewer_approvals,
    gates.terms_changed,
    gates.total_above_parts,
    gates.other_currency,
    gates.unknown_review,
    gates.unknown_method,
    foreign.foreign_refund,
    foreign.foreign_exchange,
    gates.told_no,
    foreign.expected_of_rever,
    payment.completed_unpaid,
    restored.after_restore,
    archived.archived,
    payment.needs_facts,
    payment.method_forbidden,
    payment.approval,
    payment.not_received,
    payment.refused,
    payment.no_variant,
    payment.exchange_difference,
    payment.compensate,
    payment.shipping_left,
    cancel.by_rule,
    on_its_way.on_its_way,
    payment.completed,
    payment.all_settled,
    payment.waits,
)
"""The rules of money in order: the first that answers decides. The last one always does."""


def decide(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
    """Decide what is to be done about a return now. Pure, deterministic, total: it never raises.

    Money comes first. Where money waits, or is at its end without being final, the label is decided: one that is due
    is made, one that cannot be made is held, and the money's answer stands otherwise.
    """
    money = decide_money(Case(process, rules, record, now))
    if not isinstance(money, Wait) and not (isinstance(money, Nothing) and not money.final):
        return money
    label = label_or_reissue(process, rules, record, now)
    if isinstance(label, MakeLabel):
        return label
    if isinstance(label, Hold) and label.rule != "incomplete_read" and money.rule in payment.WAITS:
        return label
    if isinstance(label, Hold) and label.rule in TAKEN_AS_SHOWN:
        return label
    if isinstance(money, Wait) and left_to_another_run(label):
        return replace(money, for_another_run=True)
    return money


def decide_money(case: Case) -> Decision:
    """Decide about money alone: the answer of the first rule that has one."""
    return next(answer for rule in RULES if (answer := rule(case)) is not None)
