"""answer-hold: what becomes of a return after each answer to each kind of hold, by books, ledger and report."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flows.run import UsageError
from rever_api.errors import OutcomeUnknown
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from rever_api.sandbox.state import Actor
from tasks.crash_points import CrashPoint, reached
from tasks.desk import DeskError, utc_now
from tasks.ledger import AnswerError, HoldRow, LedgerError, history
from tasks.ledger.types import History
from tasks.policy.clocks import clock_time
from tasks.policy.store import StoreRules
from tasks.reporting.report import ReturnsReport
from tasks.reporting.report_page import report_page
from tests.forked import command
from tests.world import Start, World

SOON = timedelta(minutes=5)
HOURS_LATER = FaultPlan(named=(NamedFault("issueRefund", 1, Fault.ACTS_LATER),), later=3600.0)
"""REVER acts on the first refund long after it was held; `stop_faults` lets it land."""


def say(world: World, hold: HoldRow, answer: str, **more: str) -> ReturnsReport:
    """Give an answer as a person would."""
    said = {"by": "olga", "reason": "looked at it"} | more
    said = {"mode": "act"} | said
    return world.run("answer-hold", hold_id=hold.hold_id, version=str(hold.version), answer=answer, **said)


def later(world: World, by: timedelta = SOON) -> None:
    """Let time pass for the desk."""
    before = world.clock
    world.clock = lambda: before() + by


def the_hold(world: World, process_id: str) -> HoldRow:
    [hold] = [hold for hold in world.holds() if hold.process_id == process_id]
    return hold


def told(hold: HoldRow) -> str:
    """How a note names the hold that was answered."""
    return f"{hold.process_id} (order {hold.order_name}, hold {hold.hold_id})"


def known(world: World, process_id: str) -> History:
    found = world.read(history, process_id)
    assert found is not None
    return found


def through_api(world: World, process_id: str, operation: str = "issueRefund") -> list[Decimal | None]:
    """What this desk's calls did for a return, by the books."""
    effects = [effect for effect in world.sandbox.books.effects if effect.process_id == process_id]
    return [effect.amount for effect in effects if effect.by is Actor.API and effect.operation == operation]


def in_all(world: World, process_id: str) -> Decimal:
    """What the shopper has, whoever paid it, by the books."""
    effects = [effect for effect in world.sandbox.books.effects if effect.process_id == process_id]
    return sum((effect.amount or Decimal(0) for effect in effects if effect.operation == "issueRefund"), Decimal(0))


def states(world: World, process_id: str) -> list[str]:
    return [row.intent.state.value for row in known(world, process_id).intents]


def held_by(world: World, scenario: str, rule: str, flow: str = "process-pending-returns") -> HoldRow:
    """Run until a return of this scenario is held by this rule."""
    process_id = world.sandbox.process_ids(scenario)[0]
    world.run(flow, mode="act", process_ids=process_id)
    hold = the_hold(world, process_id)
    assert hold.rule == rule
    assert hold.why
    assert list(hold.answers)[1:] == ["done_by_hand", "drop"]
    return hold


def unknown_hold(world: World) -> HoldRow:
    """A refund that was sent, was not done, and nobody knows."""
    process_id = world.sandbox.process_ids("approved_one")[0]
    world.act(process_ids=process_id)
    assert world.holds() == []
    later(world)
    world.run("reconcile", mode="act")
    hold = the_hold(world, process_id)
    assert hold.rule == "unknown_outcome"
    return hold


@pytest.fixture
def world(start_world: Start) -> World:
    """A desk in front of one return of each scenario."""
    return start_world(returns=34)


@pytest.fixture
def lost(start_world: Start) -> World:
    """A sandbox whose first refund fails so that nobody knows whether it was done; it was not."""
    return start_world(returns=34, faults="issueRefund:1:error_500_before", settings={"REVER_STORES": "acme"})


def test_a_plan_of_an_answer_does_not_say_that_nothing_would_be_paid(world: World) -> None:
    hold = held_by(world, "foreign_different", "foreign_refund")
    plan = say(world, hold, "approve", mode="plan")
    text = "\n".join([*plan.lines(), plan.sentence(), report_page(plan)]).lower()
    assert "act would" not in text
    assert "the shopper gets" in text
    since = clock_time(hold.since, ZoneInfo("Europe/Madrid"))
    assert any(note.startswith(f"{hold.process_id} is held since {since} (") for note in plan.notes)
    one = world.run("process-return", process_id=hold.process_id)
    assert "act would pay now" in "\n".join(one.lines())


class TestUnknownOutcome:
    """A refund was sent and nobody knows what came of it."""

    @pytest.mark.parametrize("word", ["retry", "send_again"])
    def test_it_is_sent_once_more(self, lost: World, word: str) -> None:
        hold = unknown_hold(lost)
        once, twice = Decimal(hold.amount or ""), 2 * Decimal(hold.amount or "")
        numbers = (
            f"{once} {hold.currency} more, {once} {hold.currency} in all; were the first to land after all, {twice}"
        )
        assert numbers in hold.answers["send_again"]
        report = say(lost, hold, word)
        assert through_api(lost, hold.process_id) == [Decimal(hold.amount or "")]
        assert report.paid == {"EUR": Decimal(hold.amount or "")}
        assert states(lost, hold.process_id) == ["done"]
        assert known(lost, hold.process_id).intents[0].attempt == 2
        assert lost.act(process_ids=hold.process_id).paid == {}

    def test_what_rever_shows_by_then_is_not_sent_again(self, start_world: Start) -> None:
        world = start_world(returns=34, faults=HOURS_LATER, settings={"REVER_STORES": "acme"})
        hold = unknown_hold(world)
        world.sandbox.stop_faults()
        report = say(world, hold, "retry")
        assert len(through_api(world, hold.process_id)) == 1
        assert report.paid == {"EUR": Decimal(hold.amount or "")}
        assert "nothing was sent again" in " ".join(report.notes)
        assert states(world, hold.process_id) == ["done"]

    @pytest.mark.parametrize("flow", ["answer-hold", "reconcile"])
    def test_two_who_find_it_done_at_once_count_it_once(
        self, start_world: Start, monkeypatch: pytest.MonkeyPatch, flow: str
    ) -> None:
        world = start_world(returns=34, faults=HOURS_LATER, settings={"REVER_STORES": "acme"})
        hold = unknown_hold(world)
        world.sandbox.stop_faults()
        faster: list[ReturnsReport] = []

        def overtaken(point: CrashPoint, _process_id: str) -> None:
            if point is CrashPoint.WHILE_SETTLING:
                monkeypatch.setattr("tasks.settle_outcomes.reached", reached)
                with ThreadPoolExecutor() as threads:
                    faster.append(threads.submit(world.run, "reconcile", mode="act").result())

        monkeypatch.setattr("tasks.settle_outcomes.reached", overtaken)
        if flow == "reconcile":
            assert world.run(flow, mode="act").paid == {}
        else:
            with pytest.raises(AnswerError, match="it was seen at REVER"):
                say(world, hold, "retry")
        assert [report.paid for report in faster] == [{"EUR": Decimal(hold.amount or "")}]
        assert through_api(world, hold.process_id) == [Decimal(hold.amount or "")]

    @pytest.mark.parametrize(("answer", "state"), [("done_by_hand", "done_by_hand"), ("drop", "dropped")])
    def test_what_a_person_closed_is_never_sent_again(self, lost: World, answer: str, state: str) -> None:
        hold = unknown_hold(lost)
        report = say(lost, hold, answer, reference="bank 7")
        assert states(lost, hold.process_id) == [state]
        assert report.paid == {}
        lost.act()
        lost.run("reconcile", mode="act")
        assert through_api(lost, hold.process_id) == []
        assert hold.process_id not in {each.process_id for each in lost.holds()}

    def test_both_attempts_landing_is_reported_and_held(self, start_world: Start) -> None:
        """The excess: a first attempt that lands after the second one was sent and confirmed."""
        world = start_world(returns=34, faults=HOURS_LATER, settings={"REVER_STORES": "acme"})
        hold = unknown_hold(world)
        say(world, hold, "retry")
        assert len(through_api(world, hold.process_id)) == 1
        world.sandbox.stop_faults()
        assert len(through_api(world, hold.process_id)) == 2
        world.run("reconcile", mode="act")
        excess = the_hold(world, hold.process_id)
        assert excess.kind == "foreign_refund"
        assert str(hold.amount) in excess.why
        say(world, excess, "drop", reason="the shopper may keep it")
        world.act()
        world.run("reconcile", mode="act")
        assert len([hold for hold in world.holds() if hold.process_id == excess.process_id]) == 0
        assert len(through_api(world, hold.process_id)) == 2

    def test_a_retry_while_effects_are_stopped_is_not_taken(self, lost: World) -> None:
        hold = unknown_hold(lost)
        cli(lost, "stop", "--by", "pau", "--why", "prices")
        with pytest.raises(DeskError, match="stopped by pau"):
            say(lost, hold, "retry")
        assert the_hold(lost, hold.process_id) == hold
        cli(lost, "start", "--by", "pau")
        say(lost, hold, "retry")
        assert len(through_api(lost, hold.process_id)) == 1


def cli(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(*arguments, environment=world.environment, folder=world.ledger_file.parent).ended()


class TestRefused:
    """REVER said no."""

    @pytest.fixture
    def refusing(self, start_world: Start) -> World:
        return start_world(faults="issueRefund:1:conflict_409")

    def test_retry_pays(self, refusing: World) -> None:
        hold = held_by(refusing, "approved_one", "refused_by_rever")
        assert through_api(refusing, hold.process_id) == []
        report = say(refusing, hold, "retry")
        assert through_api(refusing, hold.process_id) == [Decimal(hold.amount or "")]
        assert list(report.paid.values()) == [Decimal(hold.amount or "")]
        assert states(refusing, hold.process_id) == ["refused", "done"]

    def test_done_by_hand_closes(self, refusing: World) -> None:
        hold = held_by(refusing, "approved_one", "refused_by_rever")
        report = say(refusing, hold, "done_by_hand", reference="bank 8", on="2026-11-20")
        assert report.notes[0].endswith("What follows: nothing more is due now")
        assert states(refusing, hold.process_id) == ["refused", "done_by_hand"]
        audit = [row for row in known(refusing, hold.process_id).audit if row.event == "answered"]
        assert audit[0].evidence["reference"] == "bank 8"
        assert audit[0].evidence["on"] == "2026-11-20"
        assert audit[0].actor == "olga"
        refusing.act()
        assert through_api(refusing, hold.process_id) == []


class TestApproval:
    """A store wants a person to approve what never reached the shopper."""

    @pytest.fixture
    def careful(self, start_world: Start, tmp_path: Path) -> World:
        policy = tmp_path / "policy.toml"
        policy.write_text('[default]\nnot_received = "hold"\n')
        return start_world({"REVER_POLICY": str(policy)})

    def test_retry_approves_it(self, careful: World) -> None:
        hold = held_by(careful, "not_received", "not_received")
        say(careful, hold, "retry")
        assert sum(amount or 0 for amount in through_api(careful, hold.process_id)) == Decimal(hold.amount or "")
        assert careful.sandbox.audit().violations == ()

    def test_one_unit_dropped_and_the_other_paid(self, careful: World) -> None:
        """An answer may name units: what is left is asked about again, with what is left of the amount."""
        hold = held_by(careful, "not_received", "not_received")
        line = known(careful, hold.process_id).holds[0]
        [line_id] = _lines(careful, hold.process_id)
        say(careful, hold, "drop", units=f"{line_id}:1")
        rest = the_hold(careful, hold.process_id)
        assert line.hold.hold_id != rest.hold_id
        assert rest.amount
        assert hold.amount
        assert Decimal(rest.amount) < Decimal(hold.amount)
        say(careful, rest, "retry")
        assert through_api(careful, hold.process_id) == [Decimal(rest.amount)]
        assert careful.sandbox.audit().violations == ()

    def test_units_that_do_not_exist_are_refused(self, careful: World) -> None:
        hold = held_by(careful, "not_received", "not_received")
        [line_id] = _lines(careful, hold.process_id)
        with pytest.raises(LedgerError, match="units 1 to 2"):
            say(careful, hold, "drop", units=f"{line_id}:3")
        assert the_hold(careful, hold.process_id) == hold


def _lines(world: World, process_id: str) -> list[str]:
    with world.sandbox.sandbox.locked():
        return [line.id for line in world.sandbox.sandbox.processes[process_id].process.return_line_items]


class TestForeignRefund:
    """REVER shows a refund of another amount than is due."""

    def test_done_by_hand_must_be_what_rever_shows(self, world: World) -> None:
        hold = held_by(world, "foreign_different", "foreign_refund")
        [shown] = [e.amount for e in world.sandbox.books.effects if e.process_id == hold.process_id and e.amount]
        with pytest.raises(DeskError, match=f"REVER shows refunds .* {shown}"):
            say(world, hold, "done_by_hand", reference="back office", reason="")
        assert the_hold(world, hold.process_id) == hold
        say(world, hold, "done_by_hand", reference="back office", amount=str(shown), reason="")
        assert states(world, hold.process_id) == ["done_by_hand"]
        world.act()
        world.run("reconcile", mode="act")
        assert through_api(world, hold.process_id) == []
        assert known(world, hold.process_id).record.final

    def test_another_amount_needs_a_reason_and_the_audit_has_both(self, world: World) -> None:
        hold = held_by(world, "foreign_different", "foreign_refund")
        say(world, hold, "done_by_hand", reference="bank 9", amount="1.00", reason="paid beside it")
        [answered] = [row for row in known(world, hold.process_id).audit if row.event == "answered"]
        assert answered.evidence["why"] == "paid beside it"
        assert f"{hold.currency} by" in answered.evidence["at_rever"]

    def test_an_exact_one_is_adopted_without_asking(self, world: World) -> None:
        process_id = world.sandbox.process_ids("foreign_exact")[0]
        world.act(process_ids=process_id)
        assert states(world, process_id) == ["done"]
        assert known(world, process_id).intents[0].intent.adopted
        assert through_api(world, process_id) == []

    def test_retry_pays_just_the_amount_that_was_seen(self, world: World) -> None:
        hold = held_by(world, "foreign_different", "foreign_refund")
        say(world, hold, "retry")
        assert through_api(world, hold.process_id) == [Decimal(hold.amount or "")]
        world.act()
        assert through_api(world, hold.process_id) == [Decimal(hold.amount or "")]

    def test_each_answer_says_in_numbers_what_the_shopper_gets_and_that_is_so(self, world: World) -> None:
        hold = held_by(world, "foreign_different", "foreign_refund")
        due, there = Decimal(hold.amount or ""), in_all(world, hold.process_id)
        more = f"the shopper gets {due} {hold.currency} more, {there + due} {hold.currency} in all"
        nothing = f"the shopper gets nothing more, {there} {hold.currency} in all"
        assert more in hold.answers["approve"]
        assert nothing in hold.answers["drop"]
        assert nothing in hold.answers["done_by_hand"]
        planned = world.run("answer-hold", hold_id=hold.hold_id, version=str(hold.version))
        assert any(more in note for note in planned.notes)
        report = say(world, hold, "approve")
        assert any(f"answered approve by olga: paid {due} {hold.currency}" in note for note in report.notes)
        assert in_all(world, hold.process_id) == there + due

    @pytest.mark.parametrize("mode", ["plan", "act"])
    @pytest.mark.parametrize(("on", "words"), [("2099-01-01", "a day to come"), ("0001-01-01", "before any return")])
    def test_a_day_that_cannot_be_is_refused(self, world: World, mode: str, on: str, words: str) -> None:
        hold = held_by(world, "foreign_different", "foreign_refund")
        with pytest.raises(DeskError, match=words):
            say(world, hold, "done_by_hand", reference="bank 9", on=on, mode=mode)
        assert the_hold(world, hold.process_id).version == hold.version

    def test_a_day_long_before_the_return_began_is_refused_and_one_shortly_before_is_not(self, world: World) -> None:
        hold = held_by(world, "foreign_different", "foreign_refund")
        began = world.sandbox.sandbox.processes[hold.process_id].process.started_at
        assert began is not None
        said = {"reference": "bank 9", "reason": "paid beside it", "amount": "1.00"}
        with pytest.raises(DeskError, match="long before the return began"):
            say(world, hold, "done_by_hand", on=f"{began - timedelta(days=32):%F}", **said)
        say(world, hold, "done_by_hand", on=f"{began - timedelta(days=3):%F}", **said)
        assert states(world, hold.process_id) == ["done_by_hand"]

    @pytest.mark.parametrize("word", ["send_again", "look_again", "take_as_it_is"])
    def test_another_word_is_refused_and_nothing_is_paid(self, world: World, word: str) -> None:
        hold = held_by(world, "foreign_different", "foreign_refund")
        with pytest.raises(AnswerError, match="it is answered with approve, done_by_hand or drop"):
            say(world, hold, word)
        assert through_api(world, hold.process_id) == []

    @pytest.mark.parametrize("answer", ["drop", "done_by_hand", "retry"])
    def test_a_further_one_was_seen_by_nobody_and_is_asked_about(self, world: World, answer: str) -> None:
        hold = held_by(world, "foreign_different", "foreign_refund")
        say(world, hold, answer, reference="back office", reason="goodwill")
        paid = through_api(world, hold.process_id)
        world.sandbox.act("pay", hold.process_id, amount="1.00")
        world.run("reconcile", mode="act")
        again = the_hold(world, hold.process_id)
        assert (again.rule, again.hold_id != hold.hold_id) == ("foreign_refund", True)
        assert through_api(world, hold.process_id) == paid
        say(world, again, "drop", reason="goodwill too")
        world.run("reconcile", mode="act")
        assert [each for each in world.holds() if each.process_id == hold.process_id] == []

    def test_one_that_came_before_the_answer_is_not_covered_by_it(self, world: World) -> None:
        """The person said that what is due be paid beside what the hold told of, not beside more."""
        hold = held_by(world, "foreign_different", "foreign_refund")
        world.sandbox.act("pay", hold.process_id, amount="1.00")
        say(world, hold, "retry")
        world.act()
        assert the_hold(world, hold.process_id).hold_id != hold.hold_id
        assert through_api(world, hold.process_id) == []


def test_a_rever_that_cannot_be_read_after_the_answer_is_no_fault_of_ours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = held_by(world, "foreign_different", "foreign_refund")

    async def unread(*_: object) -> StoreRules:
        raise OutcomeUnknown("getEcommerceSettings was answered with 500")

    monkeypatch.setattr("tasks.desk.Desk.rules", unread)
    report = say(world, hold, "drop")
    assert [(failure.why, failure.ours) for failure in report.failures] == [
        ("getEcommerceSettings was answered with 500", False)
    ]
    assert the_answer(world, hold) == "drop"


def the_answer(world: World, hold: HoldRow) -> str:
    [answered] = [each for each in known(world, hold.process_id).holds if each.hold.hold_id == hold.hold_id]
    return answered.answer


def test_not_paid_by_rever_goes_on_waiting_after_a_retry(start_world: Start) -> None:
    world = start_world(
        settings={"REVER_REFUNDS_BY": "rever", "REVER_STORES": "autopay"}, shops=("autopay",), pays_itself_after=9e9
    )
    process_id = world.sandbox.process_ids("approved_one")[0]
    later(world, timedelta(days=4))
    world.act(process_ids=process_id)
    hold = the_hold(world, process_id)
    assert hold.kind == "not_paid_by_rever"
    report = say(world, hold, "retry")
    assert report.decisions["wait"] == 1
    assert world.holds() == []
    assert through_api(world, process_id) == []


class TestOutOfStock:
    """REVER refused an exchange, since a variant is out of stock."""

    def test_retry_orders_it_once_there_is_stock(self, world: World) -> None:
        hold = held_by(world, "exchange_out_of_stock", "out_of_stock")
        say(world, hold, "retry")
        again = the_hold(world, hold.process_id)
        assert again.hold_id != hold.hold_id
        with world.sandbox.sandbox.locked():
            for variant in world.sandbox.sandbox.stock:
                world.sandbox.sandbox.stock[variant] = 9
        say(world, again, "retry")
        assert len(through_api(world, hold.process_id, "issueExchange")) == 1
        assert states(world, hold.process_id)[-1] == "done"
        assert world.sandbox.audit().violations == ()

    def test_drop_closes_the_units(self, world: World) -> None:
        hold = held_by(world, "exchange_out_of_stock", "out_of_stock")
        say(world, hold, "drop")
        world.act()
        assert through_api(world, hold.process_id, "issueExchange") == []
        assert known(world, hold.process_id).record.decision == "no action"


class TestLabel:
    """No carrier fits."""

    @pytest.mark.parametrize("answer", ["done_by_hand", "drop"])
    def test_a_label_that_a_person_took_care_of_is_not_asked_for_again(self, world: World, answer: str) -> None:
        process_id = world.sandbox.process_ids("country_unserved")[0]
        world.run("generate-labels", mode="act", process_ids=process_id)
        hold = the_hold(world, process_id)
        assert hold.label
        say(world, hold, answer, reference="label 12")
        world.run("generate-labels", mode="act", process_ids=process_id)
        assert world.holds() == []
        assert through_api(world, process_id, "createOrderV2") == []

    def test_retry_asks_again_while_nothing_has_changed(self, world: World) -> None:
        process_id = world.sandbox.process_ids("country_unserved")[0]
        world.run("generate-labels", mode="act", process_ids=process_id)
        say(world, the_hold(world, process_id), "retry")
        assert through_api(world, process_id, "createOrderV2") == []
        assert process_id in world.explained()


class TestUnknownValue:
    """REVER says something that this desk does not know."""

    def test_retry_holds_again_and_says_so_before(self, world: World) -> None:
        hold = held_by(world, "unknown_method", "unknown_method")
        assert "holds again" in hold.answers["look_again"]
        say(world, hold, "retry")
        assert the_hold(world, hold.process_id).rule == "unknown_method"
        assert through_api(world, hold.process_id) == []

    def test_a_status_not_known_is_closed_by_naming_units(self, world: World) -> None:
        process_id = world.sandbox.process_ids("unknown_status")[0]
        world.run("reconcile", mode="act")
        hold = the_hold(world, process_id)
        with pytest.raises(LedgerError, match="names no units"):
            say(world, hold, "drop")
        [line_id] = _lines(world, process_id)
        say(world, hold, "done_by_hand", reference="bank 3", amount="12.50", units=f"{line_id}:1+2")
        assert states(world, process_id) == ["done_by_hand"]
        world.sandbox.act("release", process_id)
        world.act()
        assert through_api(world, process_id) == []


class TestTogether:
    """Many holds of one cause."""

    @pytest.fixture
    def world(self, start_world: Start) -> World:
        """Enough returns that some are held for the same cause."""
        return start_world()

    def test_all_of_a_cause_after_plan_has_listed_them(self, world: World) -> None:
        world.act()
        chosen = [hold for hold in world.holds() if hold.rule == "foreign_refund"]
        others = {hold.hold_id for hold in world.holds()} - {hold.hold_id for hold in chosen}
        assert len(chosen) > 1
        plan = world.run("answer-holds", cause="foreign_refund")
        assert plan.seen == len(chosen)
        mark = plan.notes[-1].split("listed=")[1].split()[0]
        told = {"mode": "act", "cause": "foreign_refund", "answer": "drop", "by": "olga", "reason": "goodwill"}
        with pytest.raises(UsageError, match="listed"):
            world.run("answer-holds", **told)
        world.run("answer-holds", listed=mark, **told)
        assert {hold.hold_id for hold in world.holds()} == others
        assert {states(world, hold.process_id)[-1] for hold in chosen} == {"dropped"}
        with pytest.raises(DeskError, match="nothing is held by"):
            world.run("answer-holds", listed=mark, **told)

    def test_a_list_that_has_changed_is_refused_whole(self, world: World) -> None:
        world.act()
        chosen = [hold for hold in world.holds() if hold.rule == "foreign_refund"]
        plan = world.run("answer-holds", cause="foreign_refund")
        mark = plan.notes[-1].split("listed=")[1].split()[0]
        say(world, chosen[0], "drop")
        told = {"mode": "act", "answer": "drop", "by": "olga", "reason": "goodwill"}
        with pytest.raises(DeskError, match="have changed since they were listed"):
            world.run("answer-holds", cause="foreign_refund", listed=mark, **told)
        both = ",".join(f"{hold.hold_id}:{hold.version}" for hold in chosen)
        with pytest.raises(DeskError, match="was answered with 'drop' by olga"):
            world.run("answer-holds", holds=both, **told)
        assert {hold.hold_id for hold in world.holds()} >= {hold.hold_id for hold in chosen[1:]}
        rest = ",".join(f"{hold.hold_id}:{hold.version}" for hold in chosen[1:])
        world.run("answer-holds", holds=rest, **told)
        assert [hold for hold in world.holds() if hold.rule == "foreign_refund"] == []


def test_plan_tells_what_each_answer_would_do_and_changes_nothing(world: World) -> None:
    hold = held_by(world, "foreign_different", "foreign_refund")
    plan = world.run("answer-hold", hold_id=hold.hold_id, version=str(hold.version))
    notes = "\n".join(plan.notes)
    assert hold.why in notes
    assert all(words in notes for words in hold.answers.values())
    assert the_hold(world, hold.process_id) == hold


def test_plan_refuses_an_answer_that_the_hold_does_not_take(world: World) -> None:
    hold = held_by(world, "foreign_different", "foreign_refund")
    named = {"hold_id": hold.hold_id, "version": str(hold.version)}
    with pytest.raises(AnswerError, match="send_again is no answer to this hold; it takes approve, done_by_hand, drop"):
        world.run("answer-hold", **named, answer="send_again")
    notes = "\n".join(world.run("answer-hold", **named, answer="drop").notes)
    assert hold.answers["drop"] in notes
    assert hold.answers["approve"] not in notes


@pytest.mark.crash
def test_two_people_at_once_are_one_answer(lost: World) -> None:
    hold = unknown_hold(lost)
    lost.date = utc_now  # the clock of the commands
    said = (f"hold_id={hold.hold_id}", f"version={hold.version}", "answer=retry", "mode=act")
    words, where = ("run", "answer-hold", "--no-prefect", *said), lost.ledger_file.parent
    lost.date = utc_now  # these processes go by this machine's clock, and not by the test's
    people = [
        command(*words, f"by={name}", environment=lost.environment, folder=where) for name in ("olga", "pau", "ada")
    ]
    ended = [person.ended() for person in people]
    assert sorted(end.returncode for end in ended) == [0, 1, 1], ended
    assert all("nothing was done" in end.stderr for end in ended if end.returncode)
    assert len(through_api(lost, hold.process_id)) == 1
    assert [row.answer for row in known(lost, hold.process_id).holds] == ["retry"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "hold_id: Field required; version: Field required"),
        ({"hold_id": "h"}, "version: Field required"),
        ({"hold_id": "h", "version": "1", "cause": "x"}, "'cause' is no parameter"),
        ({"hold_id": "h", "version": "1", "mode": "act"}, "say the answer"),
        ({"hold_id": "h", "version": "1", "mode": "act", "answer": "drop", "by": "olga"}, "needs a reason"),
        ({"hold_id": "h", "version": "1", "mode": "act", "answer": "done_by_hand", "by": "o"}, "needs a reference"),
        (
            {"hold_id": "h", "version": "1", "mode": "act", "answer": "approve", "by": "o", "amount": "3"},
            "state no units and no amount",
        ),
        ({"hold_id": "h", "version": "1", "units": "line"}, "LINE:1"),
    ],
)
def test_a_form_that_is_not_clear_is_refused(world: World, values: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        world.run("answer-hold", **values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "one of the two"),
        ({"holds": "h:1", "cause": "x"}, "one of the two"),
        ({"holds": "h"}, "HOLD:VERSION"),
        ({"holds": "h:1", "amount": "3"}, "'amount' is no parameter"),
        ({"cause": "x", "mode": "act", "answer": "approve", "by": "olga"}, "say which list you mean"),
        ({"holds": "h:1", "mode": "act", "answer": "drop", "by": "olga"}, "needs a reason"),
    ],
)
def test_a_form_for_many_that_is_not_clear_is_refused(world: World, values: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        world.run("answer-holds", **values)


def test_goods_that_a_person_exchanged_by_hand_bear_no_costs(start_world: Start) -> None:
    """A hold that says nothing of the method: its units are to be refunded or to be exchanged, as REVER shows it."""
    world = start_world(shops=("acme",), timings={"acme": "ON_FULL_MOON"})
    for scenario, bears in (("exchange_reviewed", False), ("approved_one", True)):
        hold = held_by(world, scenario, "unknown_timing")
        say(world, hold, "done_by_hand", reference="parcel 7", amount="0")
        [row] = known(world, hold.process_id).intents
        assert (row.intent.state.value, bool(row.intent.gross)) == ("done_by_hand", bears)


class TestMoreThanTheHolds:
    """A return with a line that never arrived, above a cap, and another line that is due by another method."""

    @pytest.fixture
    def both(self, start_world: Start, tmp_path: Path) -> World:
        policy = tmp_path / "policy.toml"
        caps = '[default.guards]\nmax_refund = { EUR = "30", SEK = "300" }\n'
        policy.write_text(f'[default]\nnot_received = "hold"\n{caps}')
        return start_world({"REVER_POLICY": str(policy)})

    @staticmethod
    def split(world: World) -> HoldRow:
        """A guard's hold of a return of which more is due than the refund that it holds, and no other trips."""
        world.act()
        caps = {"EUR": Decimal(30), "SEK": Decimal(300)}
        split = [
            hold
            for hold in world.holds()
            if hold.rule == "guard:max_refund" and "due besides" in hold.answers["approve"]
        ]
        return next(hold for hold in split if _amounts(hold.answers["approve"])[1] <= caps[hold.currency])

    def test_approve_pays_what_it_said_and_the_note_says_what_was_paid(self, both: World) -> None:
        hold = self.split(both)
        own, besides, in_all_then = _amounts(hold.answers["approve"])
        assert own == Decimal(hold.amount or "")
        report = say(both, hold, "approve")
        [note] = report.notes
        assert note.startswith(f"{told(hold)}: answered approve by olga: ")
        assert "the shopper gets" not in note
        assert through_api(both, hold.process_id) == [own, besides]
        assert all(f"paid {amount} {hold.currency} by " in note for amount in (own, besides))
        assert in_all(both, hold.process_id) == in_all_then

    def test_drop_pays_what_it_said_stays_due(self, both: World) -> None:
        hold = self.split(both)
        before = in_all(both, hold.process_id)
        assert "for other units and" in hold.answers["drop"]
        left = Decimal(hold.answers["drop"].split("in all; ")[1].split()[0].replace(",", ""))
        report = say(both, hold, "drop")
        [note] = report.notes
        assert re.search(r"answered drop by olga: \d+ units? closed as dropped", note)
        both.act()
        assert through_api(both, hold.process_id) == [left]
        assert in_all(both, hold.process_id) == before + left

    @pytest.mark.parametrize("word", ["go on", "drop"])
    def test_what_the_shopper_has_in_all_is_what_was_said_unless_it_is_held_again(self, both: World, word: str) -> None:
        both.act()
        asked = {hold.process_id: hold for hold in both.holds() if not hold.label}
        for hold in asked.values():
            say(both, hold, next(iter(hold.answers)) if word == "go on" else word)
        both.act()
        held = {hold.process_id for hold in both.holds() if not hold.label}
        came = {process_id: hold for process_id, hold in asked.items() if process_id not in held}
        assert len(came) > 1
        for process_id, hold in came.items():
            said = hold.answers["drop"] if word == "drop" else next(iter(hold.answers.values()))
            found = re.findall(r"(\S+) (?:EUR|SEK) in all", said)
            if found:
                assert in_all(both, process_id) == Decimal(found[-1].replace(",", "")), (hold.rule, said)


def _amounts(words: str) -> tuple[Decimal, Decimal, Decimal]:
    found = re.search(r"gets (\S+) \w+ more for this, and (\S+) \w+ that is due besides, (\S+) \w+ in all", words)
    assert found is not None, words
    own, besides, total = map(Decimal, found.groups())
    return own, besides, total


def test_what_another_rule_holds_again_is_not_told_as_paid(start_world: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    caps = '[default.guards]\nmax_refund = { EUR = "1", SEK = "1" }\n'
    policy.write_text(f'[default]\nnot_received = "hold"\n{caps}')
    world = start_world({"REVER_POLICY": str(policy)})
    hold = held_by(world, "not_received", "not_received")
    report = say(world, hold, "approve")
    assert report.paid == {}
    again = the_hold(world, hold.process_id)
    assert report.notes == [
        f"{told(hold)}: answered approve by olga: nothing was paid, ordered or sent; held by `guard:max_refund`. "
        f"What follows: it waits for a person (hold {again.hold_id}, version 1)"
    ]
    assert report.sentence().startswith(report.notes[0])


def test_what_rever_refuses_again_is_told_as_refused(world: World) -> None:
    hold = held_by(world, "exchange_out_of_stock", "out_of_stock")
    [note] = say(world, hold, "send_again").notes
    again = the_hold(world, hold.process_id)
    assert note == (
        f"{told(hold)}: answered send_again by olga: REVER refused the exchange; held by `out_of_stock`. "
        f"What follows: it waits for a person (hold {again.hold_id}, version 1)"
    )


def test_an_answer_while_effects_are_stopped_says_that_nothing_was_sent(world: World) -> None:
    hold = held_by(world, "foreign_different", "foreign_refund")
    cli(world, "stop", "--by", "pau", "--why", "prices")
    report = say(world, hold, "approve")
    assert report.paid == {}
    [note] = [note for note in report.notes if hold.process_id in note]
    done, _, follows = note.partition(". What follows: ")
    assert done == f"{told(hold)}: answered approve by olga: nothing was paid, ordered or sent"
    assert follows.startswith("it waits: ")
    assert "stopped by pau" in follows
