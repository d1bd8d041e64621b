"""The trace of one refund is that of a refund, and of nothing else."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.trace_refund import Trace, trace

NOT_ASKED = (
    "tasks.budget",
    "tasks.gather_facts",
    "tasks.policy.label_choice",
    "tasks.policy.order_returns",
    "tasks.policy.rules.cancel",
    "tasks.settle_outcomes",
    "tasks.shadow",
)
"""What a refund has nothing to do with where no policy file, cap or earlier outcome asks for it."""


@pytest.fixture(scope="module")
def found() -> Trace:
    """One refund."""
    return trace()


def test_the_trace_goes_from_the_flow_to_the_call_that_pays(found: Trace) -> None:
    assert list(found.paid.values()) == [Decimal("44.35")]
    assert next(iter(found.entered)) == "flows.process_pending_returns"
    assert {name.partition(".")[0] for name in found.entered} == {"flows", "tasks", "rever_api"}
    assert not any(name.startswith("rever_api.sandbox") for name in found.entered)
    assert found.functions > len(found.entered)


def test_a_refund_passes_nothing_that_it_has_nothing_to_do_with(found: Trace) -> None:
    assert {name: list(found.entered[name]) for name in NOT_ASKED if name in found.entered} == {}


def test_the_page_about_the_code_names_each_module_that_a_refund_passes(found: Trace) -> None:
    page = Path(__file__).parent.parent / "docs" / "code.md"
    way, _, _ = page.read_text().partition("## Where to look")
    assert [name for name in found.entered if f"{name.rpartition('.')[2]}.py" not in way] == []
