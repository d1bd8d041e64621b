"""archive-ledger over the sandbox: what a report of an old window says, and what comes of a return that lives again."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from rever_api.models import Compensation, ProcessStatus, ReviewStatus
from tasks.archive_ledger import WindowTooShort, check_window
from tasks.ledger import LedgerError, check, history
from tasks.policy.policy_file import read_policy
from tasks.policy.rules.gates import ARCHIVED
from tasks.reporting.archive_report import ArchiveReport
from tasks.reporting.daily_report import DailyRun
from tasks.reporting.report_page import report_page
from tasks.reporting.story import Story
from tasks.reporting.story_report import StoryReport
from tests.flows.test_order_shipping import agrees
from tests.flows.test_own_rules import refunds
from tests.tasks.files.payouts import STRIPE_HEADER, file_of, stripe_row
from tests.world import Start, World, told

DAY = 86_400.0
PAID, DECLINED = "approved_one", "declined"


def archive(world: World, mode: str = "act", **values: str) -> ArchiveReport:
    report = world.tell("archive-ledger", mode=mode, **values)
    assert isinstance(report, ArchiveReport)
    assert (report.failed_why, report.failures) == ("", [])
    return report


@pytest.fixture
def world(start_world: Start) -> World:
    """Two returns that were over 500 days ago, of which one was paid and of the other nothing was accepted."""
    world = start_world(shops=("acme",), returns=34)
    world.keep_only([PAID, DECLINED])
    world.run("track-parcels", mode="act")
    world.act()
    world.pass_time(DAY)
    world.act()
    world.run("reconcile", mode="act")
    world.pass_time(500 * DAY)
    return world


def reopened(world: World, scenario: str, **changed: object) -> None:
    """REVER shows the return as running again, as if nothing had been paid for it."""
    with world.sandbox.sandbox.locked():
        (stored,) = (it for it in world.sandbox.sandbox.processes.values() if it.scenario == scenario)
        world.sandbox.sandbox.change(stored, rever_process_status=ProcessStatus.RUNNING, **changed)


def test_a_plan_writes_nothing_and_says_what_an_act_then_moves(world: World) -> None:
    before = world.ledger_file.read_bytes()
    plan = archive(world, "plan")
    assert world.ledger_file.read_bytes() == before
    assert list(world.ledger_file.parent.glob("*.archives")) == []
    done = archive(world)
    assert (plan.seen, done.seen) == (2, 2)
    assert plan.done is not None
    assert done.done is not None
    page = report_page(plan)
    assert page.startswith("### archive-ledger (plan)")
    assert f"| Would move | 2 returns of {plan.done.plan.of}" in page
    assert "| Over since | " in page
    assert "| To | " in page
    assert "| Archives | " in report_page(done)
    assert done.done.moved is not None
    moved = {name: done.done.moved.rows[name] for name in plan.done.plan.rows}
    assert moved == plan.done.plan.rows
    assert done.as_json()["archive"]["refunded"] == {"EUR": str(sum(refunds(world).values()))}
    assert "moved 2 returns of 2" in done.sentence()
    assert agrees(world)


def test_a_report_of_an_old_window_and_the_stories_are_those_of_before(world: World) -> None:
    window = {"since": f"{world.now() - timedelta(days=510):%F}", "until": f"{world.now() - timedelta(days=490):%F}"}

    def said() -> tuple[dict[str, object], list[str]]:
        report = world.tell("daily-report", **window)
        assert isinstance(report, DailyRun)
        assert report.found is not None
        tables: dict[str, object] = {table.name: list(table.rows) for table in report.found.tables}
        stories = [told(found) for each in world.sandbox.process_ids() if (found := world.read(history, each))]
        return tables, stories

    before = said()
    assert all(repr(amount) in repr(before[0]["money"]) for amount in refunds(world).values())
    archive(world)
    after = said()
    assert {name: rows for name, rows in after[0].items() if rows != before[0][name]} == {}
    assert after[1] == before[1]


def test_when_goods_of_an_archived_return_arrived_is_in_a_report_and_its_lack_is_said(start_world: Start) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(["label_ready"])
    (process_id,) = world.sandbox.process_ids()
    world.run("track-parcels", mode="act")
    for step in ("collect", "arrive", "review"):
        world.pass_time(DAY)
        world.sandbox.act(step, process_id)
        world.run("track-parcels", mode="act")
    for _ in range(2):
        world.act()
        world.pass_time(DAY)
    world.run("reconcile", mode="act")
    window = {"since": f"{world.now() - timedelta(days=30):%F}", "until": f"{world.now():%F}"}
    world.pass_time(500 * DAY)

    def said() -> tuple[dict[str, object], list[str]]:
        report = world.tell("daily-report", **window)
        assert isinstance(report, DailyRun)
        assert report.found is not None
        return {table.name: list(table.rows) for table in report.found.tables}, report.notes

    before = said()
    assert "'arrival to payment', 1, Decimal" in repr(before[0]["times"])
    archive(world)
    assert said() == before
    (folder,) = world.ledger_file.parent.glob("*.archives")
    folder.rename(folder.with_name("elsewhere"))
    without, notes = said()
    assert {name for name, rows in without.items() if rows != before[0][name]} == {"return_days", "times"}
    assert ["when goods moved is left out" in note for note in notes] == [True]


def test_without_its_archive_a_story_still_says_what_was_paid_and_what_is_missing(world: World) -> None:
    (process_id,) = world.sandbox.process_ids(PAID)
    (paid,) = set(refunds(world).values()) - {0}

    def story() -> Story:
        report = world.tell("explain-return", process_id=process_id)
        assert isinstance(report, StoryReport)
        (found,) = report.stories
        return found

    before = story()
    archive(world)
    assert story() == before
    (folder,) = world.ledger_file.parent.glob("*.archives")
    folder.rename(folder.with_name("elsewhere"))
    without = story()
    assert str(paid) in " ".join(without.sent)
    assert without.decided[0].startswith("its steps were archived and are not told: ")
    assert "manifest.json is missing" in without.decided[0]
    assert without.decided[1:] == before.decided


def test_what_was_paid_stays_paid_and_what_is_new_is_asked_about_once(world: World) -> None:
    paid = refunds(world)
    archive(world)
    nothing = Compensation(refunds=())
    reopened(world, PAID, compensation=nothing)
    reviews = [
        review.model_copy(update={"status": ReviewStatus.APPROVED})
        for it in world.sandbox.sandbox.processes.values()
        if it.scenario == DECLINED
        for review in it.process.reviews or ()
    ]
    reopened(world, DECLINED, reviews=tuple(reviews))
    for _ in range(2):
        world.act()
        world.pass_time(3600)
    assert refunds(world) == paid
    (asked,) = (hold for hold in world.holds() if hold.rule == ARCHIVED)
    assert asked.process_id == world.sandbox.process_ids(DECLINED)[0]
    assert "over long ago, and archived at" in asked.why
    answer = {"hold_id": asked.hold_id, "version": str(asked.version), "answer": "approve", "by": "olga"}
    world.run("answer-hold", mode="act", reason="seen", **answer)
    for _ in range(2):
        world.act()
    assert sum(refunds(world).values()) - sum(paid.values()) == asked.amount
    assert [str(it) for it in world.sandbox.audit().violations] == []
    assert [str(it) for it in world.read(check, now=world.now()).findings] == []
    assert "archived" not in [hold.rule for hold in world.holds()]


@pytest.mark.parametrize(
    ("policy", "days", "says"),
    [
        ("{}", 372, "reconcile looks so long"),
        (
            "default: {guards: {max_refunds_per_shopper: 3, shopper_window_days: 500}}",
            506,
            "cap on refunds per shopper",
        ),
        (
            "stores: {acme: {rules: [{name: often, when: {earlier_returns: {within_days: 600, at_least: 9}}, "
            "then: {approve: {who: olga, why: often}}}]}}",
            606,
            "the rule 'often' counts earlier returns (acme)",
        ),
    ],
)
def test_a_window_that_something_looks_back_beyond_is_refused(
    tmp_path: Path, policy: str, days: int, says: str
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    policies = read_policy(file)
    check_window(days + 1, policies)
    with pytest.raises(WindowTooShort, match=re.escape(says)):
        check_window(days, policies)


def test_without_its_archive_a_backtest_says_what_to_do_and_does_without_it_for_later_returns(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for policy in ("policy.yaml", "candidate.yaml"):
        Path(policy).write_text("default: {}\n")
    monkeypatch.setenv("REVER_POLICY", "policy.yaml")
    archive(world)
    (folder,) = world.ledger_file.parent.glob("*.archives")
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(LedgerError, match=r"manifest\.json is missing: .*Mount its disk"):
        world.tell("backtest-policy", candidate="candidate.yaml")
    later = f"{world.now() - timedelta(days=30):%F}"
    assert world.tell("backtest-policy", candidate="candidate.yaml", started_since=later).failures == []


def test_without_its_archive_payouts_do_without_it_unless_a_person_paid_by_hand_near_the_window(
    start_world: Start, tmp_path: Path
) -> None:
    world = start_world(shops=("acme",), returns=34, faults="issueRefund:1:conflict_409")
    world.keep_only([PAID])
    world.act()
    (hold,) = world.holds()
    said = {"answer": "done_by_hand", "reference": "re_77", "by": "olga", "reason": "by bank"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), **said)
    for _ in range(2):
        world.pass_time(DAY)
        world.act()
    world.run("reconcile", mode="act")
    long_ago = f"{world.now() - timedelta(days=10):%F}"
    world.pass_time(500 * DAY)
    archive(world)
    (folder,) = world.ledger_file.parent.glob("*.archives")
    folder.rename(folder.with_name("elsewhere"))
    row = stripe_row("", "-1.00", n=1, currency="eur", at=f"{world.now():%F %T}")
    (tmp_path / "stripe.csv").write_text(file_of(STRIPE_HEADER, [row]))
    files, later = str(tmp_path / "stripe.csv"), f"{world.now() - timedelta(days=30):%F}"
    with pytest.raises(LedgerError, match=r"manifest\.json is missing: .*Mount its disk"):
        world.tell("reconcile-payouts", files=files, since=long_ago)
    assert world.tell("reconcile-payouts", files=files, since=later).failures == []
