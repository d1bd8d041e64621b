"""What the three ready policies do: the same returns under each, as the table in docs/policy.md has them."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from deployments.cli.ready_policies import PolicyKind, ready_policy
from rever_api.models import ReturnProcess, Shopper
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Hold, MakeLabel, Wait
from tasks.policy.policy_file import PolicyFile, read_policy
from tasks.policy.policy_text import read_yaml
from tasks.policy.return_facts import EarlierReturn
from tasks.policy.side_facts import SideFacts
from tests.tasks.policy.factories import GIFT, NOW, approved, line, process, record, rules
from tests.tasks.policy.test_policy_file import written
from tests.tasks.policy.test_policy_schema import VALIDATOR

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"
SHOPPER = "ann@example.com"
WORDS = {Compensate: "paid", Wait: "waits", MakeLabel: "waits", Hold: "a person is asked"}


def inspected(total: str) -> ReturnProcess:
    return process(line("a", total=total), reviews=approved("a"), shopper=Shopper(email=SHOPPER))


def on_its_way(method: str = "ORIGINAL_PAYMENT_METHOD", total: str = "50.00") -> ReturnProcess:
    sent = process(line("a", total=total, method=method), logistics=("COLLECTED",), return_status="COLLECTED")
    return sent.model_copy(update={"shopper": Shopper(email=SHOPPER)})


def earlier(count: int, *, wrong_items: bool = False) -> tuple[EarlierReturn, ...]:
    day = NOW.date() - timedelta(days=10)
    return tuple(EarlierReturn(f"retp_x{n}", f"o-{n}", day, wrong_items=wrong_items) for n in range(count))


RETURNS: dict[str, tuple[ReturnProcess, tuple[EarlierReturn, ...]]] = {
    "50 EUR, on its way": (on_its_way(), ()),
    "50 EUR as a gift card, on its way": (on_its_way(GIFT), ()),
    "50 EUR, inspected": (inspected("50.00"), ()),
    "150 EUR, inspected": (inspected("150.00"), ()),
    "400 EUR, inspected": (inspected("400.00"), ()),
    "600 EUR, inspected": (inspected("600.00"), ()),
    "8 EUR, nothing sent": (
        process(
            line("a", total="8.00"), logistics=("CREATED",), return_status="STARTED", shopper=Shopper(email=SHOPPER)
        ),
        (),
    ),
    "the fourth return in 90 days, inspected": (inspected("50.00"), earlier(3)),
    "the sixth return in 90 days, inspected": (inspected("50.00"), earlier(5)),
    "wrong goods once before, on its way": (on_its_way(), earlier(1, wrong_items=True)),
    "wrong goods once before, inspected": (inspected("50.00"), earlier(1, wrong_items=True)),
}
"""A return at a store whose REVER refunds after the inspection, and the shopper's others."""


def read(kind: PolicyKind, tmp_path: Path) -> PolicyFile:
    return read_policy(written(tmp_path, ready_policy(kind), "policy.yaml"))


def outcome(policies: PolicyFile, seen: ReturnProcess, others: tuple[EarlierReturn, ...]) -> str:
    side = SideFacts(earlier={SHOPPER: others})
    at_store = replace(
        rules(), policy=policies.for_store("acme"), merchant_rules=policies.rules.for_store("acme"), side=side
    )
    return WORDS[type(decide(seen, at_store, record(), NOW))]


@pytest.mark.parametrize("kind", [*PolicyKind, None])
def test_the_page_has_what_each_does_with_the_same_returns(kind: PolicyKind | None, tmp_path: Path) -> None:
    policies = read(kind, tmp_path) if kind else read_policy(None)
    rows = [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in re.findall(r"^\|.*\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    ]
    column = next(row for row in rows if "cautious" in row).index(kind or "no file")
    shown = {row[0]: row[column] for row in rows if len(row) > column}
    assert {name: outcome(policies, *case) for name, case in RETURNS.items()} == {
        name: shown.get(name) for name in RETURNS
    }
    guards = policies.default.guards
    if kind:
        caps = [f"{cap['EUR']:,} EUR" for cap in (guards.max_refund, guards.max_per_day)]
        assert ", ".join([*caps, str(guards.max_refunds_per_shopper)]) in shown.values()


@pytest.mark.parametrize("kind", PolicyKind)
def test_each_is_right_by_the_schema_and_gives_its_reasons(kind: PolicyKind) -> None:
    text = ready_policy(kind)
    assert VALIDATOR.is_valid(read_yaml(text).values)
    assert text.startswith(f"# The {kind} policy: ")
    assert sum(row.lstrip().startswith("#") for row in text.splitlines()) >= 6
