"""The trace of one refund is that of a refund, and of nothing else."""

from decimal import Decimal

from tests.trace_refund import trace


def test_the_trace_goes_from_the_flow_to_the_call_that_pays() -> None:
    found = trace()
    assert list(found.paid.values()) == [Decimal("44.35")]
    assert next(iter(found.entered)) == "flows.process_pending_returns"
    assert {name.partition(".")[0] for name in found.entered} == {"flows", "tasks", "rever_api"}
    assert not any(name.startswith("rever_api.sandbox") for name in found.entered)
    assert found.functions > len(found.entered)
