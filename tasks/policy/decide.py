"""The one decision for a return: money first, then its label. And what ends a hold without a person."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from rever_api.models import ProcessStatus, ReturnProcess
from tasks.policy.case import Case
from tasks.policy.comparison import READS_DIFFER
from tasks.policy.decision import Adopt, Decision, Hold, MakeLabel, Nothing, Wait, left_to_another_run
from tasks.policy.record import INSPECTION_CONTRADICTS, HoldKind, OpenHold, Record
from tasks.policy.rules import at_rever, cancel, gates, payment
from tasks.policy.rules.label import TAKEN_AS_SHOWN
from tasks.policy.rules.payment import WAITS, same_at_rever
from tasks.policy.rules.reissue import label_or_reissue
from tasks.policy.store import StoreRules

Rule = Callable[[Case], Decision | None]

RULES: tuple[Rule, ...] = (
    gates.held_already,
    gates.outcome_open,
    gates.contradictory,
    gates.not_told,
    at_rever.came_back,
    at_rever.still_on_its_way,
    gates.stale_view,
    gates.called_off,
    gates.status,
    payment.ended,
    gates.unknown_timing,
    gates.fewer_approvals,
    gates.terms_changed,
    gates.total_above_parts,
    gates.other_currency,
    gates.unknown_review,
    gates.unknown_method,
    at_rever.foreign_refund,
    at_rever.foreign_exchange,
    gates.told_no,
    at_rever.expected_of_rever,
    payment.completed_unpaid,
    gates.after_restore,
    gates.archived,
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
    at_rever.on_its_way,
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
    answer = next(answer for rule in RULES if (answer := rule(case)) is not None)
    return case.closing(answer) if isinstance(answer, Hold) else answer


# What ends each hold without a person, rule by rule; and which open holds of a return are at their end.
#
# A hold closes itself only where that sends nothing: what a person was asked about is never paid without them, for
# they may be paying it by hand at that very moment.


class Ending(StrEnum):
    """What closes a hold that nobody has answered."""

    NOTHING_DUE = "nothing is due any more"
    """The rules, asked as if it were not there, send nothing: the return has ended or is settled, its approvals were
    withdrawn, or REVER itself has paid just what was due. Nothing may be at REVER that nobody has seen."""
    NO_LABEL_NEEDED = "the label is there, or none is needed"
    """The label is there, the goods are on their way or inspected, or the return has ended."""
    READS_AGREE = "a search and a read by id of one later run agree"
    """Then what is due is paid. While the return runs one read alone ends it not, though it ask for nothing: it may be
    the wrong one. Once the return has ended, it ends as NOTHING_DUE."""
    SEEN_AT_REVER = "REVER shows the effect, or says so late"
    """Settling finds the effect done; `tasks.ledger.settle` and `outcomes` close the hold."""
    READABLE = "the return can be read again"
    """A read by id brings it: what follows is worked out anew, as for a return that was never held."""
    FILE_AGREES = "the file and REVER say the same"
    """REVER shows as many units of each outcome as the file says; or a later file says what REVER shows, which the
    import itself sees (`tasks.add_reviews`). Then what is due is paid."""
    PERSON = "only a person's answer"
    """What happened stays so, whatever REVER shows."""


ENDINGS: Mapping[str, Ending] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "came_back",
                "completed_unpaid",
                "after_restore",
                "archived",
                "cancel_not_shown",
                "cancel_refused",
                "approval",
                "contradictory",
                "differs_from_rever",
                "fewer_approvals",
                "foreign_exchange",
                "foreign_refund",
                "guard:max_per_day",
                "guard:max_refund",
                "guard:max_refunds_per_shopper",
                "guard:shopper_unknown",
                "incomplete_read",
                "exchange_difference",
                "no_variant",
                "method_forbidden",
                "needs_facts",
                "not_paid_by_rever",
                "not_received",
                "other_currency",
                "out_of_stock",
                "refused_by_rever",
                "rever_shows_less",
                "still_on_its_way",
                "second_exchange",
                "shipping_left",
                "terms_changed",
                "total_above_parts",
                "unknown_method",
                "unknown_review_status",
                "unknown_status",
                "unknown_timing",
            ),
            Ending.NOTHING_DUE,
        ),
        **dict.fromkeys(
            (
                "both_labels_used",
                "label_after_restore",
                "label_error",
                "label_not_shown",
                "label_refused",
                "labels_by_others",
                "no_address",
                "no_carrier",
                "no_country",
                "too_many_parcels",
                "unknown_return_method",
            ),
            Ending.NO_LABEL_NEEDED,
        ),
        READS_DIFFER: Ending.READS_AGREE,
        INSPECTION_CONTRADICTS: Ending.FILE_AGREES,
        "unknown_outcome": Ending.SEEN_AT_REVER,
        "unreadable": Ending.READABLE,
        "read_denied": Ending.READABLE,
        "late_answer": Ending.PERSON,
        "reversed": Ending.PERSON,
    }
)
"""Every rule that can hold -> what ends its hold without a person. A hold of the label that is not about an outcome
ends like NO_LABEL_NEEDED whatever its rule (`incomplete_read` can be both). docs/holds.md has the same table."""


def ended_holds(
    process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, *, agreed: bool = False
) -> dict[str, str]:
    """The open holds whose subject is gone by this read, hold id -> why. Pure; empty for most returns at once.

    `agreed`: a search and a read by id of this run agree, which ends a hold because those of an earlier run did not.
    """
    if not record.holds:
        return {}
    disputed = [hold for hold in record.holds if hold.rule == READS_DIFFER and agreed]
    ended = {hold.id: "a search and a read of the return by its id agree" for hold in disputed}
    ended |= {
        hold.id: "REVER shows of these units what the file says"
        for hold in record.holds
        if ENDINGS.get(hold.rule) is Ending.FILE_AGREES and _as_said(process, hold)
    }
    for label in (False, True):
        asked = [hold for hold in record.holds if hold.label is label and _by_rules(hold)]
        rest = tuple(hold for hold in record.holds if hold.label is not label or not _by_rules(hold))
        if not asked:
            continue
        case = Case(process, rules, replace(record, holds=rest), now)
        decision = label_or_reissue(process, rules, case.record, now) if label else decide_money(case)
        gone = _label_gone(decision) if label else _money_gone(case, decision)
        ended |= {
            hold.id: f"nothing is left to answer: {decision.why}"
            for hold in asked
            if gone and _ends(process, hold, decision)
        }
    return ended


def hold_of_money_ends(hold: OpenHold, case: Case) -> bool:
    """Whether nothing is left to answer of an open hold of money, by the rules as if it were not there: `case` is the
    return without it.
    """
    if not _by_rules(hold):
        return False
    decision = decide_money(case)
    return _money_gone(case, decision) and _ends(case.process, hold, decision)


def _by_rules(hold: OpenHold) -> bool:
    """Whether the rules can judge this hold anew: not one about an effect's outcome."""
    ending = Ending.NO_LABEL_NEEDED if hold.label and not hold.intent_id else ENDINGS.get(hold.rule, Ending.PERSON)
    return not hold.intent_id and ending in {Ending.NOTHING_DUE, Ending.NO_LABEL_NEEDED, Ending.READS_AGREE}


def _as_said(process: ReturnProcess, hold: OpenHold) -> bool:
    """Whether REVER shows as many units of each outcome as the file says of these lines."""
    shown = Counter((it.line_item_id, str(it.status)) for it in process.reviews or ())
    return bool(hold.says) and all(
        shown[line, status] >= many for line, each in hold.says.items() for status, many in each.items()
    )


def _money_gone(case: Case, decision: Decision) -> bool:
    """Whether nothing would be sent: at its end and seen by REVER alike, waiting for approvals, or paid by REVER."""
    if isinstance(decision, Nothing):
        return same_at_rever(case)
    return isinstance(decision, Adopt) or (isinstance(decision, Wait) and decision.rule in WAITS)


def _label_gone(decision: Decision) -> bool:
    """Whether no label would be asked for: none is needed, it is there, or REVER is making it."""
    return isinstance(decision, Nothing) or (isinstance(decision, Wait) and decision.rule == "label_pending")


def _ends(process: ReturnProcess, hold: OpenHold, decision: Decision) -> bool:
    """Whether this decision, by which nothing would be sent, ends the hold: not by a view from before it or beside."""
    return not (isinstance(decision, Wait) and _older(process, hold)) and not _still_disputed(process, hold)


def _still_disputed(process: ReturnProcess, hold: OpenHold) -> bool:
    """Whether this read may be the wrong one of two: that it asks for nothing says nothing, while the return runs."""
    return hold.rule == READS_DIFFER and process.rever_process_status == ProcessStatus.RUNNING


def _older(process: ReturnProcess, hold: OpenHold) -> bool:
    """Whether this may be a view from before the hold: what it does not show may be there all the same."""
    return process.updated_at is not None and process.updated_at < hold.since


# The hold of a return that cannot be read: nothing is known of it but its id, so nothing may be done for it.


UNREADABLE = "unreadable"
"""The rule of a return in which a field that money hangs on cannot be read."""

READ_DENIED = "read_denied"
"""The rule of a return that REVER's list shows, and of which its read by id says that there is none."""

UNREAD_RULES = frozenset({UNREADABLE, READ_DENIED})
"""The rules whose holds end once the return can be read by its id."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a return could not be read: `found` names fields and what was found in them, "" where REVER has no such."""

    found: str = ""


def unread_hold(unread: Unread) -> Hold:
    """Hold a return that cannot be read."""
    if unread.found:
        why = f"REVER's answer about this return cannot be read: {unread.found}"
        return Hold(UNREADABLE, why, HoldKind.UNREADABLE, {"found": unread.found})
    why = "REVER's list shows this return, but does not find it by this id"
    return Hold(READ_DENIED, why, HoldKind.UNREADABLE, {"found": "nothing"})
