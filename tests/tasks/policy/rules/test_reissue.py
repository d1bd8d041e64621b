"""When a label is replaced by another, and how the labels of a return are numbered then."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import LogisticsEntry, ReturnProcess
from tasks.policy.clocks import clock_time
from tasks.policy.decide import decide
from tasks.policy.decision import Decision, Hold, MakeLabel, Nothing, Wait
from tasks.policy.kinds import LABEL
from tasks.policy.record import Intent, IntentKind, IntentState, Parcel, ParcelChange, Record, Replaced, Waiver
from tasks.policy.replaced import ReplacedAsSeen, mark_of, replaced_as_seen, replaced_parcels
from tasks.policy.rules.label import decide_label
from tasks.policy.rules.reissue import (
    UnclearParcelError,
    decide_reissue,
    label_or_reissue,
    parcel_meant,
    wanted_reissue,
)
from tasks.policy.store import LabelPolicy, LabelReissue, ParcelSplit
from tests.tasks.policy.factories import NOW, intent, line, process, record, rules

WHY = "the shopper lost it"


def shown(*statuses: str, **fields: Any) -> ReturnProcess:
    """A return that waits for its goods, with parcels T1, T2... of these statuses."""
    parcels = tuple(LogisticsEntry(status=it, tracking_number=f"T{n}") for n, it in enumerate(statuses, start=1))
    return process(**{"return_status": "STARTED", **fields}).model_copy(update={"logistics": parcels})


def marked(parcel: int, by: str = "olga") -> Replaced:
    return Replaced(parcel, mark_of("retp_1", f"T{parcel}"), by, WHY)


def reissued(parcel: int, state: IntentState = IntentState.DONE, generation: int = 2) -> Intent:
    """A label that was made in the place of this parcel's."""
    return intent(IntentKind.LABEL, state, generation=generation, replaces=marked(parcel), id=f"label-{generation}")


def asked(it: ReturnProcess, known: Record, parcel: int = 1) -> Decision:
    return decide_reissue(it, rules(), known, NOW, wanted_reissue(it, parcel, by="olga", why=WHY))


def test_a_label_that_is_there_is_replaced_by_the_next_number() -> None:
    decision = asked(shown("CREATED"), record())
    assert isinstance(decision, MakeLabel)
    assert (decision.rule, decision.generation, decision.replaces) == ("label_reissue", 2, marked(1))
    assert f"olga asks for it: {WHY}" in decision.why
    again = LABEL.restored(LABEL.intent(decision), LABEL.stored(decision), decision.rule, decision.why)
    assert again == decision
    assert LABEL.covers(decision, LABEL.intent(decision), again)


@pytest.mark.parametrize(
    ("it", "known", "words"),
    [
        (shown("CREATED", "CREATED"), record(reissued(1)), "was replaced already, for olga"),
        (shown("CREATED", "CREATED"), record(), "another label that was not replaced"),
        (shown("CANCELED"), record(), "its next label is made as any other"),
        (shown("COLLECTED"), record(), "was scanned"),
        (shown("NO_SHIPPING_STATUS"), record(), "not there yet"),
        (shown("BY_PIGEON"), record(), "not there yet"),
        (shown(), record(), "does not show parcel 1"),
        (shown("CREATED", return_status="COLLECTED"), record(), "past collection"),
        (shown("CREATED", status="CANCELED"), record(), "'CANCELED' at REVER"),
        (shown("CREATED"), record(reissued(1, IntentState.DROPPED)), "a person has given up"),
    ],
)
def test_what_is_not_replaced(it: ReturnProcess, known: Record, words: str) -> None:
    decision = asked(it, known)
    assert isinstance(decision, Nothing)
    assert words in decision.why


def test_one_of_unknown_outcome_and_one_that_rever_refused_are_not_asked_for_again() -> None:
    assert isinstance(asked(shown("CREATED"), record(reissued(1, IntentState.UNKNOWN))), Wait)
    refused = record(reissued(1, IntentState.REFUSED))
    held = asked(shown("CREATED"), refused)
    assert isinstance(held, Hold)
    assert held.rule == "label_refused"
    assert isinstance(asked(shown("CREATED"), replace(refused, waivers=(Waiver("label_refused"),))), MakeLabel)


def test_a_parcel_is_known_again_by_its_mark_its_number_without_one_and_never_by_another_s_number() -> None:
    it, moved = shown("CREATED", "CREATED"), shown("CREATED", "CREATED")
    moved = moved.model_copy(update={"logistics": tuple(reversed(moved.logistics or ()))})
    known = record(reissued(1))
    assert (set(replaced_parcels(it, known)), set(replaced_parcels(moved, known))) == ({1}, {2})
    gone = it.model_copy(update={"logistics": (it.logistics or ())[1:]})
    assert replaced_parcels(gone, known) == set()
    bare = process(return_status="STARTED", logistics=["CREATED", "CREATED"])
    assert replaced_parcels(bare, known) == {1}
    seen = [ParcelChange(n, 1, "", "CREATED", NOW, tracking=f"T{3 - n}") for n in (1, 2)]
    assert replaced_as_seen(replace(known, parcels=tuple(seen))).numbers == {2}
    erased = tuple(replace(change, tracking="") for change in seen)
    assert replaced_as_seen(replace(known, parcels=erased)).numbers == {1}


@pytest.mark.parametrize("typed", ["1", "T1", " t 1 ".strip()])
def test_which_parcel_is_meant(typed: str) -> None:
    assert parcel_meant(shown("CREATED", "CREATED"), record(), typed) == 1


def test_without_a_name_the_only_label_is_meant_and_after_a_reissue_the_replaced_one() -> None:
    assert parcel_meant(shown("CANCELED", "CREATED"), record(), "") == 2
    assert parcel_meant(shown("CREATED", "CREATED"), record(reissued(1)), "") == 1
    assert parcel_meant(shown("CREATED"), record(reissued(1, IntentState.WITHDRAWN)), "") == 1
    for it, typed in ((shown("CREATED", "CREATED"), ""), (shown("CANCELED"), ""), (shown("CREATED"), "T9")):
        with pytest.raises(UnclearParcelError):
            parcel_meant(it, record(), typed)


def by_policy(**fields: Any) -> Any:
    return rules(labels=LabelPolicy(reissue=LabelReissue(**fields)))


def seen_for(days: float, parcel: int = 1, status: str = "CREATED") -> tuple[ParcelChange, ...]:
    return (ParcelChange(parcel, 1, "", status, NOW - timedelta(days=days), tracking=f"T{parcel}"),)


@pytest.mark.parametrize("fields", [{"unused_days": 10}, {"expire_days": 10}])
@pytest.mark.parametrize(("days", "due"), [(9.99, False), (10, True), (50, True)])
def test_the_policy_gives_a_label_up_after_so_many_days_and_none_that_nobody_has_seen(
    fields: dict[str, int], days: float, *, due: bool
) -> None:
    it, known = shown("CREATED"), record(parcels=seen_for(days))
    decision = label_or_reissue(it, by_policy(**fields), known, NOW)
    assert isinstance(decision, MakeLabel) is due
    assert isinstance(decide(it, by_policy(**fields), known, NOW), MakeLabel) is due
    if isinstance(decision, MakeLabel):
        in_madrid = label_or_reissue(it, replace(by_policy(**fields), zone=ZoneInfo("Europe/Madrid")), known, NOW)
        since = clock_time(seen_for(days)[0].seen_at, ZoneInfo("Europe/Madrid"))
        assert isinstance(in_madrid, MakeLabel)
        assert f"it is there since {since} and was not used" in in_madrid.why
    assert isinstance(label_or_reissue(it, rules(), known, NOW), Nothing), "off by default"
    assert isinstance(label_or_reissue(it, by_policy(**fields), record(parcels=()), NOW), Nothing)


def test_the_policy_replaces_so_many_labels_of_a_return_whoever_asked_for_the_others() -> None:
    it = shown("CREATED", "CREATED")
    known = record(reissued(1), parcels=(*seen_for(50), *seen_for(50, 2)))
    assert isinstance(label_or_reissue(it, by_policy(unused_days=10), known, NOW), Nothing)
    second = label_or_reissue(it, by_policy(unused_days=10, at_most=2), known, NOW)
    assert isinstance(second, MakeLabel)
    assert (second.generation, second.replaces) == (3, marked(2, by=""))


def test_the_goods_may_come_with_either_label() -> None:
    known = record(reissued(1))
    only_old = decide_label(shown("COLLECTED", "CANCELED"), rules(), known, NOW)
    assert only_old == Nothing("no_label", "the goods are on their way with the label that was replaced")
    assert decide_label(shown("CREATED", "COLLECTED"), rules(), known, NOW).rule == "label_there"
    both = decide(shown("COLLECTED", "IN_WAREHOUSE", return_status="REVIEW_REQUIRED"), rules(), known, NOW)
    assert isinstance(both, Hold)
    assert (both.rule, both.label) == ("both_labels_used", True)
    seen = (*seen_for(2, 1, "COLLECTED"), *seen_for(1, 2, "COLLECTED"))
    assert replaced_as_seen(replace(known, parcels=seen)) == ReplacedAsSeen(frozenset({1}), (1, 2))


@dataclass
class Rever:
    """A REVER that makes, cancels and shows labels, and the desk's record of what it asked for."""

    parcels: list[str] = field(default_factory=list)
    known: Record = field(default_factory=record)
    made: list[int] = field(default_factory=list)

    def shown(self, parcels: int | None = None) -> ReturnProcess:
        return shown(*self.parcels[:parcels])

    def carry_out(self, decision: Decision, state: IntentState = IntentState.DONE) -> None:
        if not isinstance(decision, MakeLabel):
            return
        taken = {it.generation for it in self.known.intents if it.live}
        if decision.generation in taken:
            return  # the ledger's key refuses it
        self.made.append(decision.generation)
        new = replace(LABEL.intent(decision), id=f"label-{decision.generation}", state=state, sent_at=NOW)
        self.known = replace(self.known, intents=(*self.known.intents, new))
        if state is IntentState.DONE:
            self.parcels.append("CREATED")

    @property
    def live(self) -> int:
        gone = replaced_parcels(self.shown(), self.known)
        return sum(it == "CREATED" and n not in gone for n, it in enumerate(self.parcels, start=1))


STEPS = st.lists(
    st.tuples(st.sampled_from(("make", "cancel", "reissue", "old view", "old reissue", "drop")), st.integers(1, 4)),
    max_size=14,
)


@given(STEPS)
def test_of_all_labels_one_counts_whatever_comes_and_whatever_view_is_believed(steps: list[tuple[str, int]]) -> None:
    it = Rever()
    for step, number in steps:
        current = it.shown()
        if step == "make":
            before = it.live
            it.carry_out(decide_label(current, rules(), it.known, NOW))
            assert it.live >= min(1, before)
        elif step == "old view":
            it.carry_out(decide_label(it.shown(number), rules(), it.known, NOW))
        elif step == "cancel" and number <= len(it.parcels):
            it.parcels[number - 1] = "CANCELED"
        elif step in {"reissue", "old reissue", "drop"}:
            view = it.shown(number) if step == "old reissue" else current
            state = IntentState.DROPPED if step == "drop" else IntentState.DONE
            wanted = wanted_reissue(view, number, by="olga", why=WHY)
            it.carry_out(decide_reissue(view, rules(), it.known, NOW, wanted), state)
        assert it.live <= 1
    given_up = any(each.state is IntentState.DROPPED for each in it.known.intents)
    it.carry_out(decide_label(it.shown(), rules(), it.known, NOW + timedelta(hours=1)))
    assert it.live == 1 or given_up, "the next number is never one that is taken"
    assert len(set(it.made)) == len(it.made)


def test_of_several_parcels_the_one_that_is_named_gets_its_new_label_and_the_others_keep_theirs() -> None:
    two = (Parcel((("retl_1", 1),)), Parcel((("retl_1", 1),)))
    first, second = (
        intent(IntentKind.LABEL, generation=n, parcel=n, parcels=two, id=f"label-{n}", sent_at=NOW) for n in (1, 2)
    )
    it, known = shown("CREATED", "CREATED"), record(first, second)
    decision = asked(it, known, 2)
    assert isinstance(decision, MakeLabel)
    assert (decision.generation, decision.parcel, decision.parcels) == (3, 2, two)
    third = replace(LABEL.intent(decision), id="label-3", state=IntentState.DONE, sent_at=NOW)
    known = record(first, second, third)
    assert decide_label(shown("CREATED", "CREATED", "CREATED"), rules(), known, NOW).rule == "label_there"
    dead = decide_label(shown("CREATED", "CREATED", "CANCELED"), rules(), known, NOW)
    assert isinstance(dead, MakeLabel)
    assert (dead.generation, dead.parcel) == (4, 2)
    lone = decide_label(shown("CANCELED", "CREATED", "CREATED"), rules(), known, NOW)
    assert isinstance(lone, MakeLabel)
    assert (lone.generation, lone.parcel) == (4, 1)
    fine = shown("COLLECTED", "CREATED", "COLLECTED", return_status="COLLECTED")
    assert decide_label(fine, rules(), known, NOW).rule != "both_labels_used"
    both = shown("CREATED", "COLLECTED", "COLLECTED", return_status="COLLECTED")
    assert decide_label(both, rules(), known, NOW).rule == "both_labels_used"
    used = decide_label(shown("CREATED", "COLLECTED", "CANCELED", return_status="COLLECTED"), rules(), known, NOW)
    assert isinstance(used, Nothing), "the second parcel goes with the label that was replaced"


def test_a_label_that_somebody_else_has_made_is_replaced_as_one_and_a_new_one_made_by_hand_is_enough() -> None:
    by_hand = record(reissued(1, IntentState.DONE_BY_HAND))
    assert decide_label(shown("CREATED"), rules(), by_hand, NOW).rule == "label_by_hand"
    first = record(intent(IntentKind.LABEL, generation=1, sent_at=NOW), reissued(1, IntentState.DONE_BY_HAND))
    assert decide_label(shown("CREATED"), rules(), first, NOW).rule == "label_by_hand"
    split = rules(labels=LabelPolicy(parcels=ParcelSplit(max_units=1)))
    it = shown("CREATED", return_line_items=(line(quantity=2),))
    decision = decide_reissue(it, split, record(), NOW, wanted_reissue(it, 1, by="olga", why=WHY))
    assert isinstance(decision, MakeLabel)
    assert decision.parcels == ()
