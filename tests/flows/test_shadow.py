"""A run with a candidate policy beside the live one: it does what it did without, and says what would be otherwise."""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import Connection, select

from flows.in_prefect import artifacts_of
from tasks import shadow as shadowing
from tasks.ledger import Format, LedgerError, ShadowRow, check, export, shadow_rows, stop_switch
from tasks.ledger.schema import metadata, shadow
from tasks.policy import shadow as policy_shadow
from tasks.policy.policy_file import read_policy
from tasks.policy.shadow import Differs
from tasks.reporting.report_page import report_page
from tests.flows.test_plan import files
from tests.world import Start, World

LIVE = "default: {not_received: approved}\n"
BESIDE = f"shadow: candidate.yaml\n{LIVE}"
CANDIDATE = """\
default:
  guards:
    max_refund: {EUR: 40, SEK: 400}
  rules:
  - name: cheap ones at once
    when: {line_value: {at_most: 60.00 EUR}}
    then: {pay: {at: start}}
  - name: dear ones on a card
    when: {line_value: {over: 60.00 EUR}}
    then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}
"""

Starting = Callable[..., World]


@pytest.fixture
def start(start_world: Start, tmp_path: Path) -> Starting:
    """Start a desk with a policy file, and perhaps a candidate beside it."""

    def with_files(live: str = BESIDE, candidate: str | None = CANDIDATE, **how: Any) -> World:
        (tmp_path / "policy.yaml").write_text(live)
        if candidate is not None:
            (tmp_path / "candidate.yaml").write_text(candidate)
        told = {"REVER_POLICY": str(tmp_path / "policy.yaml"), **how.pop("settings", {})}
        return start_world(told, **{"returns": 40, **how})

    return with_files


def rows(world: World) -> list[ShadowRow]:
    """The ledger's rows of the candidate as it stands in its file now."""
    return world.read(shadow_rows, read_policy(world.ledger_file.with_name("candidate.yaml")).digest)


def effects(world: World) -> list[str]:
    """What was done at REVER, as its books have it, but for the time."""
    told = (
        (it.process_id, it.operation, it.by, it.amount, it.currency, it.type, it.items)
        for it in world.sandbox.books.effects
    )
    return sorted(map(str, told))


def calls(world: World) -> Counter[tuple[str, str]]:
    return Counter((entry.operation, entry.process_id) for entry in world.sandbox.journal.entries)


DRAWN = {"id", "seq", "token", "intent_id", "hold_id", "used_by", "hash", "head", "shopper_key", "sent_by", "digest"}
DRAWN |= {"account", "salt", "tracking"}
"""Columns whose values are drawn, or come from such; the sandbox draws tracking numbers in the order of the calls."""
DRAWN_TEXT = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.+]+|[0-9a-f]{32}|[0-9a-f-]{36}|lord_\w+"
    r"|(?<='answer': 'REVER ordered the replacement', 'order': ')[^']+"
)
"""Times, ids of the ledger, and ids that REVER gives in the order in which the calls come in."""


def kept(world: World) -> dict[str, list[str]]:
    """All that the ledger holds but the table of the shadow, without times and what is drawn by chance."""

    def told(row: Any) -> str:
        values = {name: value for name, value in row._mapping.items() if name not in DRAWN}
        return DRAWN_TEXT.sub("", str({k: v for k, v in values.items() if not isinstance(v, datetime)}))

    def read(conn: Connection) -> dict[str, list[str]]:
        tables = [table for table in metadata.sorted_tables if table is not shadow]
        return {table.name: sorted(told(row) for row in conn.execute(select(table))) for table in tables}

    return world.read(read)


def test_books_and_ledger_are_those_of_a_run_without_it(
    start: Starting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, live in (("without", LIVE), ("with", BESIDE)):
        world = start(live, settings={"REVER_LEDGER_URL": f"sqlite:///{tmp_path / name}.sqlite"})
        reports = [world.act(), world.run("reconcile", mode="act"), world.act()]
        assert world.sandbox.audit().violations == ()
        assert world.read(check, now=world.now()).findings == ()
        found.append((effects(world), calls(world), kept(world), [each.paid for each in reports]))
        differ = world.read(lambda conn: len(conn.execute(select(shadow)).all()))
        assert (differ > 10) is (name == "with")
    without, beside = found
    assert beside == without
    assert without[0]


def test_the_report_tells_counts_and_money_which_are_those_of_the_rows(start: Starting) -> None:
    world = start()
    report = world.act()
    tally, differs = report.shadow, {row.differs.process_id: row.differs for row in rows(world)}
    assert tally is not None
    assert (tally.compared, len(tally.differing)) == (report.seen, len(differs))
    assert {it.process_id: it for it in tally.differing} == differs
    assert len(differs) > 10
    sums: dict[str, dict[str, Decimal]] = {}
    for each in differs.values():
        for purse, changes in each.changes.items():
            for kind, amount in changes.items():
                if purse.currency:
                    own, name = sums.setdefault(kind, {}), f"{purse.currency}{' goods' if purse.goods else ''}"
                    own[name] = own.get(name, Decimal(0)) + amount
    told = json.loads(json.dumps(report.as_json()["shadow"]))
    assert {kind: it["amounts"] for kind, it in told["changes"].items() if it["amounts"]} == {
        kind: {name: str(amount) for name, amount in each.items()} for kind, each in sums.items()
    }
    assert set(sums) >= {"earlier", "held", "another way"}
    (line,) = [line for line in report.lines() if "shadow:" in line]
    assert f"candidate.yaml decides {len(differs)} of {report.seen} returns otherwise: earlier " in line
    assert f"decides {len(differs)} of {report.seen} returns otherwise" in report_page(report)
    (table,) = [it for it in artifacts_of(report) if it.key == "process-pending-returns-shadow"]
    assert len(json.loads(str(table.data)) if isinstance(table.data, str) else table.table) == len(differs)  # type: ignore[attr-defined]


def test_a_plan_tells_the_same_and_writes_nothing(start: Starting) -> None:
    world = start()
    plan = world.run("process-pending-returns", mode="plan")
    assert not world.ledger_file.exists()
    act = world.act()
    before = files(world.ledger_file.parent)
    assert plan.shadow is not None
    assert act.shadow is not None
    assert plan.shadow.as_json() == act.shadow.as_json()
    assert not [note for note in plan.notes if "written down" in note]
    again = world.run("process-pending-returns", mode="plan")
    assert files(world.ledger_file.parent) == before
    assert again.shadow is not None
    assert again.shadow.differing


def test_a_difference_has_its_beginning_and_ends_when_both_say_the_same(start: Starting) -> None:
    world = start()
    world.act()
    first = {row.differs.process_id: row for row in rows(world)}
    assert {row.until for row in first.values()} == {None}
    world.pass_time(3600)
    world.act()
    second = {row.differs.process_id: row for row in rows(world)}
    assert set(second) >= set(first)
    assert [name for name, row in second.items() if name in first and row.since != first[name].since] == []
    over = [row for row in second.values() if row.until]
    assert {row.differs.candidate.words for row in over} >= {"refund 22.30 EUR by GIFT_CARD (on_item_verified)"}
    assert [row.differs for row in over] == [first[row.differs.process_id].differs for row in over]


def test_what_the_live_policy_holds_for_a_person_differs_as_long_as_it_is_held(start: Starting) -> None:
    asks = "default: {rules: [{name: all, then: {approve: {who: service, why: trial}}}]}\n"
    world = start(f"shadow: candidate.yaml\n{asks}", LIVE)
    first = world.act().shadow
    world.pass_time(3600)
    second = world.act().shadow
    assert first is not None
    assert second is not None
    assert first.money["earlier"] == second.money["earlier"] != {}
    assert {row.until for row in rows(world) if row.differs.live.rule == "approval"} == {None}


def test_it_ends_when_it_is_taken_out_of_the_file_and_nothing_is_paid_for_it_then(
    start: Starting, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start()
    world.act()
    before = rows(world)
    (world.ledger_file.parent / "policy.yaml").write_text(LIVE)

    def never(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    for name in ("decided_by", "difference", "note_shadow", "open_differences"):
        monkeypatch.setattr(shadowing, name, never)
    report = world.act()
    assert report.shadow is None
    assert report.as_json()["shadow"] is None
    assert not [line for line in report.lines() if "shadow" in line]
    assert "hadow" not in report_page(report)
    assert rows(world) == before


def test_another_candidate_begins_a_list_of_its_own_and_another_layout_does_not(start: Starting) -> None:
    world = start()
    world.act()
    before, file = rows(world), world.ledger_file.with_name("candidate.yaml")
    file.write_text(f"# tried since November\n{CANDIDATE}")
    assert rows(world) == before != []
    file.write_text(CANDIDATE.replace("EUR: 40", "EUR: 90"))
    assert rows(world) == []
    world.act()
    assert {row.since for row in rows(world)} & {row.since for row in before} == set()


@pytest.mark.parametrize(
    ("candidate", "says"),
    [
        (None, "the policy file cannot be read"),
        ("default:\n  not_received: no\n", "candidate.yaml, line 2: default.not_received is no without quotes"),
        ("stores: {acmee: {not_received: hold}}\n", "the candidate candidate.yaml has rules for 'acmee'"),
        ("default: {facts: {products: gone.csv}}\n", "gone.csv"),
    ],
)
def test_one_that_cannot_be_read_stops_nothing_and_is_said_in_every_report(
    start: Starting, candidate: str | None, says: str
) -> None:
    world = start(BESIDE, candidate)
    report = world.act()
    assert report.paid == world.paid() != {}
    assert report.shadow is not None
    assert "candidate.yaml decides nothing: see the notes" in "\n".join(report.lines())
    assert report.as_json()["shadow"]["problem"] in report.notes
    others = [world.run("reconcile", mode="plan"), world.run("generate-labels", mode="plan")]
    process_id = world.sandbox.process_ids("approved_one")[0]
    others.append(world.run("process-return", process_id=process_id, mode="plan"))
    told = world.tell("explain-return", process_id=process_id)
    for each in (report, *others, told):
        (note,) = [note for note in each.notes if "shadow policy candidate.yaml decides nothing" in note]
        assert says in note
        assert note in "\n".join(each.lines())
        assert note in each.as_json()["notes"]


def test_a_run_of_labels_tells_of_other_carriers(start: Starting) -> None:
    world = start(candidate="default: {label_carriers: [SENDCLOUD/CORREOS]}\n", shops=("acme",), returns=150)
    plan = world.run("generate-labels", mode="plan").shadow
    report = world.run("generate-labels", mode="act")
    assert plan is not None
    assert report.shadow is not None
    assert report.shadow.compared == report.seen > 0
    assert report.shadow.as_json() == plan.as_json()
    assert {(it.live.label.split()[0], it.candidate.label.split()[0]) for it in report.shadow.differing} == {
        ("SENDCLOUD/DHL", "SENDCLOUD/CORREOS")
    }
    assert {row.differs.process_id for row in rows(world)} == {it.process_id for it in report.shadow.differing}


def test_a_run_of_labels_leaves_what_stands_of_the_money(start: Starting) -> None:
    at_once = "{name: at once, then: {pay: {at: start}}}"
    both = f"default: {{label_carriers: [SENDCLOUD/CORREOS], rules: [{at_once}]}}\n"
    world = start(candidate=both, shops=("acme",), returns=150)
    world.write(stop_switch, on=True, by="olga", why="so that no label is made", now=world.now())
    world.act()
    before = {row.differs.process_id: row for row in rows(world)}
    report = world.run("generate-labels", mode="act")
    after = {row.differs.process_id: row for row in rows(world)}
    assert report.shadow is not None
    assert {it.process_id for it in report.shadow.differing} & set(before)
    assert {name: after[name] for name in before} == before != {}


def test_rules_about_money_where_rever_pays_are_a_problem_of_the_shadow_alone(start: Starting) -> None:
    report = start(settings={"REVER_REFUNDS_BY": "rever"}).act()
    (note,) = [note for note in report.notes if "shadow policy" in note]
    assert "REVER pays at store 'acme'" in note


def test_other_caps_that_count_are_said_not_to_be_judged(start: Starting) -> None:
    report = start(BESIDE, "default: {guards: {max_per_day: {EUR: 1}}}\n").act()
    assert [note for note in report.notes if "has other caps per day or per shopper at acme, nordic" in note]
    assert report.shadow is not None
    assert (report.shadow.differing, report.shadow.compared) == ([], report.seen)


def test_a_fault_in_the_shadow_is_a_note_and_everything_is_paid(
    start: Starting, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start()
    right, failing = policy_shadow.difference, world.sandbox.process_ids("approved_one")[0]

    def difference(*decisions: Any, process_id: str, **how: Any) -> Differs | None:
        if process_id == failing:
            msg = "ann@example.test is quoted"
            raise RuntimeError(msg)
        return right(*decisions, process_id=process_id, **how)

    monkeypatch.setattr(shadowing, "difference", difference)
    report = world.act()
    assert report.paid == world.paid() != {}
    (note,) = [note for note in report.notes if "shadow could not be asked" in note]
    assert "about 1 return: a fault of this software: RuntimeError" in note
    assert "ann@" not in note
    assert report.shadow is not None
    assert (report.shadow.compared, report.failed) == (report.seen - 1, False)


def test_a_ledger_that_refuses_the_rows_is_a_note_and_everything_is_paid(
    start: Starting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(shadowing, "note_shadow", full)
    world = start()
    report = world.act()
    assert report.paid == world.paid() != {}
    assert [note for note in report.notes if "were not written down" in note]
    assert rows(world) == []


def test_what_the_candidate_alone_needs_to_know_is_asked_once_the_live_policy_has_paid(
    start: Starting, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = "{name: cards, when: {gateway: {is: paypal}}, then: {decline: {why: by hand}}}"
    world = start(candidate=f"default: {{rules: [{rule}]}}\n", shops=("acme",), returns=34)
    world.keep_only(["approved_one"])
    monkeypatch.setenv("REVER_SHOP_URL", world.sandbox.base_url)
    monkeypatch.setenv("REVER_SHOP_KEY", world.sandbox.shop_key)
    (process,) = [it.process for it in world.sandbox.sandbox.processes.values()]
    report = world.act()
    assert report.paid == world.paid() != {}
    assert report.shadow is not None
    assert not [it for it in report.shadow.differing if it.candidate.rule == "needs_facts"]
    world.sandbox.shop_answers[process.order_id] = 503
    again = world.act()
    assert not again.failed


def test_nothing_of_a_shopper_is_in_the_table_or_in_a_report(start: Starting, tmp_path: Path) -> None:
    world = start()
    report = world.act()
    world.read(export, tmp_path / "out", Format.CSV)
    shown = [json.dumps(report.as_json()), *report.lines(), report_page(report), str(rows(world))]
    shown += [(tmp_path / "out" / "shadow.csv").read_text(), *(it.model_dump_json() for it in artifacts_of(report))]
    everything, names = " ".join(shown), set[str]()
    for stored in world.sandbox.sandbox.processes.values():
        if (shopper := stored.process.shopper) is not None:
            names |= {shopper.email, f"{shopper.first_name} {shopper.last_name}"}
        if (address := stored.process.pickup_address) is not None:
            names.add(address.address_line_1)
    assert [name for name in names if len(name) > 3 and name in everything] == []
