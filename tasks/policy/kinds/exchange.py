"""An exchange: all replacement goods of a return in one issueExchange."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rever_api.models import ReturnProcess
from tasks.policy import decide
from tasks.policy.decision import Compensate, Decision, ExchangeDue, ExchangeDueItem
from tasks.policy.facts import exchange_shown
from tasks.policy.kinds.kind import Held, Kind, Seen, UnitKey, count
from tasks.policy.record import (
    LABEL_KINDS,
    Intent,
    IntentKind,
    IntentState,
    LineUnits,
    Record,
    compensation_units,
    units_of,
)
from tasks.policy.store import StoreRules

Goods = tuple[ExchangeDueItem, ...]


class ExchangeKind(Kind[ExchangeDue, Goods]):
    """Goods in place of goods. REVER shows one exchange order for a return."""

    name = IntentKind.EXCHANGE
    noun = "exchange"
    beside = LABEL_KINDS

    def key(self, intent: Intent) -> list[UnitKey]:
        """Each unit that it is for: one is refunded or exchanged, never both."""
        return compensation_units(intent)

    def intent(self, due: ExchangeDue) -> Intent:
        """Return the intent of an exchange that is due."""
        return Intent(
            id="",
            kind=self.name,
            state=IntentState.INTENDED,
            items=tuple(LineUnits(item.line_id, item.units) for item in due.items),
            currency=due.currency,
            gross=due.gross,
        )

    def content(self, due: ExchangeDue) -> Goods:
        """Which variant is wanted for which units."""
        return due.items

    def stored(self, content: Goods) -> dict[str, Any]:
        """Return the goods as JSON."""
        return {
            "exchange": [
                {"line": i.line_id, "variant": i.variant_id, "product": i.product_id, "units": list(i.units)}
                for i in content
            ]
        }

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> Goods:
        """Return the goods of `stored`."""
        return tuple(
            ExchangeDueItem(i["line"], i["variant"], i["product"], tuple(i["units"]))
            for i in details.get("exchange", ())
        )

    def decide(
        self, process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, content: Goods
    ) -> Decision:
        """Decide by the whole rules."""
        return decide.decide(process, rules, record, now)

    def covers(self, decision: Decision, intent: Intent, content: Goods) -> bool:
        """Say whether the exchange due is this one, unit by unit and variant by variant."""
        due = decision.exchange if isinstance(decision, Compensate) else None
        if due is None or due.currency != intent.currency:
            return False
        units = {item.line_id: frozenset(item.units) for item in due.items}
        return units == units_of(intent.items) and _variants(due.items) == _variants(content)

    def snapshot(self, intent: Intent, content: Goods, process: ReturnProcess) -> dict[str, Any]:
        """Note whether there is an exchange order, and which variants are asked for."""
        variants = sorted({item.variant_id for item in content})
        return {"exchange_order": exchange_shown(process) is not None, "variants": variants}

    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """An exchange order where none was, of the variants asked for, or of some: it may be filled in part."""
        if process.compensation is None:
            return "REVER's answer does not tell the exchange"
        order = exchange_shown(process)
        if order is None:
            return "REVER does not show the exchange that was sent"
        if before.get("exchange_order") or count(before, "ledger_knew"):
            return "REVER showed an exchange order before, so a new one cannot be told from it"
        ordered = sorted({item.variant_id for item in order.ordered_items if item.variant_id})
        wanted = sorted(before.get("variants") or _chosen(intent, process))
        evidence = {"ordered": ", ".join(ordered), "wanted": ", ".join(wanted)}
        if not ordered:
            return "REVER shows an exchange order without saying of what"
        units = sum(item.quantity for item in intent.items)
        if not set(ordered) <= set(wanted) or (units and len(order.ordered_items) > units):
            return Held("REVER shows an exchange order of other items than were asked for", evidence)
        return Seen(evidence)


def _variants(items: Goods) -> set[tuple[str, str, frozenset[int]]]:
    return {(item.line_id, item.variant_id, frozenset(item.units)) for item in items}


def _chosen(intent: Intent, process: ReturnProcess) -> set[str]:
    """The variants that the intent's lines ask for, where the snapshot does not name them."""
    ours = {item.line_id for item in intent.items}
    lines = (line for line in process.return_line_items if line.id in ours)
    return {line.exchange_for.variant_id for line in lines if line.exchange_for}


EXCHANGE = ExchangeKind()
