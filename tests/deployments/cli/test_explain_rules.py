"""`policy explain`, and the rules in `why` and explain-return: each rule, by which facts, and what outranked it."""

import json
from pathlib import Path

import pytest

from rever_api.sandbox import RunningSandbox
from tests.deployments.cli.conftest import Call
from tests.hurry import hurry

RULES = """\
default:
  rules:
  - name: dear
    when: {return_value: {over: 100000.00 EUR}}
    then: {approve: {who: finance, why: dear}}
  - name: home
    when: {country: {is_one_of: [ES, PT, FR, IT, DE]}}
    then: {no_fee: {}}
  - name: everywhere
    then: {fee: {amount: 6.00 EUR}}
  - name: again
    when: {earlier_returns: {at_least: 50}}
    then: {approve: {who: service, why: very many returns}}
  - name: regulars
    when: {customer_tags: {has: VIP}}
    then: {pay: {at: first_scan}}
    if_unknown: does_not_match
"""
SAYS = (
    "everywhere': matches, outranked by 'home' in fee",
    "rule 'dear': does not match",
    "  return_value over 100,000.00 EUR: no, found ",
    "  earlier_returns at_least 50: no, found ",
    "rule 'regulars': does not match, needs the customer's tags",
    "fee: no_fee by 'home'; matched too, outranked: 'everywhere'",
)


@pytest.fixture
def rever(rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """A sandbox, and a desk whose policy has rules."""
    hurry(monkeypatch.setattr)
    Path("policy.yaml").write_text(RULES)
    monkeypatch.setenv("REVER_POLICY", "policy.yaml")
    return rever


def order(rever: RunningSandbox) -> tuple[str, str]:
    """A return that can be paid: its id and its order's number."""
    (process_id, *_) = rever.process_ids("approved_one")
    return process_id, rever.sandbox.processes[process_id].process.order_name


def test_each_rule_is_told_with_what_it_found_and_what_outranked_it(call: Call, rever: RunningSandbox) -> None:
    process_id, name = order(rever)
    for typed in (process_id, name):
        ended = call("policy", "explain", typed)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith(f"{process_id} (order {name}, store ")
        assert [says for says in SAYS if says not in ended.out] == []


def test_the_same_lines_are_in_the_story(call: Call, rever: RunningSandbox) -> None:
    process_id, _ = order(rever)
    assert call("run", "process-pending-returns", "mode=act", "--no-prefect").code == 0
    told = [line.strip() for line in call("policy", "explain", process_id).out.splitlines()[1:]]
    story = call("why", process_id).out
    assert [line for line in told if line not in story] == []
    assert f"  rules      {told[0]}" in story
    ended = call("run", "explain-return", f"process_id={process_id}", "--no-prefect", "--json")
    (as_json,) = json.loads(ended.out)["stories"]
    assert [line.strip() for line in as_json["rules"]] == told


def test_without_rules_it_says_so_and_a_story_has_no_word_of_them(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVER_POLICY", "")
    process_id, _ = order(rever)
    assert "no rules of the policy file hold at this store" in call("policy", "explain", process_id).out
    assert call("run", "process-pending-returns", "mode=act", "--no-prefect").code == 0
    assert "\n  rules " not in call("why", process_id).out


def test_a_policy_file_that_is_wrong_stops_explain_and_no_story(call: Call, rever: RunningSandbox) -> None:
    process_id, _ = order(rever)
    assert call("run", "process-pending-returns", "mode=act", "--no-prefect").code == 0
    Path("policy.yaml").write_text("default: {rules: [{name: a}]}\n")
    ended = call("policy", "explain", process_id)
    assert ended.code == 2
    assert "policy.yaml, line 1: default.rules[1].then is missing" in ended.err
    story = call("why", process_id)
    assert story.code == 0
    assert "\n  rules      not asked: policy.yaml, line 1: default.rules[1].then is missing" in story.out


def test_nothing_found_is_an_error_and_so_is_a_rever_that_is_down(
    call: Call, rever: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = call("policy", "explain", "retp_nobody1")
    assert (ended.code, ended.out) == (2, "")
    assert "no return was found by retp_nobody1" in ended.err
    monkeypatch.setenv("REVER_BASE_URL", "http://127.0.0.1:9")
    ended = call("policy", "explain", order(rever)[0])
    assert (ended.code, ended.out) == (1, "")
