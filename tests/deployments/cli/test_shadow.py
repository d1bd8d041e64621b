"""`rever-returns policy shadow`: what the candidate decides otherwise, as text, JSON and CSV."""

import csv
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import Call
from tests.flows.test_shadow import BESIDE, CANDIDATE, LIVE


@pytest.fixture
def watched(call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Call:
    """A desk beside whose policy a candidate has decided in one run."""
    Path("policy.yaml").write_text(BESIDE)
    Path("candidate.yaml").write_text(CANDIDATE)
    monkeypatch.setenv("REVER_POLICY", "policy.yaml")
    monkeypatch.setenv("REVER_STORES", ",".join(rever.stores))
    assert call("run", "process-pending-returns", "mode=act", "--no-prefect").code == 0
    return call


def test_the_table_says_what_both_say_of_each_return_and_the_sums(watched: Call) -> None:
    ended = watched("policy", "shadow")
    assert (ended.code, ended.err) == (0, "")
    head, otherwise, same = ended.out.splitlines()[:3]
    assert head == "candidate.yaml beside policy.yaml, by what runs with mode=act have seen:"
    assert otherwise.startswith("  otherwise:         earlier ")
    assert same == "  by now the same:   no return"
    assert "    candidate: refund 22.30 EUR by gift card (on_item_verified): 1 unit approved" in ended.out
    assert re.search(r"^retp_\w+ +acme +#AC\d+ +\d{4}-\d\d-\d\d \d\d:\d\d UTC ", ended.out, re.MULTILINE)


def test_json_and_csv_have_the_same_sums_to_the_cent(watched: Call) -> None:
    ended = watched("policy", "shadow", "--json", "--csv", "out.csv")
    told = json.loads(ended.out)
    assert (ended.code, told["file"], told["the_same_by_now"]["returns"]) == (0, "candidate.yaml", 0)
    assert told["otherwise"]["returns"] == len(told["returns"]) > 10
    lines = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert {line["process_id"] for line in lines} == {each["process_id"] for each in told["returns"]}
    for kind, change in told["otherwise"]["changes"].items():
        for purse, amount in change["amounts"].items():
            currency, _, goods = purse.partition(" ")
            mine = [it for it in lines if (it["currency"], it["goods"]) == (currency, "yes" if goods else "no")]
            assert sum(Decimal(it[kind.replace(" ", "_")] or 0) for it in mine) == Decimal(amount)
    assert Path("out.csv").stat().st_mode & 0o077 == 0


def test_the_text_of_the_run_counts_the_same(watched: Call) -> None:
    run = json.loads(watched("run", "process-pending-returns", "--no-prefect", "--json").out)
    told = json.loads(watched("policy", "shadow", "--json").out)
    still = {each["process_id"]: each for each in told["returns"]}
    assert run["shadow"]["candidate"] == told["candidate"]
    assert 0 < run["shadow"]["differing"] <= len(still)


def test_without_a_candidate_it_says_so_and_needs_no_ledger(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    none = call("policy", "shadow")
    assert (none.code, none.out.split(":")[0]) == (0, "No candidate decides in shadow")
    assert "no policy file is set" in none.out
    Path("policy.yaml").write_text(LIVE)
    monkeypatch.setenv("REVER_POLICY", "policy.yaml")
    assert "policy.yaml names none" in call("policy", "shadow").out
    told = json.loads(call("policy", "shadow", "--json").out)
    assert (told["file"], told["returns"]) == (None, [])


def test_a_candidate_that_is_wrong_is_told_with_its_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("policy.yaml").write_text(BESIDE)
    Path("candidate.yaml").write_text("default:\n  not_received: keep\n")
    monkeypatch.setenv("REVER_POLICY", "policy.yaml")
    ended = call("policy", "shadow")
    assert (ended.code, ended.out) == (2, "")
    assert "candidate.yaml, line 2: default.not_received is" in ended.err


def test_where_no_file_can_be_written_nothing_is_begun(watched: Call) -> None:
    ended = watched("policy", "shadow", "--csv", "nowhere/out.csv")
    assert (ended.code, ended.out) == (2, "")


def test_policy_check_reads_the_candidate_too(call: Call) -> None:
    Path("policy.yaml").write_text(BESIDE)
    Path("candidate.yaml").write_text(CANDIDATE)
    right = call("policy", "check", "policy.yaml")
    assert right.code == 0
    assert "candidate.yaml decides beside it in shadow, and is right; nothing it says is done." in right.out
    Path("candidate.yaml").write_text("default:\n  not_received: keep\n")
    wrong = call("policy", "check", "policy.yaml")
    assert wrong.code == 2
    assert wrong.out.startswith("policy.yaml is right.\n")
    assert "candidate.yaml, line 2: default.not_received is" in wrong.err


def test_policy_check_reads_the_tables_of_the_candidate(call: Call) -> None:
    Path("policy.yaml").write_text(BESIDE)
    Path("candidate.yaml").write_text("default: {facts: {products: gone.csv}}\n")
    wrong = call("policy", "check", "policy.yaml")
    assert wrong.code == 2
    assert "gone.csv" in wrong.err
    assert "in shadow, and is right" not in wrong.out
