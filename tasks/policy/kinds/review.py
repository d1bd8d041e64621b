"""A review: the inspection of units in one addReview. Where REVER pays by itself, it is the order to pay."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rever_api.models import ProcessStatus, ReturnProcess, Review, ReviewStatus
from tasks.policy.case import Case
from tasks.policy.decision import Decision, RefundDue
from tasks.policy.facts import quoted
from tasks.policy.kinds.asked import AskedKind
from tasks.policy.kinds.kind import Held, Seen, UnitKey
from tasks.policy.money import ZERO
from tasks.policy.record import LABEL_KINDS, Intent, IntentKind, LineUnits
from tasks.policy.rules import gates
from tasks.policy.store import RefundsBy


@dataclass(frozen=True, slots=True)
class UnitReview:
    """The inspection of one unit: the `unit`-th of its line to be inspected, 1..quantity.

    `reject_reason` is REVER's to show; it is required for DECLINED, and must name no shopper. `source` tells the row of
    a file that says so from others (`tasks.files.inspections`), and `file` is the file's digest.
    """

    line_id: str
    unit: int
    status: ReviewStatus
    reject_reason: str = ""
    source: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class KnownReview:
    """A unit that the ledger has reviewed, or is about to. `closed`: by a person, so that REVER may not show it."""

    review: UnitReview
    closed: bool = False


Reviews = tuple[UnitReview, ...]
"""One review call."""

_Shown = Counter[tuple[str, str]]
"""(line id, status) -> how many."""

_GROUND = (gates.contradictory, gates.not_told, gates.other_currency, gates.unknown_review)
"""The rules without which no amount can be worked out."""

_PAID_BEFORE = (gates.stale_view, gates.fewer_approvals)
"""The rules of a read that lacks what was paid by the ledger: where REVER pays, an approval would pay it again."""


class ReviewKind(AskedKind[Reviews]):
    """The n-th unit of a line is inspected once. REVER shows reviews line by line, without saying of which unit."""

    name = IntentKind.REVIEW
    noun = "review"
    beside = LABEL_KINDS

    def key(self, intent: Intent) -> list[UnitKey]:
        """Each unit that is inspected, in a space of its own: it is refunded or exchanged besides."""
        return [(self.name.value, item.line_id, n) for item in intent.items for n in item.units]

    def items(self, wanted: Reviews) -> tuple[LineUnits, ...]:
        """The units that are inspected."""
        lines = dict.fromkeys(it.line_id for it in wanted)
        return tuple(LineUnits(line, tuple(it.unit for it in wanted if it.line_id == line)) for line in lines)

    def stored(self, content: Reviews) -> dict[str, Any]:
        """Return the reviews as JSON."""
        return {
            "reviews": [[it.line_id, it.unit, str(it.status), it.reject_reason, it.source, it.file] for it in content]
        }

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> Reviews:
        """Return the reviews of `stored`."""
        return reviews_of(details)

    def held(self, case: Case, wanted: Reviews) -> Decision | None:
        """Without ground for an amount nothing is approved, as nothing is paid.

        Where REVER pays, an approval is held as its payment would be: also that of a return that was archived.
        """
        rules = _GROUND if case.rules.refunds_by is RefundsBy.US else (*_GROUND, *_PAID_BEFORE)
        found = (
            *(rule(case) for rule in rules),
            gates.archived(_reviewed(case, wanted)) if self.stake(case, wanted) else None,
        )
        return next((decision for decision in found if decision is not None), None)

    def not_due(self, case: Case, wanted: Reviews) -> str:
        """The return must run, and just the units that come next be asked for: what is inspected by then is not."""
        process = case.process
        if process.rever_process_status != ProcessStatus.RUNNING:
            return f"the return is {quoted(str(process.rever_process_status))} at REVER"
        if not wanted:
            return "it names no unit"
        inspected, quantities = Counter(it.line_item_id for it in process.reviews or ()), _quantities(process)
        for item in self.items(wanted):
            first, name = inspected[item.line_id] + 1, f"line {quoted(item.line_id)}"
            if item.line_id not in quantities:
                return f"the return has no {name}"
            if sorted(item.units) != list(range(first, first + item.quantity)):
                return f"REVER shows {first - 1} units of {name} as inspected"
            if first + item.quantity - 1 > quantities[item.line_id]:
                return f"{name} has {quantities[item.line_id]} units"
        return ""

    def stake(self, case: Case, wanted: Reviews) -> RefundDue | None:
        """What REVER pays more once these units are approved; nothing where this desk pays, by refunds of its own.

        Where nobody has said who pays, REVER may.
        """
        if case.rules.refunds_by is RefundsBy.US:
            return None
        amount = _reviewed(case, wanted).due.amount - case.due.amount
        if amount <= ZERO:
            return None
        approved = self.items(tuple(it for it in wanted if it.status is ReviewStatus.APPROVED))
        return RefundDue("", amount, amount, case.currency, approved)

    def snapshot(self, intent: Intent, content: Reviews, process: ReturnProcess) -> dict[str, Any]:
        """Count the reviews by line and status, and those that are sent."""
        sent = Counter((it.line_id, str(it.status)) for it in content)
        return {"reviews": _listed(_shown(process)), "sent": _listed(sent)}

    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """Just those reviews more than before that were sent."""
        if process.reviews is None:
            return "REVER's answer does not tell the reviews"
        known, sent, shown = _counted(before, "reviews"), _counted(before, "sent"), _shown(process)
        new, gone = shown - known, known - shown
        evidence = {"reviews": str(shown.total()), "known before": str(known.total())}
        if gone:
            return "REVER does not show reviews that it showed before"
        if new == sent:
            return Seen(evidence)
        if new:
            return Held("REVER shows other new reviews than those that were sent, or beside them", evidence)
        return "REVER does not show the review that was sent"


def _reviewed(case: Case, wanted: Reviews) -> Case:
    """The return once these units are inspected."""
    more = tuple(Review(line_item_id=it.line_id, status=it.status) for it in wanted)
    process = case.process.model_copy(update={"reviews": (*(case.process.reviews or ()), *more)})
    return replace(case, process=process)


def reviews_of(details: Mapping[str, Any]) -> Reviews:
    """The reviews of an intent's details. Those of before rows were told apart have no source."""
    return tuple(
        UnitReview(line, unit, ReviewStatus(status), *said) for line, unit, status, *said in details["reviews"]
    )


def _quantities(process: ReturnProcess) -> dict[str, int]:
    return {line.id: line.quantity for line in process.return_line_items}


def _shown(process: ReturnProcess) -> _Shown:
    return Counter((it.line_item_id, str(it.status)) for it in process.reviews or ())


def _listed(found: _Shown) -> list[list[Any]]:
    return [[line, status, many] for (line, status), many in sorted(found.items())]


def _counted(before: Mapping[str, Any], name: str) -> _Shown:
    return Counter({(line, status): many for line, status, many in before.get(name, ())})


REVIEW = ReviewKind()
