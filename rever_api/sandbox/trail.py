"""One return's effects, followed in order: each is judged by the process as it was when it was carried out."""

from collections import Counter

from rever_api.models import ProcessStatus, ReturnLineItem, ReturnProcess, ShippingStatus
from rever_api.sandbox.arithmetic import approved_units, costs, is_exchange, line_value, minor, refund_gross
from rever_api.sandbox.books import Actor, Effect
from rever_api.sandbox.verdict import Violation

_LABELS = {"createOrderV2", "createReverseDelivery"}
_DEAD = {ShippingStatus.CANCELED, ShippingStatus.ERROR}


class Trail:
    """Counts what went out for one return, and notes every broken promise.

    An effect of somebody else is counted, not judged; unless REVER pays by itself after the API has paid.
    """

    def __init__(self, timing: str) -> None:
        self.violations: list[Violation] = []
        self._timing = timing
        self._refunded: Counter[str] = Counter()
        self._exchanged: Counter[str] = Counter()
        self._paid_by_type: Counter[str] = Counter()
        self._orders = 0
        self._api_paid = False

    def follow(self, effect: Effect) -> None:
        """Judge the effect, then count it."""
        judged = effect.by is Actor.API or (effect.by is Actor.REVER and self._api_paid)
        if judged and effect.before is not None:
            self._judge(effect, effect.before)
        if effect.operation == "issueRefund":
            self._refunded += _units(effect)
            self._paid_by_type[effect.type] += _minor(effect)
            self._api_paid = self._api_paid or effect.by is Actor.API
        if effect.operation == "issueExchange":
            self._exchanged += _units(effect)
            self._orders += 1
            self._api_paid = self._api_paid or effect.by is Actor.API

    def _judge(self, effect: Effect, before: ReturnProcess) -> None:
        if effect.operation == "issueRefund":
            self._judge_status(effect)
            self._judge_refund(effect, before)
        elif effect.operation == "issueExchange":
            self._judge_status(effect)
            self._judge_exchange(effect, before)
        elif effect.operation == "addReview":
            self._judge_review(effect, before)
        elif effect.operation in _LABELS and any(p.status not in _DEAD for p in before.logistics or ()):
            self._note(2, "second_label", effect, "there was a live label already")

    def _judge_status(self, effect: Effect) -> None:
        if effect.status_before != ProcessStatus.RUNNING:
            kind = f"paid_while_{effect.status_before.lower()}"
            self._note(3, kind, effect, f"the process was {effect.status_before}")

    def _judge_refund(self, effect: Effect, before: ReturnProcess) -> None:
        self._judge_units(effect, before, self._refunded, self._exchanged, "double_refund")
        lines = _by_id(before)
        worth = 0
        for line_id, units in _units(effect).items():
            line = lines[line_id]
            worth += _most(line, units)
            if line.currency != effect.currency:
                self._note(1, "wrong_currency", effect, f"{effect.currency} for a line in {line.currency}")
            if not is_exchange(line) and line.compensation_method != effect.type:
                self._note(1, "wrong_method", effect, f"{effect.type} for a line of {line.compensation_method}")
        if _minor(effect) > worth:
            self._note(1, "over_paid", effect, "more than the units in it are worth")
        self._judge_sums(effect, before)

    def _judge_sums(self, effect: Effect, before: ReturnProcess) -> None:
        """Compare all that was paid, this refund in it, with what is approved: per method, and in all less costs."""
        units = self._refunded + _units(effect)
        instead = sum(
            line_value(line, min(units[line.id], line.quantity))
            for line in before.return_line_items
            if is_exchange(line)
        )
        paid = sum(self._paid_by_type.values()) + _minor(effect)
        if paid > max(0, refund_gross(before, self._timing) + instead - costs(before)):
            self._note(1, "over_paid", effect, "more than the return's approved value less costs")
        of_method = sum(
            line_value(line, approved_units(before, line, self._timing))
            for line in before.return_line_items
            if line.compensation_method == effect.type
        )
        if self._paid_by_type[effect.type] + _minor(effect) > of_method + instead:
            self._note(1, "over_paid", effect, f"more than the approved value of the lines of {effect.type}")

    def _judge_exchange(self, effect: Effect, before: ReturnProcess) -> None:
        noted = len(self.violations)
        self._judge_units(effect, before, self._exchanged, self._refunded, "double_exchange")
        if self._orders and len(self.violations) == noted:
            self._note(2, "double_exchange", effect, "there was an exchange order already")

    def _judge_units(
        self, effect: Effect, before: ReturnProcess, same: Counter[str], other: Counter[str], twice: str
    ) -> None:
        """Compare units: of this kind so far, of the other kind so far, and in this effect, with the approved ones."""
        lines = _by_id(before)
        for line_id, new in _units(effect).items():
            approved = approved_units(before, lines[line_id], self._timing)
            done, elsewhere = same[line_id], other[line_id]
            if done and done + new > approved:
                self._note(2, twice, effect, f"{done} units done and {new} more, {approved} approved")
            elif new > approved:
                self._note(1, "not_approved", effect, f"{new} units, {approved} approved")
            elif done + new + elsewhere > approved:
                self._note(4, "refunded_and_exchanged", effect, f"{elsewhere} units had the other already")

    def _judge_review(self, effect: Effect, before: ReturnProcess) -> None:
        for line_id, units in _units(effect).items():
            there = sum(review.line_item_id == line_id for review in before.reviews or ())
            if there + units > _by_id(before)[line_id].quantity:
                self._note(2, "double_review", effect, "more reviews than units")

    def _note(self, invariant: int, kind: str, effect: Effect, why: str) -> None:
        self.violations.append(Violation(invariant, kind, effect.process_id, effect.number, why))


def _by_id(process: ReturnProcess) -> dict[str, ReturnLineItem]:
    return {line.id: line for line in process.return_line_items}


def _units(effect: Effect) -> Counter[str]:
    units: Counter[str] = Counter()
    for item in effect.items:
        units[item.line_item_id] += item.quantity
    return units


def _minor(effect: Effect) -> int:
    return 0 if effect.amount is None else minor(effect.amount, effect.currency)


def _most(line: ReturnLineItem, units: int) -> int:
    """Return the most that so many of the line's units can be worth: which ones they are, the books do not say."""
    starts = range(max(1, line.quantity - units + 1))
    return max(line_value(line, start + units) - line_value(line, start) for start in starts)
