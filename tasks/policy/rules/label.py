"""When a label or pickup is made for a return, waits or is held: the rules, in their order, and what they say."""

from dataclasses import replace
from datetime import UTC, datetime, time

from rever_api.errors import Reason
from rever_api.models import (
    NOT_RECEIVED,
    Address,
    ProcessStatus,
    ReturnMethod,
    ReturnProcess,
    ReturnStatus,
    ShippingStatus,
)
from tasks.policy.clocks import believed, come
from tasks.policy.comparison import went_out
from tasks.policy.decision import Cancellation, Decision, Hold, MakeLabel, Nothing, Wait
from tasks.policy.facts import counted, incomplete_label, later, quoted
from tasks.policy.label_case import AT_HOME, NEEDS_LABEL, LabelCase
from tasks.policy.label_choice import Candidate, Choice, in_words, named_warehouse, warehouse_for
from tasks.policy.packing import MOST_PARCELS, parcel_in_words, to_come_back
from tasks.policy.pickup_days import order_on
from tasks.policy.record import (
    LABEL_KINDS,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    Record,
    Replaced,
    cancellation_given_up,
)
from tasks.policy.replaced import both_used, replaced_in_use, superseded
from tasks.policy.rules.gates import label_after_restore, may_be_lost, told_no_until
from tasks.policy.store import DaysOff, StoreRules

MADE_BY_HAND = frozenset({"label_error", "label_refused", "no_address", "no_carrier", "no_country", "too_many_parcels"})
"""Rules that hold a label which a person makes by hand: a label that is registered is what they wait for."""

LABEL_THERE = "label_there"
"""The rule of a return whose label is there."""

BOTH_LABELS_USED = "both_labels_used"
"""The rule of the hold for a return whose replaced label was used beside the new one."""

LABELS_BY_OTHERS = "labels_by_others"
"""The rule of the hold for several parcels of which REVER shows fewer labels, none of this desk's as far as it knows,
where REVER had refused one, or a ledger was lost.
"""

TAKEN_AS_SHOWN = frozenset({BOTH_LABELS_USED, LABELS_BY_OTHERS})
"""Rules that ask about labels that are there: who goes on takes them as REVER shows them."""

_NO_LABEL = {ReturnMethod.NO_RETURN_METHOD, ReturnMethod.IN_STORE, ""}
_PENDING = {ShippingStatus.NO_SHIPPING_STATUS, ""}


def decide_label(
    process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, *, replacing: Replaced | None = None
) -> Decision:
    """Decide the label alone: `MakeLabel`, `Wait`, `Hold(label=True)` or `Nothing`. Total and pure.

    Where a label is to be replaced, `replacing` is its parcel: what follows is decided as if that were gone.
    """
    case = _LabelRules(process, rules, record, now, replacing)
    rule = (
        case.held_already,
        case.called_off,
        case.replaced_is_used,
        case.not_needed,
        case.by_own_rules,
        case.intent_open,
        case.unknown_method,
        case.not_told,
    )
    for answer in (*rule, case.made_by_others, case.there, case.made, case.failed, case.refused, case.told_no):
        if (decision := answer()) is not None:
            return decision
    return case.make()


def not_to_be_made(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> str:
    """Say why the return gets no label, whoever makes it; empty where it waits for one. Pure."""
    case = _LabelRules(process, rules, record, now)
    for answer in (case.called_off, case.not_needed, case.by_own_rules, case.unknown_method, case.not_told):
        if (decision := answer()) is not None:
            return decision.why
    if case.labelled < len(case.parcels):
        return ""
    if not case.live:
        return "a person has said that the label is taken care of"
    return "REVER shows a parcel already" if len(case.parcels) == 1 else "REVER shows all its parcels already"


def explain_label(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> tuple[str, ...]:
    """How the label of a return is chosen now, as lines for a person: what is due, each parcel, each carrier. Pure.

    None where the return needs no label. Nothing of the shopper is in them.
    """
    case = _LabelRules(process, rules, record, now)
    if any(answer() is not None for answer in (case.called_off, case.not_needed, case.by_own_rules)):
        return ()
    decision = decide_label(process, rules, record, now)
    if isinstance(decision, Nothing) or case.method not in NEEDS_LABEL:
        return ()
    lines = [f"in the parcel: {case.parcel_words}"]
    if (number := len(case.parcels)) > 1:
        words = [parcel_in_words(each, case.lines) for each in case.parcels]
        lines = [f"parcel {place} of {number}: {each}" for place, each in enumerate(words, 1)]
    carriers = [it.in_words for it in case.choice.candidates] if case.country else []
    due = [] if isinstance(decision, Hold) else [decision.why]  # why it is held stands with the hold
    return (*due, *lines, *carriers)


def _names_a_place(address: Address | None) -> bool:
    """Whether a carrier finds the place: a street, and a town or its postcode."""
    return address is not None and bool(address.address_line_1.strip() and (address.city + address.postcode).strip())


class _LabelRules(LabelCase):
    """The rules about one return's label; each method is one that answers or passes."""

    def held_already(self) -> Decision | None:
        """An unanswered hold of the label goes on holding it."""
        held = sorted((hold for hold in self.record.holds if hold.label), key=lambda hold: (hold.since, hold.id))
        return Hold(held[0].rule, held[0].why, held[0].kind, {"hold": held[0].id}, label=True) if held else None

    def called_off(self) -> Decision | None:
        """No label where this desk calls the return off, or has, whatever an older view of it shows."""
        asked = [it for it in self.record.intents if it.kind is IntentKind.CANCEL and it.live]
        if all(it.state is IntentState.DROPPED for it in asked):
            return None
        return Nothing("no_label", "the return is called off, so no label is made")

    def replaced_is_used(self) -> Decision | None:
        """The shopper has used a label that was replaced: no other is made. Beside the new one, a person is asked."""
        if self.process.rever_process_status != ProcessStatus.RUNNING:
            return None
        if (both := both_used(self.process, self.record)) is not None:
            old, new = both
            why = f"both labels are used: the carrier has parcel {old}, whose label was replaced, and parcel {new}"
            return self._hold(BOTH_LABELS_USED, why, {"replaced": str(old), "new": str(new)})
        if len(self.parcels) == 1 and replaced_in_use(self.process, self.record):
            return Nothing("no_label", "the goods are on their way with the label that was replaced")
        return None

    def not_needed(self) -> Decision | None:
        """No label where the return is not running, has nothing to send, or the goods are sent already."""
        status, method = self.process.rever_process_status, self.method
        if status != ProcessStatus.RUNNING:
            on_hold = status == ProcessStatus.ON_HOLD
            why = f"the return is {quoted(str(status))} at REVER, so no label is made"
            return self._wait("label_on_hold", why) if on_hold else Nothing("no_label", why)
        if method in _NO_LABEL:
            return Nothing("no_label", f"a return by {method or 'no method'} needs no label")
        if self.process.return_status not in {ReturnStatus.STARTED, ""} and not self.goods_left:
            return Nothing("no_label", f"the goods are past collection ({quoted(str(self.process.return_status))})")
        lines = self.process.return_line_items
        if lines and all(line.return_reason == NOT_RECEIVED for line in lines):
            return Nothing("no_label", "the goods never reached the shopper: there is nothing to send back")
        if not to_come_back(self.process, None):
            seen = bool(self.process.reviews)
            why = "every unit is inspected: the goods are there" if seen else "by its lines no unit is to come back"
            return Nothing("no_label", why)
        return None

    @property
    def goods_left(self) -> bool:
        """Whether a parcel of several still lacks its label, though another is on its way or there."""
        here = self.process.return_status in {ReturnStatus.COLLECTED, ReturnStatus.REVIEW_REQUIRED}
        return here and 0 < self.labelled < len(self.parcels)

    def by_own_rules(self) -> Decision | None:
        """By the store's own rules nothing is to come back, or they need more before they can say so, or from whom."""
        if self.ruling is None:
            return None
        if not to_come_back(self.process, self.ruling):
            return Nothing("no_label", "by the store's own rules nothing of it is to come back")
        goes_on = went_out(self.process, self.record) or cancellation_given_up(self.record)
        if isinstance(self.ruling.cancellation(), Cancellation) and not goes_on:
            return Nothing("no_label", "by the store's own rules the return is called off")
        missing = self.ruling.label_needs()
        why = f"before a label is made, the store's own rules need {', '.join(missing)}"
        return self._wait("label_needs_facts", why) if missing else None

    def intent_open(self) -> Decision | None:
        """A label whose outcome is open is not asked for again."""
        for intent in self.intents:
            if intent.open:
                until = max(believed(intent.look_at, self.now), self.now) if intent.look_at else None
                return self._wait("label_open", f"the outcome of a label is still open ({intent.state})", until)
        return None

    def unknown_method(self) -> Decision | None:
        """A return method that this project does not know."""
        method = self.method
        if method in NEEDS_LABEL:
            return None
        why = f"the return method {quoted(str(method))} is not known here, so no label is made"
        return Hold("unknown_return_method", why, HoldKind.LABEL, {"return_method": quoted(str(method))}, label=True)

    def not_told(self) -> Decision | None:
        """A read without parcels cannot tell "none" from "not told"."""
        if not incomplete_label(self.process, self.rules):
            return None
        why = "REVER's answer leaves out logistics, so whether there is a label is not known"
        return Hold("incomplete_read", why, HoldKind.LABEL, {"missing": "logistics"}, label=True)

    def there(self) -> Decision | None:
        """As many parcels as the return travels in, neither dead nor still being made: the labels are there."""
        if self.labelled < len(self.parcels):
            return None
        if any(entry.status not in _PENDING for entry in self.live):
            return Nothing(LABEL_THERE, "the label is there; waiting for the parcel")
        if self.live:
            return self._wait("label_pending", "REVER is making the label")
        return Nothing("label_by_hand", "a person has taken care of the label")

    def made_by_others(self) -> Decision | None:
        """Fewer labels are shown than parcels, none of them this desk's: REVER refused one, or a ledger was lost.

        One of them may be for all of the goods; or REVER made it although it said no, or the lost ledger knew of it:
        then others are missing.
        """
        refused = (len(it.parcels) for it in self.asked if it.state is IntentState.REFUSED)
        wanted, shown = max(refused, default=0), len(self.live)
        if any(it.live for it in self.intents) or not shown:
            return None
        labels = counted(shown, "label")
        why = f"REVER refused a label of {wanted} parcels', and shows {labels} that somebody else has made"
        if not wanted and may_be_lost(self.process, self.record):
            wanted = len(self.parcels_by_policy)
            why = f"it would travel in {wanted} parcels, and REVER shows {labels}, made before this ledger was"
        why += ": whether all goods travel with that is not known"
        if shown >= wanted:
            return None
        return self._hold(LABELS_BY_OTHERS, why, {"labels": str(shown), "parcels": str(wanted)})

    def failed(self) -> Decision | None:
        """A parcel in error, and none beside it."""
        gone = superseded(self.process, self.record, self.replacing)
        failed = {place for place, it in enumerate(self.entries, 1) if it.status == ShippingStatus.ERROR}
        if not failed - gone:
            return None
        why = "the carrier reports an error for the parcel; `send_again` asks for another label"
        return self._hold("label_error", why, {"logistics.status": "ERROR"})

    def made(self) -> Decision | None:
        """This desk has made a label that this read lacks, or has one of this number."""
        if len(self.entries) < len(self.made_here):
            return self._made(max(self.made_here, key=lambda it: (it.sent_at or self.now, it.generation)))
        taken = next((it for it in self.intents if it.live and it.generation == self.generation), None)
        return self._made(taken) if taken else None

    def refused(self) -> Decision | None:
        """REVER has refused this label, as it does where its own people make labels by hand (carrier OPS)."""
        last = [it for it in self.asked if it.state is IntentState.REFUSED and it.generation == self.generation]
        if not last:
            return None
        if last[-1].reason == Reason.COMBINATION and self.choice.chosen:
            return None
        code = f" (code {quoted(last[-1].error_code)})" if last[-1].error_code else ""
        words = Reason(last[-1].reason).words if last[-1].reason in set(Reason) else ""
        words += " and no other carrier is left" if last[-1].reason == Reason.COMBINATION else ""
        said = f", since {words}" if words else ""
        by_hand = "a person makes it by hand and registers it (`labels register`)"
        why = f"REVER has refused to make the label{code}{said}: {by_hand}"
        evidence = {"intent": last[-1].id, "code": last[-1].error_code}
        if last[-1].reason:
            evidence["reason"] = last[-1].reason
        evidence |= self._to_make_it_by_hand()
        return self._hold("label_refused", why, evidence)

    def _to_make_it_by_hand(self) -> dict[str, str]:
        """What a person needs who makes this label elsewhere, but for the shopper's address: that is at REVER alone."""
        named = self.ruling.warehouse() if self.ruling else ""
        houses = self.rules.warehouses
        house = named_warehouse(houses, named) if named else warehouse_for(houses, self.country)
        hours = self.slots or tuple(str(each) for each in self.process.pickup_ranges if each)
        told = {
            "order_name": self.process.order_name or self.process.order_id,
            "return_method": self.method,
            "country": self.country,
            "warehouse": (house.name or house.id) if house else named or "as REVER chooses it",
            "pickup_hours": ", ".join(hours) if self.method in AT_HOME else "",
            "in_the_parcel": self.parcel_words,
            "tried": in_words(self.choice.candidates),
            "address": "the shopper's address stands at REVER alone, in the return's pickup address",
        }
        return {name: words for name, words in told.items() if words}

    def told_no(self) -> Decision | None:
        """It was asked for, and somebody on the way answered "no": REVER is looked at once it would show it."""
        until = told_no_until(self.intents, LABEL_KINDS, self.rules, self.now)
        why = "the label was asked for, and REVER or a proxy before it answered that nothing was done; it is asked for"
        if until is None:
            return None
        return replace(
            self._wait("told_no", f"{why} again once REVER would show it by now", until), for_another_run=True
        )

    def make(self) -> Decision:
        """The label, by the carrier that fits the country and the return method, the policy's preferred one first."""
        if (hold := self._not_sendable()) is not None:
            return hold
        choice = self.choice
        if choice.chosen is None and self.record.waived("label_refused"):
            choice = self.choice_without(frozenset())
        if choice.chosen is None:
            return self._no_carrier(choice)
        asked = label_after_restore(self.process, self.record, self.rules.zone)
        return asked or self._day_off(choice.chosen) or self._due(choice, choice.chosen)

    def _not_sendable(self) -> Hold | None:
        """Without a place to be fetched from, a country, or as too many parcels, nothing can be chosen."""
        method = self.method
        told = {"return_method": method}
        if method in AT_HOME and not _names_a_place(self.process.pickup_address):
            why = f"a return by {method} has no pickup address with a street and a town, so no carrier is sent"
            return Hold("no_address", why, HoldKind.LABEL, told, label=True)
        if not self.country:
            why = (
                "the pickup address tells no country that is known here, so neither carrier nor warehouse can be chosen"
            )
            return Hold("no_country", why, HoldKind.LABEL, told, label=True)
        if len(self.parcels) > MOST_PARCELS:
            why = f"by the policy file it would be more than {MOST_PARCELS} parcels; a person decides how it is sent"
            return Hold("too_many_parcels", why, HoldKind.LABEL, told, label=True)
        return None

    def _no_carrier(self, choice: Choice) -> Hold:
        """All that was tried, and why each fails."""
        why = f"no carrier of the store serves {self.method} in {self.country}"
        if choice.unsure:
            why = f"no carrier of the store is sure to take it: {self.method} in {self.country}"
        tried = in_words(choice.candidates)
        told = {"return_method": self.method, "country": self.country}
        told |= {"in_the_parcel": self.parcel_words} if tried else {}
        return Hold("no_carrier", f"{why}{f': {tried}' if tried else ''}", HoldKind.LABEL, told, label=True)

    def _due(self, choice: Choice, chosen: Candidate) -> MakeLabel:
        """The label by this carrier; who was asked before it, and why it was not that one."""
        warehouse = self.ruling.warehouse() if self.ruling else ""
        several = self.parcels if len(self.parcels) > 1 else ()
        why = f"the return waits for a label: {self.method} in {self.country} goes by {chosen.name}"
        why += f", to warehouse {warehouse}" if warehouse else ""
        why += f", parcel {self.parcel_words}" if several else ""
        why += f", {' or '.join(self.slots)}" if self.slots else ""
        why += f"; not by {in_words(choice.passed_over)}" if choice.passed_over else ""
        return MakeLabel(
            "label_due",
            why,
            self.generation,
            chosen.carrier.provider,
            chosen.carrier.carrier,
            self.method,
            warehouse,
            self.slots,
            self.parcel if several else 1,
            several,
        )

    def _day_off(self, chosen: Candidate) -> Wait | None:
        """A pickup whose next possible day is a day off is ordered later, where the policy says so."""
        policy = self.rules.policy.labels
        if self.method not in AT_HOME or (chosen.limits.days_off or policy.days_off) is not DaysOff.WAIT:
            return None
        zone = self.rules.zone
        day, why = order_on(self.now.astimezone(zone).date(), policy.lead_days, self.process.pickup_address)
        if not why:
            return None
        until = datetime.combine(day, time(), zone).astimezone(UTC)
        return self._wait("label_day_off", f"{why}, when no carrier comes; the pickup is ordered on {day:%F}", until)

    def _made(self, intent: Intent) -> Decision:
        """What follows from a label that was made and that REVER does not show."""
        at = intent.sent_at or intent.created_at
        until = later(at, self.rules.settle_after) if at else self.now
        if not come(until, self.now, self.rules.settle_after):
            return self._wait("label_made", "the label was made; REVER does not show it yet", until)
        why = "the label was made long enough ago, and REVER does not show it"
        return Hold("label_not_shown", why, HoldKind.LABEL, {"intent": intent.id}, label=True)

    def _wait(self, rule: str, why: str, until: datetime | None = None) -> Wait:
        return Wait(rule, why, until or later(self.now, self.rules.look_again))

    def _hold(self, rule: str, why: str, evidence: dict[str, str]) -> Hold | None:
        if self.record.waived(rule):
            return None
        return Hold(rule, why, HoldKind.LABEL, evidence, label=True)
