"""One return's labels at one moment: which it has, in how many parcels it travels, and what the next one is for. Pure.

When the next one is made, waits or is held, the rules say (`tasks.policy.rules.label`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from rever_api.errors import Reason
from rever_api.models import LogisticsEntry, PickupRange, ReturnMethod, ReturnProcess, ShippingStatus
from tasks.policy.case import facts_with, ruling_of
from tasks.policy.country import country_of
from tasks.policy.label_choice import Choice, Wanted, choose
from tasks.policy.packing import UNMEASURED, measured, packed, parcel_in_words, to_come_back
from tasks.policy.record import BY_A_PERSON, LABEL_KINDS, Intent, IntentKind, IntentState, Parcel, Record, Replaced
from tasks.policy.replaced import not_shown_by_hand, place_of, superseded
from tasks.policy.return_facts import LineFacts
from tasks.policy.ruling import Ruling
from tasks.policy.store import ParcelSplit, StoreRules

NEEDS_LABEL = frozenset({ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT, ReturnMethod.DELIVERY_PICKUP})
"""Return methods whose goods travel by a carrier."""

AT_HOME = frozenset({ReturnMethod.HOME_PICK_UP, ReturnMethod.DELIVERY_PICKUP})
"""Return methods for which a carrier comes to the shopper's address."""

DEAD_PARCEL = frozenset({ShippingStatus.CANCELED, ShippingStatus.ERROR})
"""States of a parcel that came to nothing."""

ONE_PARCEL = (Parcel(),)
"""All that comes back travels in one."""


@dataclass(frozen=True)
class LabelCase:
    """One return's labels at one moment. `replacing` is a parcel whose label is to be replaced: it counts as gone."""

    process: ReturnProcess
    rules: StoreRules
    record: Record
    now: datetime
    replacing: Replaced | None = None

    @cached_property
    def entries(self) -> tuple[LogisticsEntry, ...]:
        """The parcels that REVER shows."""
        return self.process.logistics or ()

    @cached_property
    def generation(self) -> int:
        """The number of the next label: one more than the parcels that REVER shows and those that a person closed.

        From an older view, which lacks a label that was made, comes a number that is taken: none is made twice.
        """
        return 1 + len(self.entries) + self.by_hand

    @cached_property
    def intents(self) -> tuple[Intent, ...]:
        """The intents of this return that bring a label: those made by REVER, and those registered there."""
        return tuple(intent for intent in self.record.intents if intent.kind in LABEL_KINDS)

    @cached_property
    def made_here(self) -> tuple[Intent, ...]:
        """The labels that this desk had made or registered, in the order of their numbers: REVER shows each of them."""
        done = (it for it in self.intents if it.state is IntentState.DONE)
        return tuple(sorted(done, key=lambda it: it.generation))

    @cached_property
    def by_hand(self) -> int:
        """How many labels of a person's REVER does not show."""
        return not_shown_by_hand(self.process, self.record)

    @property
    def labelled(self) -> int:
        """How many parcels have their label. A new label that a person gave up is none: the old one is there still."""
        given_up = sum(it.state is IntentState.DROPPED and it.replaces is not None for it in self.intents)
        return len(self.live) + max(0, self.by_hand - given_up)

    @cached_property
    def live(self) -> tuple[LogisticsEntry, ...]:
        """The parcels that REVER shows but those that came to nothing, and those whose label was replaced."""
        return tuple(self.entries[place - 1] for place in sorted(self.places))

    @cached_property
    def places(self) -> frozenset[int]:
        """The places of these parcels among all that REVER shows, from 1."""
        return self.not_dead - superseded(self.process, self.record, self.replacing)

    @cached_property
    def not_dead(self) -> frozenset[int]:
        """The places of the parcels that did not come to nothing."""
        return frozenset(place for place, it in enumerate(self.entries, 1) if it.status not in DEAD_PARCEL)

    @cached_property
    def lines(self) -> Mapping[str, LineFacts]:
        """What is known of each line, with what the tables of products tell."""
        rules = self.rules
        facts = self.ruling.facts if self.ruling else facts_with(self.process, rules, self.record, self.now)
        return {line.line_id: line for line in facts.lines}

    @cached_property
    def parcels(self) -> tuple[Parcel, ...]:
        """The parcels that the return travels in.

        The first label that was asked for or registered fixes them, whatever the policy says later: the shopper has
        packed. A label that somebody else has made is that of the whole return, unless it was registered through this
        desk.
        """
        if fixed := next((it for it in self.intents if it.live and self._tells_parcels(it)), None):
            return fixed.parcels or ONE_PARCEL
        if self.not_dead and not any(it.live and it.kind is IntentKind.REGISTER_LABEL for it in self.intents):
            return ONE_PARCEL
        return self.parcels_by_policy

    @cached_property
    def parcels_by_policy(self) -> tuple[Parcel, ...]:
        """The parcels in which it would travel had it no label yet."""
        split = self.rules.policy.labels.parcels
        if split == ParcelSplit():
            return ONE_PARCEL
        return packed(to_come_back(self.process, self.ruling), self.lines, split)

    @staticmethod
    def _tells_parcels(label: Intent) -> bool:
        """Whether it says in how many parcels the return travels: not one that a person closed without asking REVER."""
        return bool(label.parcel) or (label.kind is IntentKind.LABEL and label.state not in BY_A_PERSON)

    @cached_property
    def parcel(self) -> int:
        """Which of the parcels the next label is for, from 1: the first that has none.

        REVER shows parcels in the order in which they were made; one that no intent of this desk is of stands for any.
        """
        mine = {it.parcel for it in self.made_here if place_of(it, self.process, self.record) in self.places} - {0}
        free = [number for number in range(1, len(self.parcels) + 1) if number not in mine]
        others = self.labelled - len(mine)
        return free[min(others, len(free) - 1)] if free else len(self.parcels)

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

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """The hours in which a pickup may come: the shopper's wish, else the policy's; empty for as the return says."""
        policy = self.rules.policy.labels.slots
        if self.method not in AT_HOME or not policy:
            return ()
        wish = tuple(str(each) for each in self.process.pickup_ranges if each not in {PickupRange.NO_RANGE, ""})
        return wish or policy

    @property
    def parcel_words(self) -> str:
        """Which parcel it is, and what is in it."""
        number = f"{self.parcel} of {len(self.parcels)}: " if len(self.parcels) > 1 else ""
        return f"{number}{parcel_in_words(self.contents, self.lines)}"

    @property
    def contents(self) -> Parcel:
        """What travels in the parcel that the next label is for."""
        return self.parcels[self.parcel - 1] if self.parcels != ONE_PARCEL else self._all

    @cached_property
    def _all(self) -> Parcel:
        return Parcel(tuple(to_come_back(self.process, self.ruling).items()))

    @cached_property
    def choice(self) -> Choice:
        """The carriers of the store, asked in the policy's order."""
        return self.choice_without(self._refused)

    @property
    def _refused(self) -> frozenset[str]:
        """The carriers that REVER has refused as a combination for this label, or for another of the same parcels."""
        dead = len(self.entries) - len(self.live)
        return frozenset(
            it.carrier
            for it in self.asked
            if it.state is IntentState.REFUSED and it.generation > dead and it.reason == Reason.COMBINATION
        )

    def choice_without(self, refused: frozenset[str]) -> Choice:
        """The carriers of the store but for these, asked in the policy's order."""
        policy = self.rules.policy
        size = measured(self.contents, self.lines) if policy.labels.carriers else UNMEASURED
        wanted = Wanted(self.country, self.method, size, self.ruling.carrier() if self.ruling else "")
        return choose(self.rules.settings, policy.labels, policy.label_carriers, wanted, refused)


def label_number(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> int:
    """The number that the next label of a return has, whoever makes it. Pure."""
    return LabelCase(process, rules, record, now).generation


def next_parcel(
    process: ReturnProcess, rules: StoreRules, record: Record, now: datetime
) -> tuple[int, tuple[Parcel, ...]]:
    """Which parcel of the return the next label is for, from 1, and all of them; none where it travels in one. Pure."""
    case = LabelCase(process, rules, record, now)
    return (case.parcel, case.parcels) if len(case.parcels) > 1 else (1, ())
