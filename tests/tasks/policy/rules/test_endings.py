"""What ends each hold without a person: every rule has a row, in the code and on the page, and every row is so."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.record import HoldKind, OpenHold
from tasks.policy.rules.endings import ENDINGS, Ending, ended_holds
from tests.tasks.policy.factories import NOW, approved, hold, intent, process, record, refund, rules, terms

ROOT = Path(__file__).parents[4]
HOW = (
    "Each rule that holds needs a row: name it in ENDINGS of tasks/policy/rules/endings.py with what ends its hold "
    "without a person, and in the table `What ends a hold without a person` of docs/holds.md; each HoldKind needs a "
    "row of the table `Why a return is held` there. Say in your own tests what closes it, where it is not one of the "
    "endings here."
)
BY_RULES = [rule for rule, ending in ENDINGS.items() if ending is Ending.NOTHING_DUE]
OF_LABELS = [rule for rule, ending in ENDINGS.items() if ending is Ending.NO_LABEL_NEEDED]
MAKERS = {"Hold", "hold", "_hold", "hold_intent"}


def rules_that_hold() -> set[str]:
    """The first argument, or `rule=`, of each call that makes a hold, and the names of the guards."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tasks").rglob("*.py")]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    names = {
        constants.get(arg.id, "") if isinstance(arg, ast.Name) else arg.value
        for tree in trees
        for arg in _rules_of(tree)
        if isinstance(arg, ast.Name | ast.Constant)
    }
    return {str(name) for name in names if name} | {value for value in constants.values() if value.startswith("guard:")}


def _rules_of(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in MAKERS:
            yield from (word.value for word in node.keywords if word.arg == "rule")
            yield from [it for it in node.args[:1] if not isinstance(it, ast.Constant) or isinstance(it.value, str)]


def on_the_page(title: str) -> dict[str, str]:
    """A table of docs/holds.md: each name of the first column -> the last one."""
    page = (ROOT / "docs/holds.md").read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]
    return {name: cells[-1].strip() for cells in rows for name in re.findall(r"`([^`]+)`", cells[0])}


def test_every_rule_that_holds_says_what_ends_it_without_a_person() -> None:
    found = rules_that_hold()
    assert {"contradictory", "late_answer", "no_carrier", "unknown_outcome", "differs_from_rever"} <= found
    assert found - ENDINGS.keys() == set(), HOW
    assert ENDINGS.keys() - found == set(), "no rule of this name holds any more"


def test_the_page_says_the_same() -> None:
    told = on_the_page("What ends a hold without a person")
    assert told.keys() == ENDINGS.keys(), HOW
    wrong = {rule: words for rule, words in told.items() if not words.startswith(ENDINGS[rule].value)}
    assert wrong == {}, HOW


def test_the_page_has_every_kind_of_hold() -> None:
    assert on_the_page("Why a return is held").keys() == set(HoldKind), HOW


def ended(told: ReturnProcess, held: OpenHold, **known: Any) -> dict[str, str]:
    return ended_holds(told, rules(), record(holds=(held,), **known), NOW)


@pytest.mark.parametrize("rule", BY_RULES)
@pytest.mark.parametrize("status", ["CANCELED", "FAILED"])
def test_a_hold_of_a_return_that_was_called_off_closes(rule: str, status: str) -> None:
    (why,) = ended(process(reviews=approved(), status=status), hold(rule)).values()
    assert f"is {status} at REVER" in why


@pytest.mark.parametrize("rule", BY_RULES)
def test_a_hold_of_a_return_that_is_settled_closes(rule: str) -> None:
    settled = process(reviews=approved(), refunds=[refund()], status="COMPLETED")
    known = record(intent(), holds=(hold(rule),), lines={"retl_1": terms()}, costs=process().return_costs)
    assert "every unit has its outcome" in ended_holds(settled, rules(), known, NOW)["hold-1"]


@pytest.mark.parametrize("rule", BY_RULES)
def test_a_hold_whose_approvals_were_withdrawn_closes(rule: str) -> None:
    assert ended(process(), hold(rule)).keys() == {"hold-1"}


@pytest.mark.parametrize("rule", BY_RULES)
def test_a_hold_closes_where_rever_itself_has_paid_what_was_due(rule: str) -> None:
    assert ended(process(reviews=approved(), refunds=[refund()]), hold(rule)).keys() == {"hold-1"}


def test_two_reads_that_differ_hold_until_they_agree_or_the_return_has_ended() -> None:
    """One of them asks for nothing, and may be the wrong one: closed by it, the hold would come again in each run."""
    held = hold("reads_differ")
    assert ended(process(), held) == {}
    assert ended(process(status="CANCELED"), held).keys() == {"hold-1"}
    due = process(reviews=approved())
    assert ended(due, held) == {}
    assert ended_holds(due, rules(), record(holds=(held,)), NOW, agreed=True).keys() == {"hold-1"}


@pytest.mark.parametrize("rule", [*BY_RULES, "late_answer", "unknown_outcome"])
def test_a_hold_never_turns_into_a_payment_by_itself(rule: str) -> None:
    """A person may be paying it by hand at that very moment."""
    assert ended(process(reviews=approved()), hold(rule)) == {}


@pytest.mark.parametrize("rule", BY_RULES)
def test_a_refund_that_nobody_has_seen_keeps_a_hold_open(rule: str) -> None:
    assert ended(process(refunds=[refund()], status="CANCELED"), hold(rule)) == {}


@pytest.mark.parametrize("rule", BY_RULES)
def test_an_older_view_closes_nothing_for_want_of_approvals(rule: str) -> None:
    older = process(updated_at=NOW - timedelta(seconds=1))
    assert ended(older, hold(rule)) == {}
    assert ended(process(updated_at=NOW), hold(rule)).keys() == {"hold-1"}


@pytest.mark.parametrize("rule", [*OF_LABELS, "incomplete_read"])
@pytest.mark.parametrize(
    "told",
    [
        process(reviews=approved(), refunds=[refund()], status="COMPLETED"),
        process(status="CANCELED", logistics=()),
        process(logistics=["LABEL_CREATED"], return_status="STARTED"),
        process(logistics=(), reviews=approved(), return_status="STARTED"),
        process(logistics=(), return_status="COLLECTED"),
        process(logistics=[""], return_status="STARTED"),
    ],
    ids=["completed", "cancelled", "label there", "inspected", "on its way", "label being made"],
)
def test_a_hold_of_a_label_closes_once_none_is_needed(rule: str, told: ReturnProcess) -> None:
    assert ended(told, hold(rule, label=True)).keys() == {"hold-1"}


@pytest.mark.parametrize("rule", [*OF_LABELS, "incomplete_read"])
def test_a_hold_of_a_label_never_turns_into_a_label_by_itself(rule: str) -> None:
    assert ended(process(logistics=(), return_status="STARTED"), hold(rule, label=True)) == {}
    assert ended(process(logistics=["ERROR"], return_status="STARTED"), hold(rule, label=True)) == {}


@pytest.mark.parametrize("rule", [rule for rule, ending in ENDINGS.items() if ending is Ending.PERSON])
@pytest.mark.parametrize("status", ["CANCELED", "COMPLETED"])
def test_what_only_a_person_ends_stays_open(rule: str, status: str) -> None:
    assert ended(process(status=status), hold(rule)) == {}


@pytest.mark.parametrize("label", [False, True])
def test_a_hold_about_an_outcome_is_not_the_rules_to_close(*, label: bool) -> None:
    """It closes when the effect is seen at REVER: see the tests of settling and outcomes in the ledger."""
    asked = replace(hold("unknown_outcome", label=label), intent_id="i1")
    assert ended(process(status="CANCELED"), asked) == {}


def test_a_rule_that_nobody_listed_is_left_to_a_person() -> None:
    assert ended(process(status="CANCELED"), hold("a rule of tomorrow")) == {}


def test_one_of_two_holds_can_be_gone() -> None:
    both = (hold("guard:max_refund"), replace(hold("no_carrier", label=True), id="hold-2"))
    due = process(reviews=approved())
    assert ended_holds(due, rules(), record(holds=both), NOW).keys() == {"hold-2"}
