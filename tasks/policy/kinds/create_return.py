"""A new return: one createReturn, for units of an order that nobody has asked back yet.

Until its call the order stands for it (`tasks.policy.order_returns`); its evidence then names the return that was made.
A return that is made moves no money by itself, but where REVER pays as soon as one starts: there none is made.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rever_api.models import NOT_RECEIVED, RefundTiming, ReturnProcess
from tasks.lookup import same_order
from tasks.policy.case import Case
from tasks.policy.clocks import DIFFER, come
from tasks.policy.decision import Decision
from tasks.policy.facts import counted, later, quoted, timing_of
from tasks.policy.kinds.asked import AskedKind
from tasks.policy.kinds.kind import Held, Seen, UnitKey
from tasks.policy.order_returns import OrderReturns, folded, skus_of
from tasks.policy.record import MADE, Intent, IntentKind, IntentState, LineUnits, Record
from tasks.policy.store import RefundsBy

_PAYS_LATER = {RefundTiming.ON_ITEM_SENT, RefundTiming.ON_ITEM_VERIFIED}


@dataclass(frozen=True, slots=True)
class NewItem:
    """Units of one product of the order: the `units`-th of its SKU that are ever asked back, numbered from 1.

    `reason` and `method` are REVER's words for why, and for how they are compensated; empty for REVER's own choice.
    """

    sku: str
    units: tuple[int, ...]
    reason: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class NewReturn:
    """A return to be made of an order, whose name is the one that REVER shows.

    `source` is the key under which it is asked for, such as that of a file's row: what is asked for under the same key
    once more is the same return, whatever its units. It names no shopper. `email` is the shopper's: it goes into the
    call and is not kept, so what comes from the ledger again has none.
    Raises `ValueError`, in words for a person, where the items cannot be.
    """

    order_name: str
    items: tuple[NewItem, ...]
    email: str = field(default="", repr=False)
    source: str = ""

    def __post_init__(self) -> None:
        units = [(folded(item.sku), n) for item in self.items for n in item.units]
        if not self.items or not all(item.sku.strip() and item.units for item in self.items):
            msg = "a return has items, each with its SKU and its units"
            raise ValueError(msg)
        if min(n for _, n in units) < 1:
            msg = "units are numbered from 1"
            raise ValueError(msg)
        if len(set(units)) < len(units):
            msg = "a unit is named twice"
            raise ValueError(msg)


class CreateReturnKind(AskedKind[NewReturn]):
    """The n-th unit of a SKU of an order is asked back once. REVER shows the returns of an order, not who made them."""

    name = IntentKind.CREATE_RETURN
    noun = "new return"
    of_order = True
    again = "lets it go: it is sent once more when it is asked for again, since this desk does not keep the e-mail"

    def key(self, intent: Intent) -> list[UnitKey]:
        """Each unit that is asked back."""
        return [(self.name.value, folded(item.line_id), n) for item in intent.items for n in item.units]

    def items(self, wanted: NewReturn) -> tuple[LineUnits, ...]:
        """The units that are asked back, by SKU: before the call there is no line."""
        skus = dict.fromkeys(item.sku for item in wanted.items)
        return tuple(
            LineUnits(sku, tuple(sorted(n for item in wanted.items if item.sku == sku for n in item.units)))
            for sku in skus
        )

    def stored(self, content: NewReturn) -> dict[str, Any]:
        """Return it without the e-mail."""
        items = [[item.sku, list(item.units), item.reason, item.method] for item in content.items]
        return {"new_return": {"order_name": content.order_name, "items": items, "source": content.source}}

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> NewReturn:
        """Return what `stored` wrote down."""
        found = details["new_return"]
        items = tuple(NewItem(sku, tuple(units), reason, method) for sku, units, reason, method in found["items"])
        return NewReturn(found["order_name"], items, source=found["source"])

    def shopper_email(self, process: ReturnProcess, content: NewReturn) -> str:
        """The e-mail that the call names."""
        return content.email

    def held(self, case: Case, wanted: NewReturn) -> Decision | None:
        """An old view of REVER's list shows no ground: what this desk has made must be in it, or come to be seen."""
        shown = {it.rever_process_id for it in order_shown(case.process).returns}
        unseen = sorted(it.made for it in case.record.intents if it.made and it.made not in shown)
        if unseen:
            why = f"REVER's list does not show {unseen[0]}, which was made of this order; it may be an older view"
            return case.wait("stale_view", why)
        refused = (it for it in case.record.intents if it.kind is self.name and it.state is IntentState.REFUSED)
        settled = (later(it.sent_at, case.rules.settle_after) for it in refused if it.sent_at is not None)
        until = max((at for at in settled if not come(at, case.now, case.rules.settle_after)), default=None)
        if until is not None:
            why = "a new return of this order was refused a moment ago, and may show yet; ask for it again after"
            why = f"{why} {until.astimezone(case.rules.zone):%H:%M %Z}"
            return case.wait("told_no", why, until)
        return None

    def not_due(self, case: Case, wanted: NewReturn) -> str:
        """Just the units that come next may be asked for: what REVER shows by then, or a person gave up, is not."""
        order = order_shown(case.process)
        if not same_order(wanted.order_name, order.order_name):
            return f"it is asked for order {quoted(wanted.order_name)}, and {quoted(order.order_name)} was read"
        if not wanted.email:
            return "this desk does not keep the shopper's e-mail; ask for it again, with the e-mail"
        if (before := asked_for(case.record, wanted.source)) is not None and not before.open:
            return f"it was asked for before under the same key ({before.made or before.state})"
        if order.unclear:
            return order.unclear
        if _pays_at_once(case, wanted):
            return "REVER pays as soon as such a return starts, and how much is not known before; make it at REVER"
        taken = (_taken(case, order, item) for item in self.items(wanted))
        return next((why for why in taken if why), "")

    def snapshot(self, intent: Intent, content: NewReturn, process: ReturnProcess) -> dict[str, Any]:
        """List the returns of the order, and what is sent."""
        sent: Counter[str] = Counter()
        for item in self.items(content):
            sent[folded(item.line_id)] += item.quantity
        return {"returns": sorted(it.rever_process_id for it in order_shown(process).returns), "sent": dict(sent)}

    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """One return of the order more, of just the units that were sent, started since they were."""
        order = order_shown(process)
        if order.unclear:
            return order.unclear
        sent, known = Counter[str](before.get("sent", {})), set(before.get("returns", ()))
        new = [it for it in order.returns if it.rever_process_id not in known and _since(it, intent)]
        alike = [it for it in new if skus_of(it) == sent]
        evidence = {"new returns of the order": ", ".join(it.rever_process_id for it in new[:20])}
        if len(alike) > 1:
            return Held(f"REVER shows {len(alike)} new returns of these units where one was sent", evidence)
        if not alike:
            if any(skus_of(it) & sent for it in new):
                return Held("REVER shows a new return of this order with other units than were sent", evidence)
            return "REVER does not show the return that was sent"
        made = alike[0]
        if made.started_at is None:
            return Held("REVER shows a return of these units and does not tell when it was started", evidence)
        started = made.started_at.isoformat(timespec="seconds")
        return Seen({MADE: made.rever_process_id, "started": started, "returns before": str(len(known))})


def asked_for(record: Record, source: str) -> Intent | None:
    """The live intent of a new return of this order that was asked for under this key; None for the empty key."""
    return next((it for it in record.intents if source and it.source == source and it.live), None)


def order_shown(process: ReturnProcess) -> OrderReturns:
    """The order in the place of a return. A return there would be a fault of who reads: raises `TypeError`."""
    if not isinstance(process, OrderReturns):
        msg = "a new return is decided by the returns of its order"
        raise TypeError(msg)
    return process


def _taken(case: Case, order: OrderReturns, item: LineUnits) -> str:
    """Why just these units do not come next; empty where they do."""
    sku, name = folded(item.line_id), f"SKU {quoted(item.line_id)}"
    named = [it for it in order.returns if skus_of(it)[sku]]
    dropped = (
        it for it in case.record.intents if it.kind is IntentKind.CREATE_RETURN and it.state is IntentState.DROPPED
    )
    given_up = sum(each.quantity for it in dropped for each in it.items if folded(each.line_id) == sku)
    first = sum(skus_of(it)[sku] for it in named) + given_up + 1
    if item.units[0] < first:
        where = f" ({', '.join(it.rever_process_id for it in named)})" if named else ""
        return f"{counted(first - 1)} of {name} of this order are asked back, or given up, already{where}"
    if item.units != tuple(range(first, first + item.quantity)):
        return f"of {name} unit {first} comes next, not {item.units[0]}"
    return ""


def _since(process: ReturnProcess, intent: Intent) -> bool:
    """Whether a return was started since this was sent, as far as the two clocks agree, or may have been."""
    started, sent = process.started_at, intent.sent_at
    return started is None or sent is None or started >= sent - DIFFER


def _pays_at_once(case: Case, wanted: NewReturn) -> bool:
    """Whether REVER pays by itself before the goods are sent. Where nobody has said who pays, REVER may."""
    if case.rules.refunds_by is RefundsBy.US:
        return False
    return timing_of(case.rules) not in _PAYS_LATER or any(item.reason == NOT_RECEIVED for item in wanted.items)


CREATE_RETURN = CreateReturnKind()
