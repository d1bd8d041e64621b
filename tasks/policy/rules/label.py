"""When a return needs a label or pickup, and from which carrier and to which warehouse."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from rever_api.errors import Reason
from rever_api.models import (
    NOT_RECEIVED,
    Address,
    Carrier,
    LogisticsEntry,
    ProcessStatus,
    ReturnMethod,
    ReturnProcess,
    ReturnStatus,
    ShippingStatus,
    Warehouse,
)
from tasks.policy.case import ruling_of
from tasks.policy.clocks import believed, come
from tasks.policy.comparison import went_out
from tasks.policy.country import country_code, country_of
from tasks.policy.decision import Cancellation, Decision, Hold, MakeLabel, Nothing, Wait
from tasks.policy.facts import later, quoted
from tasks.policy.inspection import inspect
from tasks.policy.record import LABEL_KINDS, HoldKind, Intent, IntentKind, IntentState, Record, cancellation_given_up
from tasks.policy.rules.gates import told_no_until
from tasks.policy.rules.restored import label_after_restore
from tasks.policy.ruling import Ruling
from tasks.policy.store import StoreRules

NEEDS_LABEL = frozenset({ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT, ReturnMethod.DELIVERY_PICKUP})
"""Return methods whose goods travel by a carrier."""

DEAD_PARCEL = frozenset({ShippingStatus.CANCELED, ShippingStatus.ERROR})
"""States of a parcel that came to nothing."""

MADE_BY_HAND = frozenset({"label_error", "label_refused", "no_address", "no_carrier", "no_country"})
"""Rules that hold a label which a person makes by hand: a label that is registered is what they wait for."""

_AT_HOME = frozenset({ReturnMethod.HOME_PICK_UP, ReturnMethod.DELIVERY_PICKUP})
"""Return methods for which a carrier comes to the shopper's address."""

_NO_LABEL = {ReturnMethod.NO_RETURN_METHOD, ReturnMethod.IN_STORE, ""}
_PENDING = {ShippingStatus.NO_SHIPPING_STATUS, ""}


def decide_label(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
    """Decide the label alone: `MakeLabel`, `Wait`, `Hold(label=True)` or `Nothing`. Total and pure."""
    case = _Label(process, rules, record, now)
    rule = (
        case.held_already,
        case.called_off,
        case.not_needed,
        case.by_own_rules,
        case.intent_open,
        case.unknown_method,
        case.not_told,
    )
    for answer in (*rule, case.there, case.failed, case.made, case.refused, case.told_no):
        if (decision := answer()) is not None:
            return decision
    return case.make()


def not_to_be_made(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> str:
    """Say why the return gets no label, whoever makes it; empty where it waits for one. Pure."""
    case = _Label(process, rules, record, now)
    for answer in (case.called_off, case.not_needed, case.by_own_rules, case.unknown_method, case.not_told):
        if (decision := answer()) is not None:
            return decision.why
    if any(entry.status not in DEAD_PARCEL for entry in case.entries):
        return "REVER shows a parcel already"
    return ""


def next_generation(process: ReturnProcess) -> int:
    """The number of the next label of a return: one more than the parcels that came to nothing."""
    return 1 + sum(entry.status in DEAD_PARCEL for entry in process.logistics or ())


def incomplete_label(process: ReturnProcess, rules: StoreRules) -> tuple[str, ...]:
    """Name what this read left out and no label can be decided without; read again by id where any."""
    return ("logistics",) if process.logistics is None and not rules.omits_empty_fields else ()


def named_warehouse(warehouses: Iterable[Warehouse], name: str) -> Warehouse | None:
    """The warehouse of this id or name; capitals in the name do not count."""
    wanted = name.casefold()
    return next((house for house in warehouses if name == house.id or wanted == house.name.casefold()), None)


def warehouse_for(warehouses: Iterable[Warehouse], country: str) -> Warehouse | None:
    """Choose the warehouse goods go back to: one that serves the country, else the default, else the only one.

    None where none of these is there, and where order tags decide ("dynamic warehouses"), which this desk does not see:
    then the order names no warehouse, and REVER chooses.
    """
    known = tuple(warehouses)
    if any(house.tags for house in known):
        return None
    wanted = country_code(country)
    serving = [house for house in known if wanted and wanted in map(country_code, house.countries)]
    defaults = [house for house in known if house.is_default]
    only = known if len(known) == 1 else ()
    return next(iter((*serving, *defaults, *only)), None)


def _names_a_place(address: Address | None) -> bool:
    """Whether a carrier finds the place: a street, and a town or its postcode."""
    return address is not None and bool(address.address_line_1.strip() and (address.city + address.postcode).strip())


@dataclass(frozen=True)
class _Label:
    """One return's label at one moment; each method is a rule that answers or passes."""

    process: ReturnProcess
    rules: StoreRules
    record: Record
    now: datetime

    @cached_property
    def entries(self) -> tuple[LogisticsEntry, ...]:
        """The parcels that REVER shows."""
        return self.process.logistics or ()

    @cached_property
    def generation(self) -> int:
        """The number of the next label: one more than the parcels that came to nothing."""
        return next_generation(self.process)

    @cached_property
    def intents(self) -> tuple[Intent, ...]:
        """The intents of this return that bring a label: those made by REVER, and those registered there."""
        return tuple(intent for intent in self.record.intents if intent.kind in LABEL_KINDS)

    @cached_property
    def asked(self) -> tuple[Intent, ...]:
        """The labels that REVER was asked to make."""
        return tuple(intent for intent in self.intents if intent.kind is IntentKind.LABEL)

    @cached_property
    def ruling(self) -> Ruling | None:
        """What the store's own rules say; None where there are none."""
        rules = self.rules
        return ruling_of(self.process, rules, self.record, self.now) if rules.merchant_rules else None

    @cached_property
    def method(self) -> str:
        """How the goods come back: as the store's own rules would have it, else as the shopper chose."""
        ruled = self.ruling.return_method() if self.ruling else ""
        return ruled or str(self.process.return_method)

    @cached_property
    def country(self) -> str:
        """The country the goods are picked up in, empty where it cannot be told."""
        return country_of(self.process.pickup_address)

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

    def not_needed(self) -> Decision | None:
        """No label where the return is not running, has nothing to send, or the goods are sent already."""
        status, method = self.process.rever_process_status, self.method
        if status != ProcessStatus.RUNNING:
            on_hold = status == ProcessStatus.ON_HOLD
            why = f"the return is {quoted(str(status))} at REVER, so no label is made"
            return self._wait("label_on_hold", why) if on_hold else Nothing("no_label", why)
        if method in _NO_LABEL:
            return Nothing("no_label", f"a return by {method or 'no method'} needs no label")
        if self.process.return_status not in {ReturnStatus.STARTED, ""}:
            return Nothing("no_label", f"the goods are past collection ({quoted(str(self.process.return_status))})")
        if all(line.return_reason == NOT_RECEIVED for line in self.process.return_line_items):
            return Nothing("no_label", "the goods never reached the shopper: there is nothing to send back")
        if self.process.reviews and not inspect(self.process, self.rules).uninspected:
            return Nothing("no_label", "every unit is inspected: the goods are there")
        return None

    def by_own_rules(self) -> Decision | None:
        """By the store's own rules nothing is to come back, or they need more before they can say so, or from whom."""
        if self.ruling is None:
            return None
        if not self.ruling.needs_label():
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
        """A parcel that is neither dead nor still being made: the label is there."""
        live = [it for it in self.entries if it.status not in DEAD_PARCEL]
        if any(entry.status not in _PENDING for entry in live):
            return Nothing("label_there", "the label is there; waiting for the parcel")
        return self._wait("label_pending", "REVER is making the label") if live else None

    def failed(self) -> Decision | None:
        """A parcel in error, and none beside it."""
        if not any(entry.status == ShippingStatus.ERROR for entry in self.entries):
            return None
        why = "the carrier reports an error for the parcel; `send_again` asks for another label"
        return self._hold("label_error", why, {"logistics.status": "ERROR"})

    def made(self) -> Decision | None:
        """This desk has made the label of this generation, or a person has closed it."""
        for intent in self.intents:
            if intent.live and intent.generation == self.generation:
                return self._made(intent)
        return None

    def refused(self) -> Decision | None:
        """REVER has refused this label, as it does where its own people make labels by hand (carrier OPS)."""
        last = [it for it in self.asked if it.state is IntentState.REFUSED and it.generation == self.generation]
        if not last:
            return None
        if last[-1].reason == Reason.COMBINATION and self._carriers(untried=True):
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
        return self._hold("label_refused", why, evidence)

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
        method = self.method
        told = {"return_method": method}
        if method in _AT_HOME and not _names_a_place(self.process.pickup_address):
            why = f"a return by {method} has no pickup address with a street and a town, so no carrier is sent"
            return Hold("no_address", why, HoldKind.LABEL, told, label=True)
        if not self.country:
            why = (
                "the pickup address tells no country that is known here, so neither carrier nor warehouse can be chosen"
            )
            return Hold("no_country", why, HoldKind.LABEL, told, label=True)
        carrier = self._carrier()
        where = self.country
        if carrier is None:
            why = f"no carrier of the store serves {method} in {where}"
            return Hold("no_carrier", why, HoldKind.LABEL, told | {"country": where}, label=True)
        asked = label_after_restore(self.process, self.record)
        if asked is not None:
            return asked
        why = f"the return waits for a label: {method} in {where} goes by {carrier.provider}/{carrier.carrier}"
        warehouse = self.ruling.warehouse() if self.ruling else ""
        why += f", to warehouse {warehouse}" if warehouse else ""
        return MakeLabel("label_due", why, self.generation, carrier.provider, carrier.carrier, method, warehouse)

    def _carrier(self) -> Carrier | None:
        """The first carrier that fits, in the policy's order and then the store's.

        Those that REVER said do not go with this return come into question only where a person asked again.
        """
        preferred = (self.ruling.carrier() if self.ruling else "", *self.rules.policy.label_carriers)
        fitting = self._carriers(untried=True) or self._carriers(untried=False)
        names = [f"{it.provider}/{it.carrier}" for it in fitting]
        chosen = (fitting[names.index(name)] for name in preferred if name in names)
        return next(chosen, fitting[0] if fitting else None)

    def _carriers(self, *, untried: bool) -> list[Carrier]:
        """The carriers that fit; `untried`: without those that this label was refused for, as a combination."""
        refused = {
            it.carrier
            for it in self.asked
            if it.state is IntentState.REFUSED and it.generation == self.generation and it.reason == Reason.COMBINATION
        }
        tried = refused if untried else set()
        fitting = [it for it in self.rules.settings.carriers if self._fits(it)]
        return [it for it in fitting if f"{it.provider}/{it.carrier}" not in tried]

    def _fits(self, carrier: Carrier) -> bool:
        """Whether a carrier serves the country and the method. An empty list serves all."""
        methods = carrier.return_methods
        named = bool(carrier.provider and carrier.carrier)
        here = not carrier.countries or self.country in map(country_code, carrier.countries)
        return named and here and (not methods or self.method in methods)

    def _made(self, intent: Intent) -> Decision:
        """What follows from a label that was made and that REVER does not show."""
        if intent.state in {IntentState.DONE_BY_HAND, IntentState.DROPPED}:
            return Nothing("label_by_hand", "a person has taken care of the label")
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
