"""The demo's pure parts: grouping an account, comparing books to the cent, and choosing what to show."""

import runpy
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployments.demo.candidate import Tried, nothing_by_the_shadow, policy_with_shadow, really_done, the_wrong_one
from deployments.demo.play import conclusion, fresh_folder
from deployments.demo.process import DemoError
from deployments.demo.promises import (
    Account,
    Promise,
    StoreTotals,
    added,
    audited,
    same_effects,
    settled_by_evidence,
    sums_agree,
    totals,
)
from deployments.demo.text import Page, few, rest, shape
from rever_api.sandbox import running_sandbox
from rever_api.sandbox.auditor import Audit, Due, Violation
from rever_api.sandbox.state import Actor
from tasks.ledger import ShadowRow
from tasks.policy.decision import DecisionName
from tasks.policy.policy_file import read_policy
from tasks.policy.record import IntentKind
from tasks.policy.shadow import Differs, Said, read_candidate
from tests.deployments.demo.samples import NOW, done, effect, hold, step, waits

EUR = {"acme": "EUR", "nordic": "SEK"}


def test_money_is_grouped_per_store_and_currency_and_never_mixed() -> None:
    account = Account(
        done=(
            done("a", "10.10"),
            done("b", "0.20"),
            done("c", "99.00", store="nordic", currency="SEK"),
            done("d", "5.00", store="nordic", currency="NOK"),
            done("a", kind=IntentKind.EXCHANGE),
            done("e", kind=IntentKind.LABEL, store="nordic"),
        ),
        holds=(hold("a"), hold("a"), hold("f")),
        unfinished=(waits("e", "nordic"), waits("a", held=True), waits("b", decision="no action")),
    )
    assert totals(account, EUR) == [
        StoreTotals("acme", "EUR", refunds=2, paid=Decimal("10.30"), exchanged=1, held=2),
        StoreTotals("nordic", "NOK", refunds=1, paid=Decimal("5.00")),
        StoreTotals("nordic", "SEK", refunds=1, paid=Decimal("99.00"), labelled=1, waits=1),
    ]


def test_a_store_with_nothing_is_shown_too() -> None:
    assert totals(Account(), {"acme": "EUR"}) == [StoreTotals("acme", "EUR")]


def test_what_rever_did_itself_and_what_came_to_nothing_is_not_ours() -> None:
    account = Account(done=(done("a", "10.00", adopted=True), done("b", "0", nothing_sent=True), done("c", "1.00")))
    assert account.paid == {"EUR": Decimal("1.00")}


def test_held_and_waiting_returns_are_explained_and_others_are_not() -> None:
    account = Account(holds=(hold("a"),), unfinished=(waits("b"),))
    assert account.explained == {"a", "b"}


def test_the_rest_are_the_returns_that_neither_wait_nor_are_held() -> None:
    account = Account(holds=(hold("a"), hold("a")), unfinished=(waits("b"), waits("c", decision="no action")))
    assert rest(account, 5).startswith("Of the 5 returns 1 wait and 1 are held; for the other 3 ")


def test_sums_agree_to_the_cent_in_every_currency() -> None:
    first, second = {"EUR": Decimal("10.00"), "SEK": Decimal("5")}, {"EUR": Decimal("10.01"), "SEK": Decimal("5.00")}
    assert [promise.kept for promise in sums_agree({"report": first, "books": second}, ["EUR", "SEK"])] == [False, True]


def test_a_currency_that_only_one_side_knows_is_compared() -> None:
    (promise,) = sums_agree({"report": {}, "books": {"EUR": Decimal("0.01")}}, [])
    assert not promise.kept
    assert promise.found == "report 0 != books 0.01"


def test_reports_are_added_up() -> None:
    reports: list[Mapping[str, object]] = [{"paid": {"EUR": "0.10"}}, {"paid": {"EUR": "0.20", "SEK": "1"}}]
    assert added(reports) == {"EUR": Decimal("0.30"), "SEK": Decimal("1")}


@pytest.mark.parametrize(
    "other",
    [[], [effect(), effect()], [effect(amount="10.01")], [effect("retp_2")], [effect(operation="issueExchange")]],
    ids=["fewer", "twice", "another amount", "another return", "another operation"],
)
def test_other_effects_are_told_from_the_same(other: list[object]) -> None:
    assert not same_effects([effect()], other).kept  # type: ignore[arg-type]


def test_the_order_of_effects_and_what_others_did_make_no_difference() -> None:
    theirs = effect("retp_9", by=Actor.BACK_OFFICE)
    assert same_effects([effect("a"), effect("b"), theirs], [effect("b"), effect("a")]).kept


def _audit(*violations: Violation, due: tuple[Due, ...] = ()) -> Audit:
    return Audit(violations=violations, due=due, paid={}, paid_by_others={})


def _broken(audit: Audit, *explained: str) -> list[str]:
    return [promise.name for promise in audited(audit, explained) if not promise.kept]


def test_a_clean_audit_keeps_every_promise() -> None:
    assert _broken(_audit()) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("double_refund", "double refunds"),
        ("over_paid", "over-paid"),
        ("second_label", "anything else wrong"),
    ],
)
def test_a_violation_breaks_its_promise(kind: str, name: str) -> None:
    assert name in _broken(_audit(Violation(2, kind, "retp_1", 3, "why")))


def test_what_is_due_is_forgotten_unless_explained_and_unpaid_unless_blocked() -> None:
    due = Due("retp_1", "acme", "EUR", Decimal("9.00"), 0, label=False, unreviewed=0, payer="desk")
    assert _broken(_audit(due=(due,))) == ["forgotten", "due and not paid"]
    assert _broken(_audit(due=(due,)), "retp_1") == ["due and not paid"]


def test_the_trail_must_show_one_sending_and_evidence_at_its_end() -> None:
    unknown = [step("intended"), step("sent"), step("unknown")]
    seen = step("done", by="evidence at REVER")
    assert settled_by_evidence([*unknown, seen]).kept
    assert not settled_by_evidence(unknown).kept
    assert not settled_by_evidence([*unknown, step("sent"), seen]).kept
    assert not settled_by_evidence([step("intended"), step("sent"), step("done", by="REVER's answer")]).kept


def test_a_broken_promise_is_named_and_fails_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    promises = [Promise("double refunds", "0", kept=True), Promise("over-paid", "2", kept=False)]
    assert conclusion(Page(), promises, 1.0) == 1
    out = capsys.readouterr().out
    assert "1 of 2 promises were broken" in out
    assert "over-paid: 2" in out


def test_no_promise_at_all_fails_too() -> None:
    assert conclusion(Page(), [], 1.0) == 1
    assert conclusion(Page(), [Promise("forgotten", "0", kept=True)], 1.0) == 0


def test_few_shows_each_kind_before_more_of_one() -> None:
    assert few(["a1", "a2", "b1", "a3"], lambda text: text[0]) == ["a1", "b1", "a2"]
    assert shape("refunds 10.00 EUR for 2 units") == shape("refunds 1,234.5 EUR for 13 units")
    assert shape("refunds 10.00 EUR") != shape("refunds 10.00 SEK")


def test_only_a_folder_that_a_demo_made_is_removed(tmp_path: Path) -> None:
    folder = fresh_folder(tmp_path / ".demo")
    (folder / "ledger.sqlite").write_text("old")
    assert not (fresh_folder(folder) / "ledger.sqlite").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("mine")
    with pytest.raises(DemoError, match="was not made by the demo"):
        fresh_folder(other)
    assert (other / "precious").exists()


def _trial(more: str) -> dict[str, Any]:
    one = {"order": "#1", "process_id": "p1", "currency": "EUR", "more": more, "earlier": ""}
    money = [{"currency": "EUR", "goods": False, "ledger": "10.00"}, {"currency": "EUR", "goods": True, "ledger": "0"}]
    return {"money": money, "differences": [one, one | {"process_id": "p2", "more": "", "earlier": "3.00"}]}


def test_what_a_trial_says_is_held_against_the_ledger() -> None:
    tried = Tried.of(_trial("4.00"))
    assert tried.more == (("#1", "p1", Decimal("4.00")),)
    assert really_done(tried, Account(done=(done("a", "10.00", adopted=True),))).kept
    assert not really_done(tried, Account(done=(done("a", "9.99"),))).kept


def test_a_trial_that_names_none_or_two_is_no_proof() -> None:
    with running_sandbox(returns=34, shops=("acme",)) as sandbox:
        (missing,) = sandbox.process_ids("missing")
        (approved,) = sandbox.process_ids("approved_one")
        for names, kept in (((missing,), True), ((approved,), False), ((), False), ((missing, approved), False)):
            tried = Tried({}, tuple(("#1", name, Decimal(1)) for name in names), ())
            assert the_wrong_one(tried, sandbox).kept is kept


def test_the_shadow_is_asked_and_its_books_are_those_without_it(tmp_path: Path) -> None:
    candidate = read_candidate(read_policy(policy_with_shadow(tmp_path)))
    assert candidate is not None
    assert candidate.problems == ()
    said = Said(DecisionName.WAIT, "a rule", "a reason")
    row = ShadowRow(Differs("a", "acme", "#1", said, said, {}), NOW, None, NOW)
    for rows, beside, kept in (
        ([row], [effect("a")], True),
        ([row], [effect("a"), effect("b")], False),
        ([row], [], False),
        ([], [effect("a")], False),
    ):
        assert nothing_by_the_shadow(rows, [effect("a")], beside).kept is kept


def test_asked_for_help_it_says_what_it_is_and_plays_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["demo", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("deployments.demo", run_name="__main__")
    assert ended.value.code == 0
    assert "against a local REVER" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
