"""REVER's lines against a real sandbox: all well, and each thing broken shows in its own line."""

from datetime import timedelta
from pathlib import Path

import pytest

from deployments.doctor.examination import Examination, State, attention, broken, ok
from deployments.doctor.rever import store_line, together
from rever_api.models import EcommerceSettings
from tasks.desk import utc_now
from tasks.policy.store import RefundsBy
from tests.deployments.doctor.conftest import KEY, Desk, Start

REVERS = ("REVER", "API key", "rate", "clock of REVER")


def test_a_desk_that_is_well_has_nothing_broken_and_leaves_no_trace(desk: Desk, without_prefect: None) -> None:
    paid = desk.sandbox.books.counts()
    lines = desk.lines()
    assert {line.state for line in lines.values()} <= {State.OK, State.NOT_USED}
    assert {"settings", "endpoints", "store acme", "store nordic", "policy file", *REVERS} <= lines.keys()
    assert desk.sandbox.books.counts() == paid
    assert not desk.ledger_file.exists()
    asked = {entry.operation for entry in desk.sandbox.journal.entries}
    assert asked == {"searchReturnProcesses", "getEcommerceSettings"}


def test_a_wrong_key_is_refused_by_a_rever_that_is_reached(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_API_KEY", "not-the-key")
    lines = desk.lines(*REVERS, "stores")
    assert lines["REVER"].state is State.OK
    assert lines["API key"].state is State.BROKEN
    assert "REVER_API_KEY" in lines["API key"].to_do
    assert lines["stores"].state is lines["rate"].state is State.NOT_CHECKED
    assert lines["clock of REVER"].state is State.OK, "the refusal has a date too"
    assert KEY not in str(lines)


def test_a_rever_that_is_down_keeps_only_its_own_lines_from_being_looked_at(desk: Desk) -> None:
    desk.make_ledger()
    with desk.sandbox.outage():
        lines = desk.lines(*REVERS, "stores", "ledger", "ledger check", "open holds")
    assert lines["REVER"].state is State.BROKEN
    assert "could not be reached" in lines["REVER"].found
    assert {lines[name].state for name in ("API key", "stores", "rate", "clock of REVER")} == {State.NOT_CHECKED}
    assert lines["ledger"].state is lines["ledger check"].state is lines["open holds"].state is State.OK


def test_a_wrong_path_points_to_the_endpoint_table(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text('[searchReturnProcesses]\npath = "/v9/nowhere"\n')
    monkeypatch.setenv("REVER_ENDPOINTS", str(file))
    lines = desk.lines("REVER", "API key")
    assert lines["endpoints"].found.endswith("corrects searchReturnProcesses")
    assert lines["REVER"].state is State.BROKEN
    assert "--openapi" in lines["REVER"].to_do
    assert lines["API key"].state is State.NOT_CHECKED
    file.write_text('[searchReturnProceses]\npath = "/v9/nowhere"\n')
    lines = desk.lines("REVER")
    assert lines["endpoints"].state is State.BROKEN
    assert lines["REVER"].found == "the endpoint table is wrong"


def test_settings_that_are_wrong_are_named_one_by_one(
    desk: Desk, without_prefect: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_LEASE", "long")
    monkeypatch.setenv("REVER_STORE", "acme")
    lines = desk.lines()
    assert lines["settings"].state is State.BROKEN
    assert {line.state for name, line in lines.items() if name != "settings"} <= {
        State.NOT_CHECKED, State.NOT_USED,
    }  # fmt: skip


def test_a_store_that_rever_does_not_know_is_broken_beside_one_it_knows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_STORES", "acme,acne")
    lines = desk.lines("REVER", "stores")
    assert lines["store acme"].state is State.OK
    assert lines["store acne"].state is State.BROKEN
    assert lines["store acne"].to_do == "correct REVER_STORES"


def test_a_groups_stores_are_asked_from_rever(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REVER_STORES")
    monkeypatch.setenv("REVER_GROUP", desk.sandbox.group)
    assert {"store acme", "store nordic"} <= desk.lines("REVER", "stores").keys()
    monkeypatch.setenv("REVER_GROUP", "no-such-group")
    assert "no-such-group" in desk.lines("REVER", "stores")["stores"].found


@pytest.mark.parametrize(
    ("timing", "payer", "state", "words"),
    [
        ("ON_ITEM_VERIFIED", RefundsBy.US, State.OK, "refund timing ON_ITEM_VERIFIED; this desk pays"),
        ("ON_START", RefundsBy.REVER, State.OK, "refund timing ON_START; REVER pays by itself"),
        ("", RefundsBy.US, State.OK, "no timing said, taken as ON_ITEM_VERIFIED"),
        ("ON_ITEM_VERIFIED", RefundsBy.UNSTATED, State.ATTENTION, "who pays is not stated"),
        ("NO_TIMING", RefundsBy.US, State.ATTENTION, "refund timing NO_TIMING"),
        ("ON_FULL_MOON", RefundsBy.US, State.ATTENTION, "refund timing ON_FULL_MOON"),
    ],
)
def test_a_store_tells_when_it_refunds_and_who_pays(timing: str, payer: RefundsBy, state: State, words: str) -> None:
    shown = {"refund": {"timing": timing}, "timezone": "Europe/Madrid"}
    line = store_line("store acme", EcommerceSettings.model_validate(shown), payer)
    assert line.state is state
    assert words in line.found


@pytest.mark.parametrize("zone", ["Europe", "x" * 300, "../x", "", "europe/madrid"])
def test_a_store_whose_time_zone_is_none_is_named(zone: str) -> None:
    shown = {"refund": {"timing": "ON_ITEM_VERIFIED"}, "timezone": zone}
    line = store_line("store acme", EcommerceSettings.model_validate(shown), RefundsBy.US)
    assert line.state is State.ATTENTION
    assert "time zone" in line.found
    assert "Europe/Madrid" in line.to_do


def test_a_policy_file_is_held_against_the_stores(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "policy.toml"
    monkeypatch.setenv("REVER_POLICY", str(file))
    assert desk.lines("policy file")["policy file"].state is State.BROKEN
    file.write_text('[stores."acme"]\nnot_received = "hold"\n')
    assert desk.lines("policy file")["policy file"].found.endswith("with rules of its own for acme")
    file.write_text('[stores."acne"]\nnot_received = "hold"\n')
    assert "'acne'" in desk.lines("policy file")["policy file"].found
    file.write_text('[default]\nnot_receved = "hold"\n')
    assert "not_received" in desk.lines("policy file")["policy file"].found


def test_rules_about_money_where_rever_pays_are_broken_as_no_run_begins_with_them(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policy.yaml"
    monkeypatch.setenv("REVER_POLICY", str(file))
    file.write_text("default:\n  rules:\n  - name: home\n    then: {no_fee: {}}\n")
    assert desk.lines("policy file")["policy file"].state is State.OK
    monkeypatch.setenv("REVER_REFUNDS_BY", "acme=us,nordic=rever")
    line = desk.lines("policy file")["policy file"]
    assert (line.state, "'nordic'" in line.found, "'home'" in line.found) == (State.BROKEN, True, True)


def test_a_candidate_in_shadow_is_looked_at_and_stops_nothing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_POLICY", str(tmp_path / "policy.yaml"))
    (tmp_path / "policy.yaml").write_text("shadow: candidate.yaml\n")
    lines = desk.lines("policy file", "shadow policy")
    assert (lines["policy file"].state, lines["shadow policy"].state) == (State.OK, State.ATTENTION)
    assert "candidate.yaml: the policy file cannot be read" in lines["shadow policy"].found
    (tmp_path / "candidate.yaml").write_text("stores: {acne: {not_received: hold}}\n")
    assert "'acne'" in desk.lines("policy file", "shadow policy")["shadow policy"].found
    (tmp_path / "candidate.yaml").write_text("stores: {acme: {not_received: hold}}\n")
    assert desk.lines("policy file", "shadow policy")["shadow policy"].state is State.OK


def test_reads_that_are_refused_as_too_fast_lower_the_rate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_RATE", "50")
    desk.sandbox.set_faults("searchReturnProcesses:3:too_many_silent")
    line = desk.lines("REVER", "rate")["rate"]
    assert line.state is State.ATTENTION
    assert "9 of 10 reads served" in line.found
    assert "1 refused as too fast (429); REVER_RATE is 50 a second" in line.found
    assert line.to_do.startswith("set REVER_RATE to ")


def test_the_configured_rate_is_kept_while_it_is_measured(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_RATE", "20")
    line = desk.lines("REVER", "rate")["rate"]
    assert line.state is State.OK
    assert float(line.found.split("s, ")[1].split(" a second")[0]) < 23


def test_a_clock_that_is_wrong_shows_in_revers_dates(desk: Desk) -> None:
    late = Examination(clock=lambda: utc_now() + timedelta(minutes=3))
    line = desk.lines("REVER", "clock of REVER", examination=late)["clock of REVER"]
    assert line.state is State.BROKEN
    assert "REVER's clock is 3 min behind ours" in line.found


def test_a_desk_of_another_account_is_told_what_is_assumed(start_desk: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = start_desk()
    monkeypatch.setenv("REVER_BASE_URL", "https://rever.invalid")
    lines = desk.lines("REVER")
    assert lines["endpoints"].state is State.ATTENTION
    assert "--openapi" in lines["endpoints"].to_do
    assert "its name is not known" in lines["REVER"].found or "could not be reached" in lines["REVER"].found


def test_the_lines_of_fifty_stores_are_few_and_what_is_to_be_done_comes_first() -> None:
    lines = [ok(f"store s{number:02}", "refund timing ON_ITEM_VERIFIED; this desk pays") for number in range(48)]
    lines.insert(7, broken("store nordic", "REVER knows no such store for this key", "correct REVER_STORES"))
    lines += [attention(f"store t{number}", "no time zone", "ask REVER") for number in range(2)]
    told = [(line.name, line.found) for line in together(lines)]
    assert told == [
        ("store nordic", "REVER knows no such store for this key"),
        ("2 stores", "no time zone (t0, t1)"),
        ("48 stores", "refund timing ON_ITEM_VERIFIED; this desk pays"),
    ]
    assert together(lines[:3]) == lines[:3]


def test_no_shop_has_no_line(desk: Desk) -> None:
    assert not [name for name in desk.lines("shop") if "shop" in name]


def test_a_shop_that_takes_the_key_is_well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_SHOP_URL", desk.sandbox.base_url)
    monkeypatch.setenv("REVER_SHOP_KEY", desk.sandbox.shop_key)
    line = desk.lines("shop")["shop of acme, nordic"]
    assert (line.state, line.found) == (State.OK, f"{desk.sandbox.base_url} responds, and accepts the key")


def test_a_wrong_key_and_a_shop_that_is_not_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_SHOP_URL", f"acme={desk.sandbox.base_url},nordic=http://127.0.0.1:9")
    monkeypatch.setenv("REVER_SHOP_KEY", "acme=wr0ng,nordic=wr0ng")
    lines = desk.lines("shop")
    assert (lines["shop of acme"].state, lines["shop of nordic"].state) == (State.BROKEN, State.ATTENTION)
    assert "REVER_SHOP_KEY" in lines["shop of acme"].to_do
    assert "cannot be reached" in lines["shop of nordic"].found
    assert "wr0ng" not in str(lines)


def test_the_tables_of_facts_are_read_with_the_policy_file(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy.yaml").write_text("default:\n  facts: {products: products.csv}\n")
    table = tmp_path / "products.csv"
    table.write_text("sku,vendor\n007,Acme\n")
    table.chmod(0o666)
    monkeypatch.setenv("REVER_POLICY", str(tmp_path / "policy.yaml"))
    lines = desk.lines("policy file", "file modes")
    assert lines["policy file"].found.endswith(f"; facts from {table}")
    assert f"{table} 0666" in lines["file modes"].found
    table.write_text("sku,vendr\n007,Acme\n")
    wrong = desk.lines("policy file")["policy file"]
    assert wrong.state is State.BROKEN
    assert "did you mean vendor?" in wrong.found
